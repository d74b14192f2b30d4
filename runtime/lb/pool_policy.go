package lb

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// HTTPVersion is the version of HTTP that a pool's members are spoken to in.
type HTTPVersion string

// ProxyProtocol is the version of the PROXY protocol header that members are sent.
type ProxyProtocol string

// HashSource is the part of a request that hashing algorithms go by.
type HashSource string

// AffinityType is what ties a client to a member.
type AffinityType string

// RetryCause is a failure that may be answered with another try.
type RetryCause string

// The values of enumerated attributes of a pool's policies.
const (
	HTTP1 HTTPVersion = "1.1"
	HTTP2 HTTPVersion = "2"

	ProxyOff ProxyProtocol = "off"
	ProxyV1  ProxyProtocol = "v1"
	ProxyV2  ProxyProtocol = "v2"

	HashSourceIP HashSource = "source_ip"
	HashHeader   HashSource = "header"
	HashCookie   HashSource = "cookie"
	HashHost     HashSource = "host"
	HashPath     HashSource = "path"
	HashQuery    HashSource = "query"

	AffinityCookie   AffinityType = "cookie"
	AffinityHeader   AffinityType = "header"
	AffinitySourceIP AffinityType = "source_ip"

	// RetryConnectFailure: no connection could be opened; nothing was sent.
	RetryConnectFailure RetryCause = "connect_failure"
	// RetryReset: the connection ended before a response began.
	RetryReset RetryCause = "reset"
	// RetryTimeout: the try took longer than it may.
	RetryTimeout RetryCause = "timeout"
	// Statuses of a response that are as good as none.
	Retry500 RetryCause = "500"
	Retry502 RetryCause = "502"
	Retry503 RetryCause = "503"
	Retry504 RetryCause = "504"
)

// What the attributes of a pool's policies may be.
var (
	HTTPVersions   = []HTTPVersion{HTTP1, HTTP2}
	ProxyProtocols = []ProxyProtocol{ProxyOff, ProxyV1, ProxyV2}
	HashSources    = []HashSource{HashSourceIP, HashHeader, HashCookie, HashHost, HashPath, HashQuery}
	AffinityTypes  = []AffinityType{AffinityCookie, AffinityHeader, AffinitySourceIP}
	RetryCauses    = []RetryCause{RetryConnectFailure, RetryReset, RetryTimeout, Retry500, Retry502, Retry503, Retry504}
)

// Defaults and bounds of a pool's policies.
const (
	DefaultHTTPVersion   = HTTP1
	DefaultProxyProtocol = ProxyOff
	DefaultHashSource    = HashSourceIP

	DefaultSlowStart = Duration(0)
	MaxSlowStart     = Duration(time.Hour)

	DefaultOutlierFailures    = 5
	MaxOutlierFailures        = 1_000
	DefaultEjectionTime       = Duration(30 * time.Second)
	MinEjectionTime           = Duration(100 * time.Millisecond)
	MaxEjectionTime           = Duration(time.Hour)
	DefaultMaxEjectedPercent  = 50
	MaxPercent                = 100
	DefaultRetryAttempts      = 2
	MaxRetryAttempts          = 10
	DefaultPerTryTimeout      = Duration(0)
	DefaultRetryBudgetPercent = 20
	DefaultMemberConnections  = 10_000
	MaxMemberConnections      = 1_000_000
	DefaultMaxPending         = 1_024
	MaxMaxPending             = 1_000_000
	DefaultAffinityType       = AffinityCookie
	DefaultAffinityTTL        = Duration(0)
	MinAffinityTTL            = Duration(time.Second)
	MaxAffinityTTL            = Duration(365 * 24 * time.Hour)
	DefaultAffinityCookie     = "auditlb"
	DefaultUpstreamMinVersion = TLS12
	DefaultUpstreamVerify     = true
)

// HashKey is the part of a request that ring_hash and maglev go by.
type HashKey struct {
	Source HashSource `json:"source"`
	// Name of the header, cookie or query parameter; empty for other sources.
	Name string `json:"name"`
}

// OutlierDetection ejects members whose requests fail, for a while.
type OutlierDetection struct {
	ConsecutiveFailures int      `json:"consecutive_failures"`
	EjectionTime        Duration `json:"ejection_time"`
	MaxEjectedPercent   int      `json:"max_ejected_percent"`
}

// Retries say when a request is tried again on another member.
type Retries struct {
	// Attempts is how many more times a request may be tried; 0 turns retries off.
	Attempts      int          `json:"attempts"`
	On            []RetryCause `json:"on"`
	PerTryTimeout Duration     `json:"per_try_timeout"`
	// BudgetPercent bounds retries as a share of the requests of the last seconds.
	BudgetPercent int `json:"budget_percent"`
}

// PoolLimits bound what is open and waiting at once.
type PoolLimits struct {
	// MaxConnections is for each member: connections of a tcp pool and of HTTP/1.1,
	// requests under way of HTTP/2.
	MaxConnections int `json:"max_connections"`
	// MaxPending is how many requests of the pool may wait for a member to have
	// room; more are answered 503.
	MaxPending int `json:"max_pending"`
}

// UpstreamTLS is how members are spoken to over TLS.
type UpstreamTLS struct {
	// CAPEM holds the authorities that members' certificates are verified by. Empty:
	// those of the system.
	CAPEM string `json:"ca_pem"`
	// ServerName is the name asked for (SNI) and verified. Empty: the member's host.
	ServerName string `json:"server_name"`
	// ClientCertificate names the certificate that we present; empty for none.
	ClientCertificate string     `json:"client_certificate"`
	MinVersion        TLSVersion `json:"min_version"`
	// Verify false accepts any certificate.
	Verify bool `json:"verify"`
}

// Affinity ties a client to the member that served it first.
type Affinity struct {
	Type AffinityType `json:"type"`
	// Name of the cookie or header; empty for source_ip.
	Name string `json:"name"`
	// TTL of the cookie; 0 is until the browser closes.
	TTL Duration `json:"ttl"`
}

// NewRetries returns the default: only what is safe whatever the request is.
func NewRetries() Retries {
	return Retries{
		Attempts:      DefaultRetryAttempts,
		On:            []RetryCause{RetryConnectFailure},
		PerTryTimeout: DefaultPerTryTimeout,
		BudgetPercent: DefaultRetryBudgetPercent,
	}
}

// NewOutlierDetection returns an outlier detection with every default set.
func NewOutlierDetection() OutlierDetection {
	return OutlierDetection{
		ConsecutiveFailures: DefaultOutlierFailures,
		EjectionTime:        DefaultEjectionTime,
		MaxEjectedPercent:   DefaultMaxEjectedPercent,
	}
}

// NewUpstreamTLS returns the default: verified by the system's authorities.
func NewUpstreamTLS() UpstreamTLS {
	return UpstreamTLS{MinVersion: DefaultUpstreamMinVersion, Verify: DefaultUpstreamVerify}
}

// NewAffinity returns an affinity by a cookie of the browser's session.
func NewAffinity() Affinity {
	return Affinity{Type: DefaultAffinityType, TTL: DefaultAffinityTTL}
}

// normalize names the cookie, so that the record says which one it is.
func (a *Affinity) normalize() {
	switch {
	case a.Type == AffinityHeader:
		a.Name = strings.ToLower(a.Name)
	case a.Type == AffinityCookie && a.Name == "":
		a.Name = DefaultAffinityCookie
	}
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (k *HashKey) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain HashKey
	return decodeOver(dec, (*plain)(k), plain{Source: DefaultHashSource})
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (o *OutlierDetection) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain OutlierDetection
	return decodeOver(dec, (*plain)(o), plain(NewOutlierDetection()))
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (u *UpstreamTLS) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain UpstreamTLS
	return decodeOver(dec, (*plain)(u), plain(NewUpstreamTLS()))
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (a *Affinity) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain Affinity
	return decodeOver(dec, (*plain)(a), plain(NewAffinity()))
}
