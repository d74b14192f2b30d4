package sink

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Names of the parts are the schema's (https://schema.ocsf.io/1.5.0). Everything of an
// entry is somewhere in its event: what the schema has no place for is under unmapped.

type ocsfEvent struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	StatusCode   string         `json:"status_code,omitzero"`
	StatusDetail string         `json:"status_detail,omitzero"`
	Time         int64          `json:"time"` // milliseconds since 1970
	Message      string         `json:"message"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Actor        ocsfActor      `json:"actor"`
	SrcEndpoint  *ocsfEndpoint  `json:"src_endpoint,omitzero"`
	HTTPRequest  *ocsfHTTP      `json:"http_request,omitzero"`
	API          *ocsfAPI       `json:"api,omitzero"`           // 6003
	Resources    []ocsfResource `json:"resources,omitzero"`     // 6003
	Entity       *ocsfEntity    `json:"entity,omitzero"`        // 3004
	EntityResult *ocsfEntity    `json:"entity_result,omitzero"` // 3004
	Unmapped     ocsfUnmapped   `json:"unmapped"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	UID            string      `json:"uid"`
	Sequence       int64       `json:"sequence"`
	EventCode      string      `json:"event_code"`
	CorrelationUID string      `json:"correlation_uid,omitzero"`
	LogName        string      `json:"log_name"`
	LogProvider    string      `json:"log_provider"`
	// OriginalTime has the microseconds that time has not.
	OriginalTime string   `json:"original_time"`
	Labels       []string `json:"labels,omitzero"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitzero"`
}

type ocsfActor struct {
	AppName string       `json:"app_name,omitzero"`
	User    *ocsfUser    `json:"user,omitzero"`
	Session *ocsfSession `json:"session,omitzero"`
	IDP     *ocsfIDP     `json:"idp,omitzero"`
}

type ocsfUser struct {
	Name          string `json:"name"`
	UID           string `json:"uid,omitzero"`
	TypeID        int    `json:"type_id"`
	Type          string `json:"type"`
	CredentialUID string `json:"credential_uid,omitzero"`
}

type ocsfSession struct {
	UID    string `json:"uid"`
	Issuer string `json:"issuer,omitzero"`
}

type ocsfIDP struct {
	Name   string `json:"name,omitzero"`
	UID    string `json:"uid,omitzero"`
	Issuer string `json:"issuer,omitzero"`
}

type ocsfEndpoint struct {
	IP      string `json:"ip,omitzero"`
	Name    string `json:"name,omitzero"`
	SvcName string `json:"svc_name,omitzero"`
}

type ocsfHTTP struct {
	UID       string   `json:"uid,omitzero"`
	Method    string   `json:"http_method,omitzero"`
	URL       *ocsfURL `json:"url,omitzero"`
	UserAgent string   `json:"user_agent,omitzero"`
}

type ocsfURL struct {
	Path string `json:"path"`
}

type ocsfAPI struct {
	Operation string        `json:"operation"`
	Version   string        `json:"version"`
	Service   ocsfService   `json:"service"`
	Request   *ocsfRequest  `json:"request,omitzero"`
	Response  *ocsfResponse `json:"response,omitzero"`
}

type ocsfService struct {
	Name string `json:"name"`
}

type ocsfRequest struct {
	UID string `json:"uid"`
}

type ocsfResponse struct {
	Code         int    `json:"code,omitzero"`
	Error        string `json:"error"`
	ErrorMessage string `json:"error_message,omitzero"`
}

type ocsfResource struct {
	UID  string         `json:"uid"`
	Name string         `json:"name"`
	Type string         `json:"type"`
	Data jsontext.Value `json:"data,omitzero"`
}

type ocsfEntity struct {
	UID     string         `json:"uid"`
	Name    string         `json:"name"`
	TypeID  int            `json:"type_id"`
	Type    string         `json:"type"`
	Version string         `json:"version,omitzero"`
	Policy  *ocsfPolicy    `json:"policy,omitzero"`
	Data    jsontext.Value `json:"data,omitzero"`
}

type ocsfPolicy struct {
	UID  string `json:"uid"`
	Name string `json:"name"`
}

// ocsfUnmapped is what the schema has no place for, by the names of our own JSON.
type ocsfUnmapped struct {
	Version      int               `json:"v"`
	LeafHash     string            `json:"leaf_hash"`
	BodyDigest   string            `json:"body_digest,omitzero"`
	BodyState    string            `json:"body_state,omitzero"`
	BodyErasedBy int64             `json:"body_erased_by,omitzero"`
	EffectDigest string            `json:"effect_digest,omitzero"`
	Op           string            `json:"op,omitzero"`
	Ticket       string            `json:"ticket,omitzero"`
	Run          *api.RunRef       `json:"run,omitzero"`
	Base         int64             `json:"base,omitzero"`
	Plan         int64             `json:"plan,omitzero"`
	Unplanned    bool              `json:"unplanned,omitzero"`
	Emergency    bool              `json:"emergency,omitzero"`
	Role         string            `json:"role,omitzero"`
	Request      *ocsfRestRequest  `json:"request,omitzero"`
	Before       jsontext.Value    `json:"before,omitzero"`
	After        jsontext.Value    `json:"after,omitzero"`
	Patch        []lb.Change       `json:"patch,omitzero"`
	Unknown      []string          `json:"unknown,omitzero"`
	Warnings     []string          `json:"warnings,omitzero"`
	Rules        []api.RuleOutcome `json:"rules,omitzero"`
	Owner        string            `json:"owner,omitzero"`
	Rollback     *api.RollbackRef  `json:"rollback,omitzero"`
	Undone       []int64           `json:"undone,omitzero"`
	Refusal      *ocsfRestRefusal  `json:"refusal,omitzero"`
}

type ocsfRestRequest struct {
	Method     string `json:"method,omitzero"`
	BodyDigest string `json:"body_digest,omitzero"`
}

type ocsfRestRefusal struct {
	// Code is set where it is not the entry's.
	Code       string          `json:"code,omitzero"`
	Violations []lb.Violation  `json:"violations,omitzero"`
	Current    *api.LastChange `json:"current,omitzero"`
	Referents  []string        `json:"referents,omitzero"`
}
