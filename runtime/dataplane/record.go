package dataplane

import (
	"net/netip"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Cause is why traffic did not go where the configuration says, at the first try.
type Cause string

// The causes of decisions.
const (
	// CauseNone is that of an access record: nothing was decided.
	CauseNone Cause = ""
	// CauseRetry is another try, on another member or a new connection.
	CauseRetry Cause = "retry"
	// CauseBackup is a backup member serving because no other could.
	CauseBackup Cause = "failover_to_backup"
	// CauseEjected and CauseReturned are a member's ejection and return.
	CauseEjected  Cause = "ejected"
	CauseReturned Cause = "returned"
	// CauseUnhealthy and CauseHealthy are transitions of a member's health.
	CauseUnhealthy Cause = "unhealthy"
	CauseHealthy   Cause = "healthy"
	// CauseNoMember is that no member could serve.
	CauseNoMember Cause = "no_healthy_member"
	// CauseLimit is a limit that was reached: of connections, requests, rate or size.
	CauseLimit Cause = "limit_reached"
	// CauseTimeout is that a member or client took too long.
	CauseTimeout Cause = "timeout"
	// CauseFailed is that a member failed and nobody else was asked.
	CauseFailed Cause = "member_failed"
	// CauseAffinity is that the member a client is tied to could not serve.
	CauseAffinity Cause = "affinity_broken"
	// CauseDefaultCertificate is a handshake with a name that no certificate has.
	CauseDefaultCertificate Cause = "default_certificate"
	// CauseNoRoute is that no route matched.
	CauseNoRoute Cause = "no_route"
	// CauseDenied is a client from where none may come.
	CauseDenied Cause = "denied"
	// CauseBadRequest is a request that is not well-formed.
	CauseBadRequest Cause = "bad_request"
)

// Causes lists every cause of a decision.
var Causes = []Cause{
	CauseRetry, CauseBackup, CauseEjected, CauseReturned, CauseUnhealthy, CauseHealthy, CauseNoMember, CauseLimit,
	CauseTimeout, CauseFailed, CauseAffinity, CauseDefaultCertificate, CauseNoRoute, CauseDenied, CauseBadRequest,
}

// Record is what is known of one decision, or of one request. Byte slices are only
// valid during the call that hands the record over.
type Record struct {
	Time                           time.Time
	Revision                       int64
	Cause                          Cause
	Listener, Route, Pool          string
	Member                         string // the one that served or, of a retry, failed
	Client                         netip.Addr
	Method, Host, Path             []byte
	Status                         int
	Latency                        time.Duration
	BytesIn, BytesOut              int64
	Tries                          int
	RequestID, TraceParent, Detail []byte
}

// Recorder takes records as they happen, on the goroutine of the request: it must be
// quick, and must not keep the record.
type Recorder interface {
	// Decision takes a decision.
	Decision(*Record)
	// Access takes a request, of a listener with access records.
	Access(*Record)
}

// records reports whether a listener's requests with a status leave access records.
func recordsAccess(mode lb.AccessRecords, status int) bool {
	return mode == lb.AccessAll || mode == lb.AccessErrors && status >= 400
}
