package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Type is what an entry records.
type Type string

// The types of entry.
const (
	TypePlan     Type = "plan"
	TypeApply    Type = "apply"
	TypeReject   Type = "reject"
	TypeTicket   Type = "ticket"
	TypeRun      Type = "run"
	TypeDrift    Type = "drift"
	TypeIdentity Type = "identity"
	TypeSystem   Type = "system"
)

// Types lists the types of entry. A type's position is its code in the store's
// index columns: append only.
var Types = []Type{TypePlan, TypeApply, TypeReject, TypeTicket, TypeRun, TypeDrift, TypeIdentity, TypeSystem}

// Outcomes of the call that an entry records.
const (
	OutcomeOK      = "ok"
	OutcomeRefused = "refused"
)

// Bounds of an entry. C2SP tlog-tiles entry bundles carry 16-bit lengths.
const (
	MaxLeafBytes = 1<<16 - 1
	MaxBodyBytes = 4 << 20
	// MaxUndone bounds the entries that a rollback's body lists.
	MaxUndone = 1000
	// SaltBytes is the length of a body's salt.
	SaltBytes = 16
)

// ErrTooLarge means that an entry's header or body is over its bound.
var ErrTooLarge = errors.New("entry too large")

// Entry is the canonical header of a record.
//
// Invariant: Seq is the entry's index in the tree, from 0, without gaps. The
// revision of a configuration is the Seq of the entry that made it.
type Entry struct {
	Version int   `json:"v"`
	Seq     int64 `json:"seq"`
	// Time has microseconds and is strictly increasing with Seq.
	Time     time.Time `json:"time"`
	Type     Type      `json:"type"`
	Actor    Actor     `json:"actor"`
	Ticket   string    `json:"ticket,omitzero"`
	Run      *RunRef   `json:"run,omitzero"`
	Request  *Request  `json:"request,omitzero"`
	Resource string    `json:"resource,omitzero"`
	Op       string    `json:"op,omitzero"`
	// Owner is who owns the object that the entry is about: after the change, or
	// before it where there is no after.
	Owner string `json:"owner,omitzero"`
	// Rollback is set on what takes something back.
	Rollback *Rollback `json:"rollback,omitzero"`
	// Base is the revision of the resource that the call was made against.
	Base         int64  `json:"base,omitzero"`
	EffectDigest string `json:"effect_digest,omitzero"`
	// Plan is the plan entry that an apply fulfils; Unplanned marks an apply
	// without one.
	Plan      int64 `json:"plan,omitzero"`
	Unplanned bool  `json:"unplanned,omitzero"`
	// Emergency marks what was done, or tried, under an emergency ticket.
	Emergency bool   `json:"emergency,omitzero"`
	Outcome   string `json:"outcome"`
	// Code is the problem code of a refusal.
	Code       string `json:"code,omitzero"`
	BodyDigest string `json:"body_digest,omitzero"`
}

// EntryVersion is the version of the header's form.
const EntryVersion = 1

// Actor is who called.
type Actor struct {
	Name       string `json:"name"`
	Credential string `json:"credential,omitzero"`
	Role       string `json:"role,omitzero"`
	// Provider, Issuer and Subject are an identity provider's word for the actor:
	// the name it has in the configuration, and what its token says.
	Provider string `json:"provider,omitzero"`
	Issuer   string `json:"issuer,omitzero"`
	Subject  string `json:"subject,omitzero"`
}

// RunRef names the run of a call.
type RunRef struct {
	ID string `json:"id"`
	// Verified is set when the caller's credential proves that they are the run;
	// without it the id is only what they claim.
	Verified bool `json:"verified"`
	// Proved is what the credential says of the run, by the names that claims
	// have. What the run claims itself stands in the run's own entry.
	Proved map[string]string `json:"proved,omitzero"`
	// Workspace is the run's at that time: proved where the credential names one,
	// else as it was claimed.
	Workspace string `json:"workspace,omitzero"`
}

// Rollback is what an entry takes back.
type Rollback struct {
	// Run is the run that is taken back; empty when an object, or everything, goes
	// back to a revision.
	Run string `json:"run,omitzero"`
	// To is the revision of the configuration whose object is restored. Absent: there
	// was no such object.
	To int64 `json:"to,omitzero"`
}

// Request is the call that made an entry.
type Request struct {
	ID         string `json:"id"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	SourceIP   string `json:"source_ip,omitzero"`
	UserAgent  string `json:"user_agent,omitzero"`
	BodyDigest string `json:"body_digest,omitzero"`
}

// Body is what an entry is about.
type Body struct {
	Before  jsontext.Value `json:"before,omitzero"`
	After   jsontext.Value `json:"after,omitzero"`
	Unknown []string       `json:"unknown,omitzero"`
	// Warnings are what a plan was answered with.
	Warnings []string `json:"warnings,omitzero"`
	// Rules are the rules of policies that decided on a change.
	Rules   []RuleOutcome `json:"rules,omitzero"`
	Refusal *Refusal      `json:"refusal,omitzero"`
	// Undone are the entries of the object that a rollback takes back, newest first,
	// at most MaxUndone.
	Undone []int64 `json:"undone,omitzero"`
}

// RuleOutcome is what a policy's rule said of a change.
type RuleOutcome struct {
	// Policy is the policy's name, and Revision the one that decided.
	Policy   string `json:"policy"`
	Revision int64  `json:"revision"`
	Rule     string `json:"rule"`
	// Result is passed, denied, error or skipped.
	Result  string `json:"result"`
	Message string `json:"message,omitzero"`
}

// Refusal is why a call was refused.
type Refusal struct {
	Code       string         `json:"code"`
	Detail     string         `json:"detail"`
	Violations []lb.Violation `json:"violations,omitzero"`
	// Current is who changed the object last, when a precondition failed.
	Current *LastChange `json:"current,omitzero"`
	// Referents are the addresses that still need an object.
	Referents []string `json:"referents,omitzero"`
}

// LastChange is who changed an object last.
type LastChange struct {
	Revision int64     `json:"revision"`
	Op       lb.Op     `json:"op"`
	Actor    string    `json:"actor"`
	Ticket   string    `json:"ticket,omitzero"`
	Run      string    `json:"run,omitzero"`
	At       time.Time `json:"at"`
}

// RunID is the id of the entry's run, or "".
func (e *Entry) RunID() string {
	if e.Run == nil {
		return ""
	}
	return e.Run.ID
}

// WorkspaceName is the workspace of the entry's run, or "".
func (e *Entry) WorkspaceName() string {
	if e.Run == nil {
		return ""
	}
	return e.Run.Workspace
}

// LastChange is the entry as the last change of its object.
func (e *Entry) LastChange() LastChange {
	return LastChange{Revision: e.Seq, Op: lb.Op(e.Op), Actor: e.Actor.Name, Ticket: e.Ticket, Run: e.RunID(), At: e.Time}
}

// ChangesState reports whether the current state of the entry's resource is
// the body's After from this entry on (absent After: deleted). The fold of the
// log, the store's current table and verification all ask this one question.
func (e *Entry) ChangesState() bool {
	if e.Outcome != OutcomeOK {
		return false
	}
	switch e.Type {
	case TypeApply, TypeTicket, TypeRun, TypeIdentity:
		return true
	case TypeDrift:
		return isAcceptance(e.Resource)
	}
	return false
}

// Record is an entry as it is stored.
type Record struct {
	Entry Entry
	// Leaf is the canonical header: the bytes the tree commits to.
	Leaf []byte
	// Salt and Body are bound to the header by Entry.BodyDigest.
	Salt []byte
	Body []byte
}

// NewRecord seals an entry and its body: it sets the body's digest and makes
// the canonical bytes. Salt must be fresh and random, of SaltBytes bytes.
func NewRecord(e Entry, body Body, salt []byte) (Record, error) {
	b, err := lb.Canonical(body)
	if err != nil {
		return Record{}, err
	}
	if len(b) > MaxBodyBytes {
		return Record{}, fmt.Errorf("%w: its body has %d bytes; at most %d are allowed", ErrTooLarge, len(b), MaxBodyBytes)
	}
	e.Version = EntryVersion
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	e.BodyDigest = bodyDigest(salt, b)
	leaf, err := lb.Canonical(e)
	if err != nil {
		return Record{}, err
	}
	if len(leaf) > MaxLeafBytes {
		return Record{}, fmt.Errorf("%w: its header has %d bytes; at most %d are allowed", ErrTooLarge, len(leaf), MaxLeafBytes)
	}
	return Record{Entry: e, Leaf: leaf, Salt: salt, Body: b}, nil
}

// ParseLeaf reads a canonical header. Bytes that are not exactly canonical are
// refused, so one entry has one form.
func ParseLeaf(leaf []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(leaf, &e, json.RejectUnknownMembers(true)); err != nil {
		return Entry{}, errors.New("header does not parse")
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	again, err := lb.Canonical(e)
	if err != nil || string(again) != string(leaf) {
		return Entry{}, errors.New("header is not in canonical form")
	}
	return e, nil
}

// ParseBody reads a record's body.
func ParseBody(b []byte) (Body, error) {
	var body Body
	if err := json.Unmarshal(b, &body, json.RejectUnknownMembers(true)); err != nil {
		return Body{}, errors.New("body does not parse")
	}
	return body, nil
}

// BodyMatches reports whether salt and body are those the header commits to.
func (r *Record) BodyMatches() bool {
	return len(r.Salt) == SaltBytes && r.Entry.BodyDigest == bodyDigest(r.Salt, r.Body)
}

// LeafHash is the record's hash in the tree (RFC 6962 §2.1).
func (r *Record) LeafHash() tlog.Hash { return tlog.RecordHash(r.Leaf) }

func bodyDigest(salt, body []byte) string {
	h := sha256.New()
	h.Write(salt)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
