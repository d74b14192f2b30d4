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
)

// stored is a ticket of olivia's in a state, which needs two approvals and has
// ada's.
func stored(state ticket.State) ticket.Ticket {
	return ticket.Ticket{
		ID: "CHG-1", Type: ticket.Normal, Title: "a change", Reason: "it is needed", State: state, Requester: requester,
		RequestedAt: begin, Scope: ticket.Scope{Addresses: []string{"pool/*"}}, NotBefore: begin, NotAfter: end,
		RequiredApprovals: 2, Approvals: []ticket.Approval{{By: approved, At: begin}},
	}
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

// moves is the whole state machine, spelled out: state, action and who acts give
// the next state or a refusal. What is not here is refused with ticket_wrong_state.
var moves = map[ticket.State]map[ticket.Action]map[string]string{
	ticket.Draft: {
		ticket.Cancel: {requester: "cancelled", other: "cancelled", approved: "cancelled"},
	},
	ticket.Pending: {
		ticket.Approve: {requester: ticket.CodeSelfApproval, other: "approved", approved: ticket.CodeWrongState},
		ticket.Reject:  {requester: "rejected", other: "rejected", approved: "rejected"},
		ticket.Cancel:  {requester: "cancelled", other: "cancelled", approved: "cancelled"},
	},
	ticket.Approved: {
		ticket.Reject: {requester: "rejected", other: "rejected", approved: "rejected"},
		ticket.Cancel: {requester: "cancelled", other: "cancelled", approved: "cancelled"},
		ticket.Close:  {requester: "closed", other: "closed", approved: "closed"},
	},
	ticket.Expired: {
		ticket.Close: {requester: "closed", other: "closed", approved: "closed"},
	},
}

func wanted(state ticket.State, action ticket.Action, who string) string {
	if want, ok := moves[state][action][who]; ok {
		return want
	}
	return ticket.CodeWrongState
}

// TestEveryStateActionAndActor tries all of them, in the window and after it.
func TestEveryStateActionAndActor(t *testing.T) {
	for _, state := range ticket.States {
		for _, action := range append(ticket.Actions, "open", "") {
			for _, who := range []string{requester, other, approved} {
				for when, now := range map[string]time.Time{"in the window": mid, "after it": end} {
					t.Run(fmt.Sprintf("%s/%s by %s %s", state, action, who, when), func(t *testing.T) {
						before := stored(state)
						effective := state
						if now.Equal(end) && (state == ticket.Draft || state == ticket.Pending || state == ticket.Approved) {
							effective = ticket.Expired
						}
						want := wanted(effective, action, who)
						after, err := before.Act(action, who, "because", now)
						if !reflect.DeepEqual(before, stored(state)) {
							t.Fatal("the ticket itself was changed")
						}
						if strings.HasPrefix(want, "ticket_") {
							if got := code(t, err); got != want {
								t.Errorf("refused with %q, want %q", got, want)
							}
							if !reflect.DeepEqual(after, before) {
								t.Errorf("refused, yet changed to %+v", after)
							}
							return
						}
						if err != nil || string(after.State) != want {
							t.Fatalf("state %s, %v; want %s", after.State, err, want)
						}
						if action == ticket.Approve {
							if last := after.Approvals[len(after.Approvals)-1]; last != (ticket.Approval{By: who, At: now, Comment: "because"}) || after.Closure != nil {
								t.Errorf("approvals %+v, closure %+v", after.Approvals, after.Closure)
							}
						} else if after.Closure == nil || *after.Closure != (ticket.Closure{By: who, At: now, Result: "because"}) {
							t.Errorf("closure %+v", after.Closure)
						}
					})
				}
			}
		}
	}
}

func TestATicketIsApprovedOnceEnoughPeopleHave(t *testing.T) {
	tk := stored(ticket.Pending)
	tk.RequiredApprovals, tk.Approvals = 3, nil
	for i, who := range []string{"ada", "anton", "vera"} {
		var err error
		if tk, err = tk.Act(ticket.Approve, who, "", mid); err != nil {
			t.Fatal(err)
		}
		want := map[bool]ticket.State{true: ticket.Approved, false: ticket.Pending}[i == 2]
		if tk.State != want || len(tk.Approvals) != i+1 {
			t.Errorf("after %d approvals it is %s", i+1, tk.State)
		}
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
			want := wanted(from, action, relation)
			next, err := tk.Act(action, who, "", now)
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
			admits := next.Admit(lb.OpUpdate, lb.Address{Kind: lb.KindPool, Name: "web"}, now) == nil
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
	for _, want := range []string{"pending", "approved", "rejected", "cancelled", "closed", ticket.CodeSelfApproval, ticket.CodeWrongState} {
		if steps[want] < 20 {
			t.Errorf("%s happened %d times: the walk says nothing of it", want, steps[want])
		}
	}
}
