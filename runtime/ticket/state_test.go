package ticket_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

var (
	begin = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	end   = begin.Add(2 * time.Hour)
	mid   = begin.Add(time.Hour)
)

// People, as they stand to the ticket.
const (
	requester = "olivia"
	other     = "anton"
	approved  = "ada" // has approved already
	applier   = "ci"  // has made changes under it
)

var people = []string{requester, other, approved, applier}

// stored is a ticket of olivia's in a state, which needs two approvals and has
// ada's.
func stored(state ticket.State) ticket.Ticket {
	return ticket.Ticket{
		ID: "CHG-1", Type: ticket.Normal, Title: "a change", Reason: "it is needed", State: state, Requester: requester,
		RequestedAt: begin, Scope: ticket.Scope{Addresses: []string{"pool/*"}}, NotBefore: begin, NotAfter: end,
		RequiredApprovals: 2, Approvals: []ticket.Approval{{By: approved, At: begin}},
	}
}

// emergency is an emergency ticket of olivia's in a state.
func emergency(state ticket.State) ticket.Ticket {
	t := stored(state)
	t.Type, t.RequiredApprovals, t.Approvals = ticket.Emergency, 0, []ticket.Approval{}
	return t
}

// reviewed is one that somebody else has looked at.
func reviewed(state ticket.State) ticket.Ticket {
	t := emergency(state)
	t.Review = &ticket.Approval{By: "vera", At: begin}
	return t
}

// code is the refusal's code of an error, "" for none.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var refusal *ticket.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("%v is no refusal", err)
	}
	if len(refusal.Detail) < 10 || !strings.Contains(refusal.Detail, "CHG-1") {
		t.Errorf("refusal %q says too little", refusal.Detail)
	}
	return refusal.Code
}

// outcomes are what an action comes to, by who acts.
type outcomes map[string]string

func all(outcome string) outcomes {
	return outcomes{requester: outcome, other: outcome, approved: outcome, applier: outcome}
}

func onlyRequester(outcome string) outcomes {
	out := all(ticket.CodeNotRequester)
	out[requester] = outcome
	return out
}

func witness(outcome string) outcomes {
	out := all(outcome)
	out[requester], out[applier] = ticket.CodeSelfReview, ticket.CodeSelfReview
	return out
}

// moves is the whole state machine, spelled out a second time: state, action and
// who acts give the next state or a refusal. What is not here is refused with
// ticket_wrong_state.
var moves = map[ticket.State]map[ticket.Action]outcomes{
	ticket.Draft: {
		ticket.Amend:  onlyRequester("draft"),
		ticket.Submit: onlyRequester("pending"),
		ticket.Cancel: all("cancelled"),
	},
	ticket.Pending: {
		ticket.Amend:   onlyRequester("pending"),
		ticket.Approve: {requester: ticket.CodeSelfApproval, other: "approved", approved: ticket.CodeWrongState, applier: "approved"},
		ticket.Reject:  all("rejected"),
		ticket.Cancel:  all("cancelled"),
	},
	ticket.Approved: {
		ticket.Amend:  onlyRequester("pending"),
		ticket.Reject: all("rejected"),
		ticket.Cancel: all("cancelled"),
		ticket.Close:  all("closed"),
	},
	ticket.Expired: {
		ticket.Close: all("closed"),
	},
}

// emergencyMoves are those of an emergency ticket that nobody has reviewed, and
// reviewedMoves those of one that somebody has.
var emergencyMoves = map[ticket.State]map[ticket.Action]outcomes{
	ticket.Approved: {
		ticket.Reject: all("rejected"),
		ticket.Cancel: all("cancelled"),
		ticket.Close:  all(ticket.CodeUnreviewed),
		ticket.Review: witness("approved"),
	},
	ticket.Expired: {
		ticket.Close:  all(ticket.CodeUnreviewed),
		ticket.Review: witness("expired"),
	},
	ticket.Rejected:  {ticket.Review: witness("rejected")},
	ticket.Cancelled: {ticket.Review: witness("cancelled")},
}

var reviewedMoves = map[ticket.State]map[ticket.Action]outcomes{
	ticket.Approved: {
		ticket.Reject: all("rejected"),
		ticket.Cancel: all("cancelled"),
		ticket.Close:  all("closed"),
	},
	ticket.Expired: {ticket.Close: all("closed")},
}

func wanted(in map[ticket.State]map[ticket.Action]outcomes, state ticket.State, action ticket.Action, who string) string {
	if want, ok := in[state][action][who]; ok {
		return want
	}
	return ticket.CodeWrongState
}

// TestEveryStateActionAndActor tries all of them for every kind of ticket, in
// the window and after it.
func TestEveryStateActionAndActor(t *testing.T) {
	for _, kind := range []struct {
		name  string
		make  func(ticket.State) ticket.Ticket
		moves map[ticket.State]map[ticket.Action]outcomes
		// states in which such a ticket can be stored.
		states []ticket.State
	}{
		{"normal", stored, moves, ticket.States},
		{"emergency", emergency, emergencyMoves, []ticket.State{ticket.Approved, ticket.Rejected, ticket.Cancelled, ticket.Closed}},
		{"reviewed emergency", reviewed, reviewedMoves, []ticket.State{ticket.Approved, ticket.Rejected, ticket.Cancelled, ticket.Closed}},
	} {
		for _, state := range kind.states {
			for _, action := range append(ticket.Actions, "open", "") {
				for _, who := range people {
					for when, now := range map[string]time.Time{"in the window": mid, "after it": end} {
						t.Run(fmt.Sprintf("%s %s/%s by %s %s", kind.name, state, action, who, when), func(t *testing.T) {
							before := kind.make(state)
							want := wanted(kind.moves, before.StateAt(now), action, who)
							tryAct(t, before, action, who, now, want)
							if !reflect.DeepEqual(before, kind.make(state)) {
								t.Fatal("the ticket itself was changed")
							}
						})
					}
				}
			}
		}
	}
}

// tryAct does one action and holds it to what is wanted: a state or a refusal.
func tryAct(t *testing.T, before ticket.Ticket, action ticket.Action, who string, now time.Time, want string) {
	t.Helper()
	request := request()
	request.NotAfter = now.Add(time.Hour)
	evidence := &ticket.Evidence{Applied: 1, Appliers: []string{applier}}
	after, err := before.Apply(ticket.Act{Action: action, By: who, Comment: "because", Now: now, Request: request, Evidence: evidence})
	if strings.HasPrefix(want, "ticket_") {
		if got := code(t, err); got != want {
			t.Errorf("refused with %q, want %q", got, want)
		}
		if !reflect.DeepEqual(after, before) {
			t.Errorf("refused, yet changed to %+v", after)
		}
		return
	}
	if err != nil || string(after.StateAt(now)) != want {
		t.Fatalf("state %s, %v; want %s", after.StateAt(now), err, want)
	}
	signed := ticket.Approval{By: who, At: now, Comment: "because"}
	switch action {
	case ticket.Approve:
		if last := after.Approvals[len(after.Approvals)-1]; last != signed || after.Closure != nil {
			t.Errorf("approvals %+v, closure %+v", after.Approvals, after.Closure)
		}
	case ticket.Review:
		if after.Review == nil || *after.Review != signed || after.Unreviewed() {
			t.Errorf("review %+v", after.Review)
		}
	case ticket.Amend:
		if len(after.Approvals) != 0 || after.Scope.Addresses[0] != "*" || after.Requester != requester {
			t.Errorf("amended to %+v", after)
		}
	case ticket.Submit:
		if after.Closure != nil {
			t.Errorf("closure %+v", after.Closure)
		}
	default:
		if c := after.Closure; c == nil || c.By != who || !c.At.Equal(now) || c.Result != "because" || c.Evidence != evidence {
			t.Errorf("closure %+v", c)
		}
	}
}

func TestATicketIsApprovedOnceEnoughPeopleHave(t *testing.T) {
	tk := stored(ticket.Pending)
	tk.RequiredApprovals, tk.Approvals = 3, nil
	for i, who := range []string{"ada", "anton", "vera"} {
		var err error
		if tk, err = tk.Apply(ticket.Act{Action: ticket.Approve, By: who, Now: mid}); err != nil {
			t.Fatal(err)
		}
		want := map[bool]ticket.State{true: ticket.Approved, false: ticket.Pending}[i == 2]
		if tk.State != want || len(tk.Approvals) != i+1 {
			t.Errorf("after %d approvals it is %s", i+1, tk.State)
		}
	}
}

func TestAnAmendedTicketNeedsItsApprovalsAnew(t *testing.T) {
	tk := stored(ticket.Approved)
	tk.Approvals = []ticket.Approval{{By: "ada"}, {By: "vera"}}
	wider := request()
	wider.NotAfter = end
	after, err := tk.Apply(ticket.Act{Action: ticket.Amend, By: requester, Now: mid, Request: wider})
	if err != nil || after.State != ticket.Pending || len(after.Approvals) != 0 || len(tk.Approvals) != 2 {
		t.Fatalf("amended to %+v, %v", after, err)
	}
	web := lb.Address{Kind: lb.KindPool, Name: "web"}
	if got := code(t, after.Admit(attempt(lb.OpUpdate, web, mid))); got != ticket.CodeUnapproved {
		t.Errorf("admits with %q", got)
	}
	wider.Type = ticket.Emergency
	var violations lb.Violations
	if _, err := tk.Apply(ticket.Act{Action: ticket.Amend, By: requester, Now: mid, Request: wider}); !errors.As(err, &violations) {
		t.Errorf("became an emergency's: %v", err)
	}
}

// TestNothingButTheTableHappens walks tickets through random actions of random
// people at random times, and holds each step to the table.
func TestNothingButTheTableHappens(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	steps := map[string]int{}
	for range 3000 {
		tk := stored(ticket.Pending)
		tk.RequiredApprovals, tk.Approvals = 1+rng.IntN(3), nil
		if rng.IntN(8) == 0 {
			tk.State = ticket.Draft
		}
		now := begin
		for range 12 {
			now = now.Add(time.Duration(rng.Int64N(int64(20 * time.Minute))))
			action := ticket.Actions[rng.IntN(len(ticket.Actions))]
			who := []string{requester, "ada", "anton", "vera"}[rng.IntN(4)]
			from, approvals := tk.StateAt(now), len(tk.Approvals)
			relation := other
			if who == requester {
				relation = requester
			}
			for _, a := range tk.Approvals {
				if a.By == who {
					relation = approved
				}
			}
			want := wanted(moves, from, action, relation)
			amended := request()
			amended.NotAfter, amended.RequiredApprovals = end, 1+rng.IntN(3)
			next, err := tk.Apply(ticket.Act{Action: action, By: who, Now: now, Request: amended})
			switch {
			case strings.HasPrefix(want, "ticket_"):
				if code(t, err) != want || !reflect.DeepEqual(next, tk) {
					t.Fatalf("%s, %s by %s: %v, want %s", from, action, relation, err, want)
				}
			case action == ticket.Approve && approvals+1 < tk.RequiredApprovals:
				want = "pending"
				fallthrough
			default:
				if err != nil || string(next.State) != want {
					t.Fatalf("%s, %s by %s: %s %v, want %s", from, action, relation, next.State, err, want)
				}
			}
			admits := next.Admit(attempt(lb.OpUpdate, lb.Address{Kind: lb.KindPool, Name: "web"}, now)) == nil
			if admits != (next.State == ticket.Approved && now.Before(end)) {
				t.Fatalf("a ticket that is %s admits: %t", next.StateAt(now), admits)
			}
			if admits && (len(next.Approvals) < next.RequiredApprovals || next.Approvals[0].By == requester) {
				t.Fatalf("a ticket admits with approvals %+v of %d", next.Approvals, next.RequiredApprovals)
			}
			steps[want]++
			tk = next
		}
	}
	for _, want := range []string{"draft", "pending", "approved", "rejected", "cancelled", "closed", ticket.CodeSelfApproval, ticket.CodeWrongState, ticket.CodeNotRequester} {
		if steps[want] < 20 {
			t.Errorf("%s happened %d times: the walk says nothing of it", want, steps[want])
		}
	}
}
