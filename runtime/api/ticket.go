package api

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// TicketRequest is the body of POST /v1/tickets and PUT /v1/tickets/{id}.
type TicketRequest struct {
	// ID is yours ("CHG-1042") or, when empty, made by the runtime.
	ID string `json:"id,omitzero"`
	// Type is standard, normal or emergency. Default: normal. An emergency ticket
	// works at once, for a short while, and has to be reviewed by somebody else.
	Type  string `json:"type,omitzero"`
	Title string `json:"title"`
	// Reason says why the change is needed. It must say something.
	Reason string `json:"reason"`
	URL    string `json:"url,omitzero"`
	// Scope is what may be changed. With a run it may be left out.
	Scope TicketScope `json:"scope,omitzero"`
	// Run binds the ticket to exactly what a run planned.
	Run string `json:"run,omitzero"`
	// NotBefore and NotAfter bound when changes are admitted. Defaults: now and
	// a day later; an hour later in an emergency.
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// RequiredApprovals is how many different people must approve. Default: 1.
	RequiredApprovals int `json:"required_approvals,omitzero"`
	// MaxUses is how many changes may be made. Default: 0, no bound.
	MaxUses int `json:"max_uses,omitzero"`
	// SeparateApplier keeps those who approve from applying. Default: false.
	SeparateApplier bool `json:"separate_applier,omitzero"`
	// OverrideConflicts lets a rollback under the ticket take back what others have
	// changed since, too. Default: false.
	OverrideConflicts bool `json:"override_conflicts,omitzero"`
	// Draft leaves the ticket with its requester until it is submitted.
	Draft bool `json:"draft,omitzero"`
}

// TicketScope is what a ticket admits.
type TicketScope struct {
	// Addresses are globs over kind/name: "pool/web", "pool/*", "*/shop-*", "*".
	Addresses []string `json:"addresses,omitzero"`
	// Operations are create, update, delete. Empty means all of them.
	Operations []string `json:"operations,omitzero"`
}

// Ticket is a change ticket as the API answers it.
type Ticket struct {
	ID          string      `json:"id"`
	Type        string      `json:"type"`
	Title       string      `json:"title"`
	Reason      string      `json:"reason"`
	URL         string      `json:"url,omitzero"`
	State       string      `json:"state"`
	Requester   string      `json:"requester"`
	RequestedAt time.Time   `json:"requested_at"`
	Scope       TicketScope `json:"scope"`
	NotBefore   time.Time   `json:"not_before"`
	// NotAfter is left out when the window has no end, which only tickets have that
	// live elsewhere.
	NotAfter          time.Time        `json:"not_after,omitzero"`
	RequiredApprovals int              `json:"required_approvals"`
	Approvals         []TicketApproval `json:"approvals"`
	// Uses is how many changes were made under the ticket; MaxUses bounds it, 0 is
	// no bound. Uses is left out of lists.
	Uses            int  `json:"uses,omitzero"`
	MaxUses         int  `json:"max_uses,omitzero"`
	SeparateApplier bool `json:"separate_applier,omitzero"`
	// OverrideConflicts lets a rollback under the ticket take back what others have
	// changed since, too.
	OverrideConflicts bool `json:"override_conflicts,omitzero"`
	// Binding is what the ticket is bound to, if it is.
	Binding *TicketBinding `json:"binding,omitzero"`
	// ReviewPending is true of an emergency ticket that nobody else has reviewed yet.
	ReviewPending bool            `json:"review_pending,omitzero"`
	Review        *TicketApproval `json:"review,omitzero"`
	Closure       *TicketClosure  `json:"closure,omitzero"`
	// Authority is the name of where the ticket lives; left out for here.
	Authority string `json:"authority,omitzero"`
	// Revision is the seq of the entry that last changed the ticket.
	Revision int64 `json:"revision"`
}

// TicketBinding is exactly what a ticket covers.
type TicketBinding struct {
	// Run is the run whose plans are meant.
	Run string `json:"run"`
	// EffectsDigest is what approvers sign off: the hex SHA-256 of the set.
	EffectsDigest string `json:"effects_digest"`
	// SetDigest is that of the effects alone, without the ticket's terms: what the
	// preview of a rollback names.
	SetDigest string `json:"set_digest"`
	// Effects is how many there are; GET /v1/tickets/{id}/effects lists them.
	Effects int `json:"effects"`
}

// TicketEffect is one planned change that a ticket covers.
type TicketEffect struct {
	Address      string `json:"address"`
	Op           lb.Op  `json:"op"`
	EffectDigest string `json:"effect_digest"`
	// Unknown lists the paths whose values were not known at plan time: the apply
	// may have any value there.
	Unknown []string `json:"unknown,omitzero"`
	// Plan is the seq of the plan entry.
	Plan int64 `json:"plan"`
	// Patch is the difference that is approved.
	Patch []lb.Change `json:"patch"`
	// BodyState and BodyErasedBy are the plan entry's: without its body there is no Patch.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}

// TicketEffectList is a page of effects, by address.
type TicketEffectList struct {
	EffectsDigest string         `json:"effects_digest"`
	Items         []TicketEffect `json:"items"`
	Next          string         `json:"next,omitzero"`
}

// TicketApproval is one person's consent, or review.
type TicketApproval struct {
	By      string    `json:"by"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitzero"`
	// EffectsDigest is the set that was signed off, of a bound ticket.
	EffectsDigest string `json:"effects_digest,omitzero"`
}

// TicketClosure is how a ticket ended.
type TicketClosure struct {
	By       string          `json:"by"`
	At       time.Time       `json:"at"`
	Result   string          `json:"result"`
	Evidence *TicketEvidence `json:"evidence,omitzero"`
}

// TicketEvidence is what the log held of a ticket when it ended.
type TicketEvidence struct {
	Applied int `json:"applied"`
	Refused int `json:"refused"`
	// First and Last are the seqs of the first and last change; 0 for none.
	First    int64    `json:"first,omitzero"`
	Last     int64    `json:"last,omitzero"`
	Appliers []string `json:"appliers"`
	// LogSize and LogRoot are the log's tree at that moment: the number of its
	// entries, and its root, base64.
	LogSize int64  `json:"log_size,omitzero"`
	LogRoot string `json:"log_root,omitzero"`
}

// TicketAction is the body of POST /v1/tickets/{id}/{submit,approve,reject,cancel,close,review}.
type TicketAction struct {
	// Comment is kept with an approval or review, and is the reason of a rejection
	// or cancellation and the result of a closure.
	Comment string `json:"comment,omitzero"`
	// EffectsDigest is what an approver of a bound ticket signs off: that of the
	// effects they have seen.
	EffectsDigest string `json:"effects_digest,omitzero"`
	// Revision is that of the ticket as it was looked at. When it was changed since,
	// the action is refused. Left out: whatever it is now.
	Revision int64 `json:"revision,omitzero"`
}

// TicketList is a page of tickets, newest first.
type TicketList struct {
	Items []Ticket `json:"items"`
	Next  string   `json:"next,omitzero"`
}
