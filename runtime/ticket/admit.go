package ticket

import (
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Refusal codes: stable names for why a ticket does not admit something.
const (
	CodeRequired       = "ticket_required"
	CodeUnknown        = "ticket_unknown"
	CodeUnapproved     = "ticket_not_approved"
	CodeRejected       = "ticket_rejected"
	CodeNotYet         = "ticket_not_yet_valid"
	CodeExpired        = "ticket_expired"
	CodeClosed         = "ticket_closed"
	CodeOutOfScope     = "ticket_out_of_scope"
	CodeUsedUp         = "ticket_used_up"
	CodeApproverApply  = "ticket_approver_applies"
	CodeNotCovered     = "ticket_effect_not_covered"
	CodeEffectDiffers  = "ticket_effect_differs"
	CodeWrongState     = "ticket_wrong_state"
	CodeSelfApproval   = "ticket_self_approval"
	CodeSelfReview     = "ticket_self_review"
	CodeUnreviewed     = "ticket_unreviewed"
	CodeNotRequester   = "ticket_not_requester"
	CodeEffectsChanged = "ticket_effects_changed"
	CodeElsewhere      = "ticket_lives_elsewhere"
)

// Refusal is why a ticket does not admit a change or an action.
type Refusal struct {
	Code   string
	Detail string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Detail }

func refuse(code, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Attempt is a change that asks to be admitted.
type Attempt struct {
	Op      lb.Op
	Address lb.Address
	// Actor is who makes the change.
	Actor string
	Now   time.Time
	// Uses is how many changes were made under the ticket before.
	Uses int
}

// Admit returns nil when the ticket admits a change, and otherwise a [*Refusal]
// that says why not and what would help. Whether the change is one of those that
// a ticket with a binding covers is asked of [Binding.For] besides.
func (t *Ticket) Admit(a Attempt) error {
	switch state := t.StateAt(a.Now); state {
	case Approved:
	case Draft:
		return refuse(CodeUnapproved, "ticket %s is a draft; %s has to submit it, and then it needs %d approvals", t.ID, t.Requester, t.RequiredApprovals)
	case Pending:
		return refuse(CodeUnapproved, "ticket %s is %s: it has %d of %d approvals; someone other than %s can approve it",
			t.ID, state, len(t.Approvals), t.RequiredApprovals, t.Requester)
	case Rejected, Cancelled:
		return refuse(CodeRejected, "ticket %s was %s; open another one", t.ID, state)
	case Expired:
		return refuse(CodeExpired, "ticket %s ended at %s; open another one", t.ID, t.NotAfter.Format(time.RFC3339))
	default:
		return refuse(CodeClosed, "ticket %s is closed; open another one", t.ID)
	}
	switch {
	case t.Type == Emergency && t.Review != nil:
		return refuse(CodeClosed, "emergency ticket %s was reviewed by %s, and nobody would look at what is done under it now; open another one", t.ID, t.Review.By)
	case a.Now.Before(t.NotBefore):
		return refuse(CodeNotYet, "ticket %s begins at %s", t.ID, t.NotBefore.Format(time.RFC3339))
	case !t.Scope.Admits(a.Op, a.Address):
		return refuse(CodeOutOfScope, "ticket %s is for %s; it does not cover %s on %s", t.ID, t.Scope, a.Op, a.Address)
	case t.MaxUses > 0 && a.Uses >= t.MaxUses:
		return refuse(CodeUsedUp, "ticket %s permits %d changes, and %d were made under it; open another one", t.ID, t.MaxUses, a.Uses)
	case t.SeparateApplier && t.approvedBy(a.Actor):
		return refuse(CodeApproverApply, "%s approved ticket %s, which keeps approvers from applying: someone else must", a.Actor, t.ID)
	}
	return nil
}
