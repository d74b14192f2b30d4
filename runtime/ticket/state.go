package ticket

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// State is where a ticket stands.
type State string

// The states of a ticket. Expired is never stored: it is what an open ticket
// is once its window has passed, see [Ticket.StateAt].
const (
	Draft     State = "draft"
	Pending   State = "pending"
	Approved  State = "approved"
	Closed    State = "closed"
	Rejected  State = "rejected"
	Expired   State = "expired"
	Cancelled State = "cancelled"
)

// States lists every state.
var States = []State{Draft, Pending, Approved, Closed, Rejected, Expired, Cancelled}

// Action is what a person does to a ticket.
type Action string

// The actions on a ticket.
const (
	Approve Action = "approve"
	Reject  Action = "reject"
	Cancel  Action = "cancel"
	Close   Action = "close"
)

// Actions lists every action.
var Actions = []Action{Approve, Reject, Cancel, Close}

// transitions is the whole state machine: what is not here is refused.
// An approval moves to Approved once there are enough of them.
var transitions = map[State]map[Action]State{
	Draft:    {Cancel: Cancelled},
	Pending:  {Approve: Approved, Reject: Rejected, Cancel: Cancelled},
	Approved: {Reject: Rejected, Cancel: Cancelled, Close: Closed},
	Expired:  {Close: Closed},
}

// Refusal codes: stable names for why a ticket does not admit something.
const (
	CodeRequired     = "ticket_required"
	CodeUnknown      = "ticket_unknown"
	CodeUnapproved   = "ticket_not_approved"
	CodeRejected     = "ticket_rejected"
	CodeNotYet       = "ticket_not_yet_valid"
	CodeExpired      = "ticket_expired"
	CodeClosed       = "ticket_closed"
	CodeOutOfScope   = "ticket_out_of_scope"
	CodeWrongState   = "ticket_wrong_state"
	CodeSelfApproval = "ticket_self_approval"
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

// StateAt is the ticket's state at a time: an open ticket whose window has
// passed is expired.
func (t *Ticket) StateAt(now time.Time) State {
	if (t.State == Draft || t.State == Pending || t.State == Approved) && !now.Before(t.NotAfter) {
		return Expired
	}
	return t.State
}

// Act returns the ticket after a person's action. It refuses what the state
// does not allow, and a requester who approves their own ticket.
func (t Ticket) Act(action Action, by, comment string, now time.Time) (Ticket, error) {
	if len(comment) > MaxTextLength {
		return t, lb.Violations{{Pointer: "/comment", Detail: fmt.Sprintf("is %d bytes long; at most %d are allowed", len(comment), MaxTextLength)}}
	}
	if strings.ContainsFunc(comment, unprintable) {
		return t, lb.Violations{{Pointer: "/comment", Detail: "must not contain control or invisible characters"}}
	}
	state := t.StateAt(now)
	next, ok := transitions[state][action]
	if !ok {
		return t, refuse(CodeWrongState, "ticket %s is %s and can't be moved by %q", t.ID, state, action)
	}
	if action == Approve {
		return t.approve(by, comment, now, next)
	}
	t.State = next
	t.Closure = &Closure{By: by, At: now.UTC(), Result: comment}
	return t, nil
}

func (t Ticket) approve(by, comment string, now time.Time, next State) (Ticket, error) {
	if by == t.Requester {
		return t, refuse(CodeSelfApproval, "%s asked for ticket %s and can't approve it: someone else must", by, t.ID)
	}
	if slices.ContainsFunc(t.Approvals, func(a Approval) bool { return a.By == by }) {
		return t, refuse(CodeWrongState, "%s has approved ticket %s already; it needs %d different people", by, t.ID, t.RequiredApprovals)
	}
	t.Approvals = append(slices.Clone(t.Approvals), Approval{By: by, At: now.UTC(), Comment: comment})
	if len(t.Approvals) >= t.RequiredApprovals {
		t.State = next
	}
	return t, nil
}

// Admit returns nil when the ticket admits an operation on an address at a
// time, and otherwise a [*Refusal] that says why not and what would help.
func (t *Ticket) Admit(op lb.Op, address lb.Address, now time.Time) error {
	switch state := t.StateAt(now); state {
	case Approved:
	case Draft, Pending:
		return refuse(CodeUnapproved, "ticket %s is %s: it has %d of %d approvals; someone other than %s can approve it",
			t.ID, state, len(t.Approvals), t.RequiredApprovals, t.Requester)
	case Rejected, Cancelled:
		return refuse(CodeRejected, "ticket %s was %s; open another one", t.ID, state)
	case Expired:
		return refuse(CodeExpired, "ticket %s ended at %s; open another one", t.ID, t.NotAfter.Format(time.RFC3339))
	default:
		return refuse(CodeClosed, "ticket %s is closed; open another one", t.ID)
	}
	if now.Before(t.NotBefore) {
		return refuse(CodeNotYet, "ticket %s begins at %s", t.ID, t.NotBefore.Format(time.RFC3339))
	}
	if !t.Scope.Admits(op, address) {
		return refuse(CodeOutOfScope, "ticket %s is for %s; it does not cover %s on %s", t.ID, t.Scope, op, address)
	}
	return nil
}
