package control_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// vera is a second approver.
var vera = identity.Actor{Name: "vera", Credential: "token/77c40e1f92ab", Role: identity.Approver}

// opened opens a ticket of olivia's. What the request leaves out is made up.
func opened(t testing.TB, log *controltest.Log, r control.TicketRequest) ticket.Ticket {
	t.Helper()
	r.Title, r.Reason = "a change", "a test needs it"
	if len(r.Scope.Addresses) == 0 {
		r.Scope.Addresses = []string{"*"}
	}
	o, err := log.OpenTicket(t.Context(), control.Call{Actor: controltest.Olivia, Ticket: r.ID}, r)
	controltest.Accepted(t, o, err)
	return held(t, log, strings.TrimPrefix(o.Entry.Resource, "ticket/"))
}

// held is a ticket as it stands.
func held(t testing.TB, log *controltest.Log, id string) ticket.Ticket {
	t.Helper()
	h, err := log.Controller.Ticket(t.Context(), id)
	if err != nil || h == nil {
		t.Fatalf("ticket %s: %v", id, err)
	}
	return h.Ticket
}

// acted does something to a ticket. Of a bound one the digest that it has is approved.
func acted(t testing.TB, log *controltest.Log, who identity.Actor, id string, action ticket.Action) (control.Outcome, error) {
	t.Helper()
	a := control.TicketAct{Action: action}
	if b := held(t, log, id).Binding; b != nil && action == ticket.Approve {
		a.Effects = b.Digest
	}
	return log.ActOnTicket(t.Context(), control.Call{Actor: who, Ticket: id}, id, a)
}

// approvedTicket opens a ticket that anton approves.
func approvedTicket(t testing.TB, log *controltest.Log, r control.TicketRequest) string {
	t.Helper()
	id := opened(t, log, r).ID
	o, err := acted(t, log, controltest.Anton, id, ticket.Approve)
	controltest.Accepted(t, o, err)
	return id
}

// under is a call in a run under another ticket.
func under(call control.Call, id string) control.Call {
	call.Ticket = id
	return call
}

// TestFiftyAppliesRaceForTheLastUses: a ticket for seven changes admits seven.
func TestFiftyAppliesRaceForTheLastUses(t *testing.T) {
	log := newLog(t)
	id := approvedTicket(t, log, control.TicketRequest{Request: ticket.Request{MaxUses: 7}})
	var wg sync.WaitGroup
	outcomes := make([]control.Outcome, 50)
	for i := range outcomes {
		wg.Go(func() {
			var err error
			call := control.Call{Actor: controltest.Olivia, Ticket: id}
			outcomes[i], err = log.Put(context.Background(), call, put(t, fmt.Sprintf("pool/p%d", i), controltest.Numbered(i), 0))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	accepted := 0
	for _, o := range outcomes {
		if o.Refusal() == nil {
			accepted++
		} else if o.Refusal().Code != ticket.CodeUsedUp {
			t.Errorf("refused with %s", o.Refusal().Code)
		}
	}
	if usage, err := log.Usage(t.Context(), id); err != nil || accepted != 7 || usage.Applied != 7 || usage.Refused != 43 {
		t.Errorf("%d were accepted; the log holds %+v (%v)", accepted, usage, err)
	}
	o, err := log.Put(t.Context(), control.Call{Actor: controltest.Olivia, Ticket: id}, put(t, "pool/late", controltest.Numbered(1), 0))
	controltest.Refused(t, ticket.CodeUsedUp, o, err)
}

func TestUsesAreCountedAfterARestart(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	log := controltest.Open(t, control.Options{Store: store})
	id := approvedTicket(t, log, control.TicketRequest{Request: ticket.Request{MaxUses: 2}})
	log.Create(t, id, "pool/a", controltest.Numbered(1))
	log.Close()
	log = controltest.Open(t, control.Options{Store: store})
	log.Create(t, id, "pool/b", controltest.Numbered(1))
	o, err := log.Put(t.Context(), controltest.By(id), put(t, "pool/c", controltest.Numbered(1), 0))
	controltest.Refused(t, ticket.CodeUsedUp, o, err)
}

// TestWhatWasApprovedIsAppliedAfterAMerge: planned on a branch, approved, planned
// again on main by another runner in another order, applied.
func TestWhatWasApprovedIsAppliedAfterAMerge(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "pool/old", controltest.Numbered(1))
	branch := inRun(t, log, "branch")
	planned(t, log, branch, lb.OpUpdate, "pool/web", controltest.Numbered(2))
	planned(t, log, branch, lb.OpCreate, "pool/new", controltest.Numbered(3))
	planned(t, log, branch, lb.OpDelete, "pool/old", nil)
	id := approvedTicket(t, log, control.TicketRequest{Run: "branch"})
	if b := held(t, log, id).Binding; b == nil || len(b.Effects) != 3 {
		t.Fatalf("bound to %+v", b)
	}

	merged := under(inRun(t, log, "main"), id)
	merged.Actor = controltest.Oscar
	planned(t, log, merged, lb.OpDelete, "pool/old", nil)
	planned(t, log, merged, lb.OpCreate, "pool/new", controltest.Numbered(3))
	planned(t, log, merged, lb.OpUpdate, "pool/web", controltest.Numbered(2))
	o, err := log.Delete(t.Context(), merged, controltest.Address(t, "pool/old"), exists)
	controltest.Accepted(t, o, err)
	applied(t, log, merged, put(t, "pool/new", controltest.Numbered(3), 0))
	fulfils(t, applied(t, log, merged, put(t, "pool/web", controltest.Numbered(2), -1)), o.Entry.Seq-1)
}

// TestWhatDiffersFromWhatWasApprovedIsRefusedByName varies each side of an effect.
func TestWhatDiffersFromWhatWasApprovedIsRefusedByName(t *testing.T) {
	for _, tt := range []struct {
		name, code string
		pointer    string
		says       string
		change     func(log *controltest.Log, call control.Call) (control.Outcome, error)
	}{
		{"another attribute", ticket.CodeEffectDiffers, "/slow_start", `would be "9s"; ticket`, func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			other := controltest.Numbered(2)
			other.SlowStart = lb.Duration(9 * time.Second)
			return log.Put(t.Context(), call, put(t, "pool/web", other, -1))
		}},
		{"changed by somebody in between", ticket.CodeEffectDiffers, "/algorithm", "it was", func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			between := controltest.Numbered(1)
			between.Algorithm = lb.LeastRequests
			log.Update(t, "CHG-1", "pool/web", between)
			return log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(2), -1))
		}},
		{"another object", ticket.CodeNotCovered, "", "not among them", func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Put(t.Context(), call, put(t, "pool/other", controltest.Numbered(2), 0))
		}},
		{"another operation", ticket.CodeNotCovered, "", "not among them", func(log *controltest.Log, call control.Call) (control.Outcome, error) {
			return log.Delete(t.Context(), call, controltest.Address(t, "pool/web"), exists)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
			branch := inRun(t, log, "branch")
			planned(t, log, branch, lb.OpUpdate, "pool/web", controltest.Numbered(2))
			id := approvedTicket(t, log, control.TicketRequest{Run: "branch"})
			o, err := tt.change(log, under(branch, id))
			refusal := controltest.Refused(t, tt.code, o, err)
			if !strings.Contains(refusalText(o), tt.says) {
				t.Errorf("refused with %q, want %q in it", refusalText(o), tt.says)
			}
			if tt.pointer != "" && !slices.ContainsFunc(refusal.Violations, func(v lb.Violation) bool { return v.Pointer == tt.pointer }) {
				t.Errorf("violations %+v; want one at %s", refusal.Violations, tt.pointer)
			}
		})
	}
}

func TestValuesThatWereNotKnownMayBecomeAnything(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	partial := controltest.Numbered(1)
	plan := planned(t, log, run, lb.OpCreate, "pool/web", partial, "/slow_start")
	id := approvedTicket(t, log, control.TicketRequest{Run: "run-1"})
	if e := held(t, log, id).Binding.Effects[0]; !slices.Equal(e.Unknown, []string{"/slow_start"}) {
		t.Errorf("the approver is told of %v", e.Unknown)
	}
	known := controltest.Numbered(1)
	known.SlowStart = lb.Duration(3 * time.Second)
	fulfils(t, applied(t, log, under(run, id), put(t, "pool/web", known, 0)), plan.Entry.Seq)
	other := controltest.Numbered(1)
	other.SlowStart, other.Owner = lb.Duration(3*time.Second), "somebody else"
	o, err := log.Delete(t.Context(), under(run, "CHG-1"), controltest.Address(t, "pool/web"), exists)
	controltest.Accepted(t, o, err)
	o, err = log.Put(t.Context(), under(run, id), put(t, "pool/web", other, 0))
	controltest.Refused(t, ticket.CodeEffectDiffers, o, err)
}

// TestAnEmergencyIsOnEveryEntry: what is done and what is refused.
func TestAnEmergencyIsOnEveryEntry(t *testing.T) {
	log := newLog(t)
	tk := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency, Scope: ticket.Scope{Addresses: []string{"pool/*"}}}})
	if tk.State != ticket.Approved {
		t.Fatalf("opened as %s", tk.State)
	}
	mark := func() bool { e, _ := newest(t, log); return e.Emergency }
	if !mark() {
		t.Error("the entry that opened it is not marked")
	}
	log.Create(t, tk.ID, "pool/web", controltest.Numbered(1))
	if !mark() {
		t.Error("the change is not marked")
	}
	o, err := log.Put(t.Context(), controltest.By(tk.ID), put(t, "route/x", controltest.Route("edge", "/", "web"), 0))
	if controltest.Refused(t, ticket.CodeOutOfScope, o, err); !mark() {
		t.Error("the refusal is not marked")
	}
	for who, code := range map[*identity.Actor]string{&controltest.Olivia: ticket.CodeSelfReview} {
		o, err = acted(t, log, *who, tk.ID, ticket.Review)
		controltest.Refused(t, code, o, err)
	}
	o, err = acted(t, log, controltest.Olivia, tk.ID, ticket.Close)
	controltest.Refused(t, ticket.CodeUnreviewed, o, err)
	o, err = acted(t, log, controltest.Anton, tk.ID, ticket.Review)
	if controltest.Accepted(t, o, err); !mark() {
		t.Error("the review is not marked")
	}
	o, err = acted(t, log, controltest.Olivia, tk.ID, ticket.Close)
	controltest.Accepted(t, o, err)
	e := held(t, log, tk.ID).Closure.Evidence
	if e == nil || e.Applied != 1 || e.First != e.Last || !slices.Equal(e.Appliers, []string{"olivia"}) || e.LogSize == 0 || e.LogRoot == "" {
		t.Errorf("evidence of the closure: %+v", e)
	}
	log.Create(t, "CHG-1", "pool/api", controltest.Numbered(1))
	if mark() {
		t.Error("a change without an emergency is marked")
	}
}

// TestWhoMadeChangesDoesNotReviewThem: oscar applied under olivia's emergency ticket.
func TestWhoMadeChangesDoesNotReviewThem(t *testing.T) {
	log := newLog(t)
	tk := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency}})
	call := control.Call{Actor: controltest.Oscar, Ticket: tk.ID}
	applied(t, log, call, put(t, "pool/web", controltest.Numbered(1), 0))
	o, err := acted(t, log, controltest.Oscar, tk.ID, ticket.Review)
	controltest.Refused(t, ticket.CodeSelfReview, o, err)
}

func TestAnApproversScopeBoundsWhatTheyApprove(t *testing.T) {
	log := newLog(t)
	narrow := controltest.Anton
	narrow.Scopes = []string{"pool/shop-*"}
	for _, tt := range []struct {
		addresses []string
		code      string
	}{
		{[]string{"pool/shop-cart"}, ""},
		{[]string{"pool/shop-*"}, ""},
		{[]string{"pool/*"}, control.CodeScope},
		{[]string{"*"}, control.CodeScope},
		{[]string{"pool/shop-cart", "route/x"}, control.CodeScope},
	} {
		id := opened(t, log, control.TicketRequest{Request: ticket.Request{Scope: ticket.Scope{Addresses: tt.addresses}}}).ID
		o, err := acted(t, log, narrow, id, ticket.Approve)
		if tt.code == "" {
			controltest.Accepted(t, o, err)
		} else {
			controltest.Refused(t, tt.code, o, err)
		}
	}
}

// lastOf is the newest entry of a type.
func lastOf(t testing.TB, log *controltest.Log, kind audit.Type) audit.Entry {
	t.Helper()
	entries := log.Entries(t)
	for i := len(entries) - 1; i >= 0; i-- {
		if entries[i].Type == kind {
			return entries[i]
		}
	}
	t.Fatalf("no entry of type %s", kind)
	return audit.Entry{}
}
