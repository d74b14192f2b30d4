package ticket

import (
	"fmt"
	"reflect"
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
	// Amend changes what is asked for; unless that is the same as before, approvals
	// are void.
	Amend   Action = "amend"
	Submit  Action = "submit"
	Approve Action = "approve"
	Reject  Action = "reject"
	Cancel  Action = "cancel"
	Close   Action = "close"
	// Review is somebody else's look at what was done in an emergency.
	Review Action = "review"
)

// Actions lists every action.
var Actions = []Action{Amend, Submit, Approve, Reject, Cancel, Close, Review}

// Who is the relation to a ticket that an action asks for.
type Who string

// The relations.
const (
	Anyone         Who = "anyone whose role permits it"
	RequesterOnly  Who = "the requester"
	AnotherPerson  Who = "someone other than the requester who has not approved yet"
	AnotherWitness Who = "someone other than the requester who changed nothing under it"
)

// Kind is which tickets a transition is for.
type Kind string

// The kinds.
const (
	AnyTicket     Kind = "any"
	NotEmergency  Kind = "all but emergency"
	EmergencyOnly Kind = "emergency"
	// Reviewed is every ticket but an emergency's that nobody has reviewed yet.
	Reviewed Kind = "all but unreviewed emergency"
)

// Transition is one row of the state machine.
type Transition struct {
	From   State
	Action Action
	// To is the state afterwards; with Approve once there are enough approvals.
	To  State
	Who Who
	For Kind
}

// Transitions is the whole state machine: what is not here is refused.
var Transitions = []Transition{
	{Draft, Amend, Draft, RequesterOnly, NotEmergency},
	{Draft, Submit, Pending, RequesterOnly, NotEmergency},
	{Draft, Cancel, Cancelled, Anyone, AnyTicket},

	{Pending, Amend, Pending, RequesterOnly, NotEmergency},
	{Pending, Approve, Approved, AnotherPerson, AnyTicket},
	{Pending, Reject, Rejected, Anyone, AnyTicket},
	{Pending, Cancel, Cancelled, Anyone, AnyTicket},

	{Approved, Amend, Pending, RequesterOnly, NotEmergency},
	{Approved, Reject, Rejected, Anyone, AnyTicket},
	{Approved, Cancel, Cancelled, Anyone, AnyTicket},
	{Approved, Close, Closed, Anyone, Reviewed},
	{Approved, Review, Approved, AnotherWitness, EmergencyOnly},

	{Expired, Close, Closed, Anyone, Reviewed},
	{Expired, Review, Expired, AnotherWitness, EmergencyOnly},

	{Rejected, Review, Rejected, AnotherWitness, EmergencyOnly},
	{Cancelled, Review, Cancelled, AnotherWitness, EmergencyOnly},
}

// Act is a person's action on a ticket.
type Act struct {
	Action  Action
	By      string
	Comment string
	Now     time.Time
	// Effects is the digest of the set that an approver of a ticket with a binding
	// has seen.
	Effects string
	// Request is what the ticket is amended to.
	Request Request
	// Evidence is what the log holds of the ticket; nil when that is nothing.
	Evidence *Evidence
}

// StateAt is the ticket's state at a time: an open ticket whose window has
// passed is expired.
func (t *Ticket) StateAt(now time.Time) State {
	open := t.State == Draft || t.State == Pending || t.State == Approved
	if open && !t.NotAfter.IsZero() && !now.Before(t.NotAfter) {
		return Expired
	}
	return t.State
}

// Apply returns the ticket after an action. What the table does not allow is
// refused, see [Transitions].
func (t Ticket) Apply(a Act) (Ticket, error) {
	if len(a.Comment) > MaxTextLength {
		return t, lb.Violations{{Pointer: "/comment", Detail: fmt.Sprintf("is %d bytes long; at most %d are allowed", len(a.Comment), MaxTextLength)}}
	}
	if strings.ContainsFunc(a.Comment, unprintable) {
		return t, lb.Violations{{Pointer: "/comment", Detail: "must not contain control or invisible characters"}}
	}
	if t.Authority != "" && a.Action != Review {
		return t, refuse(CodeElsewhere, "ticket %s lives in %s: %s it there", t.ID, t.Authority, a.Action)
	}
	row, err := t.transition(a)
	if err != nil {
		return t, err
	}
	switch a.Action {
	case Approve:
		return t.approve(a, row.To)
	case Amend:
		return t.amend(a, row.To)
	case Submit:
		t.State = row.To
	case Review:
		t.Review = &Approval{By: a.By, At: a.Now.UTC(), Comment: a.Comment}
	default:
		t.State = row.To
		t.Closure = &Closure{By: a.By, At: a.Now.UTC(), Result: a.Comment, Evidence: a.Evidence}
	}
	return t, nil
}

// asksTheSameAs reports whether two tickets ask for the same. Which run planned a
// set of effects is no part of that.
func (t Ticket) asksTheSameAs(other Ticket) bool {
	if t.Binding != nil && other.Binding != nil && t.Binding.Digest == other.Binding.Digest {
		other.Binding = t.Binding
	}
	return reflect.DeepEqual(t, other)
}

// transition finds the row of an action, and holds whoever acts to it.
func (t *Ticket) transition(a Act) (Transition, error) {
	state := t.StateAt(a.Now)
	i := slices.IndexFunc(Transitions, func(row Transition) bool { return row.From == state && row.Action == a.Action })
	if i < 0 {
		return Transition{}, refuse(CodeWrongState, "ticket %s is %s and can't be moved by %q", t.ID, state, a.Action)
	}
	row := Transitions[i]
	switch {
	case row.For == NotEmergency && t.Type == Emergency:
		return row, refuse(CodeWrongState, "ticket %s is an emergency ticket and can't be moved by %q; open another one", t.ID, a.Action)
	case row.For == EmergencyOnly && t.Type != Emergency:
		return row, refuse(CodeWrongState, "ticket %s is no emergency ticket: it was approved and needs no review", t.ID)
	case a.Action == Review && t.Review != nil:
		return row, refuse(CodeWrongState, "ticket %s was reviewed by %s already", t.ID, t.Review.By)
	case row.For == Reviewed && t.Unreviewed():
		return row, refuse(CodeUnreviewed, "ticket %s was opened in an emergency and stays open until someone other than %s has reviewed what was done under it", t.ID, t.Requester)
	}
	return row, t.mayAct(row, a)
}

// mayAct holds whoever acts to the relation that a transition asks for.
func (t *Ticket) mayAct(row Transition, a Act) error {
	switch {
	case row.Who == RequesterOnly && a.By != t.Requester:
		return refuse(CodeNotRequester, "only %s, who asked for ticket %s, can %s it", t.Requester, t.ID, a.Action)
	case row.Who == AnotherPerson && a.By == t.Requester:
		return refuse(CodeSelfApproval, "%s asked for ticket %s and can't approve it: someone else must", a.By, t.ID)
	case row.Who == AnotherPerson && t.approvedBy(a.By):
		return refuse(CodeWrongState, "%s has approved ticket %s already; it needs %d different people", a.By, t.ID, t.RequiredApprovals)
	case row.Who == AnotherWitness && a.By == t.Requester:
		return refuse(CodeSelfReview, "%s opened ticket %s and can't review it: someone else must", a.By, t.ID)
	case row.Who == AnotherWitness && a.Evidence != nil && slices.Contains(a.Evidence.Appliers, a.By):
		return refuse(CodeSelfReview, "%s made changes under ticket %s and can't review them: someone else must", a.By, t.ID)
	}
	return nil
}

func (t Ticket) approve(a Act, next State) (Ticket, error) {
	if b := t.Binding; b != nil && a.Effects != b.Digest {
		if a.Effects == "" {
			return t, lb.Violations{{Pointer: "/effects_digest", Detail: fmt.Sprintf("is required: ticket %s is bound to %d effects; look at them and approve their digest", t.ID, len(b.Effects))}}
		}
		return t, refuse(CodeEffectsChanged, "ticket %s is bound to other effects than those you approve; look at it again", t.ID)
	}
	t.Approvals = append(slices.Clone(t.Approvals), Approval{By: a.By, At: a.Now.UTC(), Comment: a.Comment, Effects: a.Effects})
	if len(t.Approvals) >= t.RequiredApprovals {
		t.State = next
	}
	return t, nil
}

// amend changes what is asked for. Whoever approved has approved something else,
// unless it is the same: the same effects, planned again.
func (t Ticket) amend(a Act, next State) (Ticket, error) {
	after := t
	after.take(a.Request, a.Now)
	if !t.asksTheSameAs(after) {
		after.State, after.Approvals = next, []Approval{}
	}
	vs := after.validate(a.Now)
	if after.Type == Emergency {
		vs = append(vs, lb.Violation{Pointer: "/type", Detail: "a ticket can't become an emergency's; open another one"})
	}
	if err := vs.Err(); err != nil {
		return t, err
	}
	return after, nil
}
