package control

import (
	"errors"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Call is who asks for something, and under what.
type Call struct {
	Actor identity.Actor
	// Ticket and Run are as the caller named them.
	Ticket, Run string
	Request     audit.Request
	// elsewhere is what the ticket's authority says, if it lives with one.
	elsewhere *Elsewhere
	// Key is the idempotency key, or "". Digest identifies what is asked, so
	// that a key can't be used for two different calls.
	Key, Digest string
}

// scopedKey keeps one actor's keys apart from another's.
func (c Call) scopedKey() string { return c.Actor.Name + " " + c.Key }

// runVerified reports whether the caller's credential proves the run.
func (c Call) runVerified() bool {
	return c.Run != "" && c.Actor.Verified != nil && c.Actor.Verified.Run.ID == c.Run
}

// runRef is the call's run as its entry names it, or nil.
func (c Call) runRef() *audit.RunRef {
	if c.Run == "" {
		return nil
	}
	ref := &audit.RunRef{ID: c.Run, Verified: c.runVerified()}
	if v := c.Actor.Verified; v != nil {
		ref.Proved = v.Run.Facts()
	}
	return ref
}

// actorOf is an actor as entries name them.
func actorOf(a identity.Actor) audit.Actor {
	out := audit.Actor{Name: a.Name, Credential: a.Credential, Role: string(a.Role)}
	if v := a.Verified; v != nil {
		out.Provider, out.Issuer, out.Subject = v.Provider, v.Issuer, v.Subject
	}
	return out
}

// Subject is what a call is about.
type Subject struct {
	// Resource is an address, or "ticket/…", "run/…", "token/…".
	Resource string
	Op       string
}

// Recordable makes text of the caller's fit to be kept: printable, at most
// limit bytes, and no secret that got into the wrong place.
func Recordable(s string, limit int) string {
	if identity.HoldsToken(s) || lb.HoldsPrivateKey(s) {
		return "[redacted]"
	}
	return audit.Text(s, limit)
}

// Outcome is the answer to a call: its entry. What is answered over the wire is
// a rendering of it, so a retry can be given the first answer again.
type Outcome struct {
	Entry audit.Entry
	Body  audit.Body
	// Unchanged is set when there was nothing to do and nothing was recorded;
	// Entry is then the one that made the current state.
	Unchanged bool
	// Parts are the entries of a call that did several things at once, in order; Entry
	// and Body are the last's.
	Parts []Outcome
}

// Refusal is why the call was refused, or nil.
func (o *Outcome) Refusal() *audit.Refusal { return o.Body.Refusal }

// errBodyErased means that the body of an entry was erased by policy.
var errBodyErased = errors.New("the entry's body was erased")

func newOutcome(e audit.Entry, body []byte) (Outcome, error) {
	if len(body) == 0 {
		return Outcome{Entry: e}, fmt.Errorf("entry %d: %w", e.Seq, errBodyErased)
	}
	parsed, err := audit.ParseBody(body)
	if err != nil {
		return Outcome{}, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return Outcome{Entry: e, Body: parsed}, nil
}

// draft is what a decision wants recorded.
type draft struct {
	kind      audit.Type
	base      int64
	effect    string
	plan      int64
	unplanned bool
	rollback  *audit.Rollback
	body      audit.Body
	secrets   []Secret
	// object is what the entry makes of an object, to be laid over the batch's
	// view; without an After in the body it is a deletion.
	object *Object
	// next is the key that the entry names for what is signed from then on.
	next *audit.Signer
	// existing answers the call with an entry that stands already: nothing is
	// recorded.
	existing *Outcome
	// subject is what the entry is about, where that is not what the call is about.
	subject Subject
	// parts are the entries of a call that does several things at once: all are recorded,
	// or none. Nothing else of the draft is looked at.
	parts []draft
}

// decision decides on a call. A [*Refused], or an error that asRefused knows,
// becomes a reject entry; any other error fails the call without one.
type decision func(*batch) (draft, error)
