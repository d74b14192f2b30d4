package sink

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// ocsf renders an entry as an event.
func (f formatter) ocsf(e *api.EntryRecord) *ocsfEvent {
	m := mappingOf(e)
	ev := &ocsfEvent{
		ActivityID: m.activity, ActivityName: m.activityName(e),
		CategoryUID: m.class.categoryUID, CategoryName: m.class.category,
		ClassUID: m.class.uid, ClassName: m.class.caption, TypeUID: m.class.uid*100 + m.activity,
		Time: e.Time.UnixMilli(), Message: sentence(e), Metadata: f.metadata(e), Actor: actorOf(&e.Actor),
		Unmapped: ocsfUnmapped{
			Version: e.Version, LeafHash: e.LeafHash, BodyDigest: e.BodyDigest, BodyState: e.BodyState, BodyErasedBy: e.BodyErasedBy, EffectDigest: e.EffectDigest, Op: e.Op,
			Ticket: e.Ticket, Run: e.Run, Base: e.Base, Plan: e.Plan, Unplanned: e.Unplanned, Emergency: e.Emergency, Role: e.Actor.Role,
			Patch: e.Patch, Owner: e.Owner, Rollback: e.Rollback,
		},
	}
	ev.TypeName = ev.ClassName + ": " + ev.ActivityName
	ev.SeverityID, ev.Severity = ocsfSeverity(e)
	ev.StatusID, ev.Status, ev.StatusCode = statusSuccess, "Success", e.Code
	if e.Outcome == audit.OutcomeRefused {
		ev.StatusID, ev.Status = statusFailure, "Failure"
	}
	ev.from(e)
	var before, after jsontext.Value
	if b := e.Body; b != nil {
		before, after = b.Before, b.After
		ev.Unmapped.Unknown, ev.Unmapped.Warnings, ev.Unmapped.Rules, ev.Unmapped.Undone = b.Unknown, b.Warnings, b.Rules, b.Undone
		if r := b.Refusal; r != nil {
			ev.StatusDetail = r.Detail
			ev.Unmapped.Refusal = &ocsfRestRefusal{Violations: r.Violations, Current: r.Current, Referents: r.Referents}
			if r.Code != e.Code {
				ev.Unmapped.Refusal.Code = r.Code
			}
		}
	}
	if m.class == entityManagement {
		ev.entities(e, before, after)
	} else {
		ev.call(e, before, after)
	}
	return ev
}

func (f formatter) metadata(e *api.EntryRecord) ocsfMetadata {
	md := ocsfMetadata{
		Version: ocsfVersion, Product: ocsfProduct{"auditlb", "auditlb", f.version}, UID: f.uid(e), Sequence: e.Seq,
		EventCode: strings.TrimSuffix(e.Type+"."+e.Op, "."), CorrelationUID: e.Ticket, LogName: f.origin, LogProvider: "auditlb",
		OriginalTime: e.Time.UTC().Format(time.RFC3339Nano),
	}
	if e.Emergency {
		md.Labels = append(md.Labels, "emergency")
	}
	if e.Unplanned {
		md.Labels = append(md.Labels, "unplanned")
	}
	return md
}

const (
	roleAdmin = "admin"
	// unknown stands where the schema wants a text and the entry has none.
	unknown = "unknown"
)

func actorOf(a *api.Actor) ocsfActor {
	out := ocsfActor{User: &ocsfUser{Name: cmp.Or(a.Name, unknown), UID: a.Subject, TypeID: userUser, Type: "User"}}
	switch {
	case strings.HasPrefix(a.Name, "system/"):
		out.AppName, out.User.TypeID, out.User.Type = "auditlb", userSystem, "System"
	case a.Role == roleAdmin:
		out.User.TypeID, out.User.Type = userAdmin, "Admin"
	}
	if strings.HasPrefix(a.Credential, "session/") {
		out.Session = &ocsfSession{a.Credential, a.Issuer}
	} else {
		out.User.CredentialUID = a.Credential
	}
	if a.Provider != "" || a.Issuer != "" {
		out.IDP = &ocsfIDP{a.Provider, a.Issuer, a.Issuer}
	}
	return out
}

// ocsfMethods are those that the schema knows.
var ocsfMethods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE"}

// from says where the call came from: of what the runtime does by itself, from there.
func (ev *ocsfEvent) from(e *api.EntryRecord) {
	r := e.Request
	if r == nil {
		ev.SrcEndpoint = &ocsfEndpoint{SvcName: "auditlb"}
		return
	}
	switch _, err := netip.ParseAddr(r.SourceIP); {
	case err == nil:
		ev.SrcEndpoint = &ocsfEndpoint{IP: r.SourceIP}
	case r.SourceIP != "":
		ev.SrcEndpoint = &ocsfEndpoint{Name: r.SourceIP}
	default:
		ev.SrcEndpoint = &ocsfEndpoint{Name: unknown}
	}
	ev.HTTPRequest = &ocsfHTTP{UID: r.ID, UserAgent: r.UserAgent}
	if r.Path != "" {
		ev.HTTPRequest.URL = &ocsfURL{r.Path}
	}
	rest := ocsfRestRequest{BodyDigest: r.BodyDigest}
	if slices.Contains(ocsfMethods, r.Method) {
		ev.HTTPRequest.Method = r.Method
	} else {
		rest.Method = r.Method
	}
	if rest != (ocsfRestRequest{}) {
		ev.Unmapped.Request = &rest
	}
}

// call fills what API Activity has.
func (ev *ocsfEvent) call(e *api.EntryRecord, before, after jsontext.Value) {
	operation := e.Op
	if operation == "" {
		operation = e.Type
	}
	ev.API = &ocsfAPI{Operation: operation, Version: "v1", Service: ocsfService{"auditlb"}}
	if e.Request != nil {
		ev.API.Request = &ocsfRequest{e.Request.ID}
	}
	if e.Outcome == audit.OutcomeRefused {
		ev.API.Response = &ocsfResponse{api.Statuses[api.Code(e.Code)], e.Code, ev.StatusDetail}
	}
	ev.Unmapped.Before = before
	if e.Resource == "" {
		ev.Unmapped.After = after
		return
	}
	kind, name := kindAndName(e.Resource)
	ev.Resources = []ocsfResource{{e.Resource, name, kind, after}}
}

// entities fills what Entity Management has: the entity as it was, and as it is now.
func (ev *ocsfEvent) entities(e *api.EntryRecord, before, after jsontext.Value) {
	ev.Entity = entityOf(e.Resource)
	ev.Entity.Data = before
	if e.Base > 0 {
		ev.Entity.Version = strconv.FormatInt(e.Base, 10)
	}
	if ev.ActivityID == activityDelete {
		ev.Unmapped.After = after
		return
	}
	ev.EntityResult = entityOf(e.Resource)
	ev.EntityResult.Data, ev.EntityResult.Version = after, strconv.FormatInt(e.Seq, 10)
}

func entityOf(resource string) *ocsfEntity {
	kind, name := kindAndName(cmp.Or(resource, unknown))
	out := &ocsfEntity{UID: cmp.Or(resource, unknown), Name: name, TypeID: entityOther, Type: kind}
	if kind == string(lb.KindPolicy) {
		out.TypeID, out.Type, out.Policy = entityPolicy, "Policy", &ocsfPolicy{resource, name}
	}
	return out
}

// kindAndName splits a resource, such as pool/web.
func kindAndName(resource string) (kind, name string) {
	kind, name, ok := strings.Cut(resource, "/")
	if !ok {
		return resource, resource
	}
	return kind, name
}

// sentence says what an entry is in a line.
func sentence(e *api.EntryRecord) string {
	parts := []string{e.Actor.Name + ":", e.Type}
	for _, part := range []string{e.Op, e.Resource} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Ticket != "" {
		parts = append(parts, "under ticket", e.Ticket)
	}
	if e.Emergency {
		parts = append(parts, "(emergency)")
	}
	if e.Outcome == audit.OutcomeRefused {
		parts = append(parts, "refused:", e.Code)
	}
	return strings.Join(parts, " ")
}
