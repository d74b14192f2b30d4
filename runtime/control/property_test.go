package control_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// TestNoSequenceOfCallsLetsAnEffectThroughThatNoApprovalCovers has random people
// do random things at random times, and then reads the log as an auditor would
// who knows the rules and not the code: every apply must be covered.
//
// AUDITLB_WALKS sets how many walks of 600 steps there are; 4 by default.
func TestNoSequenceOfCallsLetsAnEffectThroughThatNoApprovalCovers(t *testing.T) {
	walks := uint64(4)
	if text := os.Getenv("AUDITLB_WALKS"); text != "" {
		var err error
		if walks, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatalf("AUDITLB_WALKS: %v", err)
		}
	}
	covered := map[string]int{}
	for seed := range walks {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			clock := newClock()
			log := controltest.Open(t, control.Options{Store: openStore(t, t.TempDir()), Now: clock.Now})
			w := &walker{rng: rand.New(rand.NewPCG(seed, 7)), log: log, clock: clock}
			w.prepare(t)
			for range 450 {
				w.step(t)
				if t.Failed() {
					return
				}
			}
			newAuditor().read(t, log, covered)
		})
	}
	for _, kind := range []string{"approved", "emergency", "bound", "refused", "frozen", "last use", "rolled back", "several at once", "conflict", "overridden", "overridden by a binding"} {
		if covered[kind] < 5 {
			t.Errorf("%s came about %d times: the walk says nothing of it", kind, covered[kind])
		}
	}
}

// walker does random things.
type walker struct {
	rng   *rand.Rand
	log   *controltest.Log
	clock *clock
	n     int
	calls int
}

var (
	walkers   = []identity.Actor{controltest.Olivia, controltest.Oscar, controltest.Anton, vera}
	walkPools = []string{"pool/a", "pool/b", "pool/c"}
)

// prepare registers a run; objects come about by the walk itself.
func (w *walker) prepare(t *testing.T) {
	approvedTicket(t, w.log, control.TicketRequest{Request: ticket.Request{
		ID: "CHG-FREEZE", Scope: ticket.Scope{Addresses: []string{"freeze/*"}}, NotAfter: w.clock.Now().AddDate(0, 0, 80),
	}})
	call := control.Call{Actor: controltest.Olivia, Run: "run-1"}
	o, err := w.log.RegisterRun(t.Context(), call, "run-1", map[string]string{"system": "test"})
	controltest.Accepted(t, o, err)
}

func pickOf[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// step does one random thing. Only errors that are no refusals fail the test.
func (w *walker) step(t *testing.T) {
	t.Helper()
	r := w.rng
	w.clock.Advance(time.Duration(r.Int64N(int64(4 * time.Minute))))
	who, id := pickOf(r, walkers...), fmt.Sprint("CHG-", max(1, w.n-r.IntN(4)))
	call := control.Call{Actor: who, Ticket: id}
	var err error
	w.calls++
	call.Request = audit.Request{ID: fmt.Sprint("request-", w.calls)}
	switch r.IntN(18) {
	case 0, 1:
		w.n++
		_, err = w.log.OpenTicket(t.Context(), control.Call{Actor: who}, w.request(fmt.Sprint("CHG-", w.n)))
	case 2, 3, 4:
		a := control.TicketAct{Action: pickOf(r, append(ticket.Actions, ticket.Approve, ticket.Approve, ticket.Approve)...), Request: w.request(id)}
		if h, _ := w.log.Controller.Ticket(t.Context(), id); h != nil {
			if h.Binding != nil && r.IntN(4) > 0 {
				a.Effects = h.Binding.Digest
			}
			if len(h.Approvals) > 0 && r.IntN(3) == 0 {
				a.Action, call.Actor.Name = ticket.Amend, h.Requester
			}
		}
		_, err = w.log.ActOnTicket(t.Context(), call, id, a)
	case 5, 12, 13:
		call.Run, call.Actor = "run-1", controltest.Olivia
		_, err = w.log.Plan(t.Context(), call, control.Plan{Address: controltest.Address(t, pickOf(r, walkPools...)), Op: pickOf(r, lb.OpCreate, lb.OpUpdate), Object: w.pool()})
	case 6, 14:
		call.Ticket = pickOf(r, id, "CHG-FREEZE")
		f := freeze(w.clock.Now().Add(time.Duration(r.Int64N(int64(20*time.Minute)))), pickOf(r, "*", "pool/*", "pool/a"))
		f.End = f.Begin.Add(time.Duration(1 + r.Int64N(int64(40*time.Minute))))
		f.Normalize()
		_, err = w.log.Put(t.Context(), call, control.Put{Address: controltest.Address(t, "freeze/"+pickOf(r, "x", "y")), Object: f, Precondition: pickOf(r, control.Precondition{Absent: true}, exists)})
	case 7:
		call.Ticket = pickOf(r, id, "CHG-FREEZE")
		_, err = w.log.Delete(t.Context(), call, controltest.Address(t, pickOf(r, append(walkPools, "freeze/x", "freeze/y")...)), exists)
	case 15, 16, 17:
		err = w.rollBack(t, call)
	default:
		_, err = w.log.Put(t.Context(), call, control.Put{Address: controltest.Address(t, pickOf(r, walkPools...)), Object: w.pool(), Precondition: pickOf(r, control.Precondition{Absent: true}, exists)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rollBack takes something random back, or plans to, or opens a ticket for exactly that.
func (w *walker) rollBack(t *testing.T, call control.Call) error {
	t.Helper()
	r := w.rng
	back := control.Rollback{Everything: true, To: max(0, size(t, w.log)-1-r.Int64N(60)), Governance: r.IntN(2) == 0}
	switch r.IntN(4) {
	case 0:
		back = control.Rollback{Run: fmt.Sprint("undo-", max(1, w.n-r.IntN(4)))}
	case 1:
		back = control.Rollback{Address: controltest.Address(t, pickOf(r, walkPools...)), To: pickOf(r, back.To, control.BeforeNewest)}
	}
	u, err := w.log.FindRollback(t.Context(), back, nil)
	if refused := (*control.Refused)(nil); errors.As(err, &refused) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.IntN(2) == 0 {
		if r.IntN(3) > 0 {
			w.n++
			req := w.request(fmt.Sprint("CHG-", w.n))
			req.Type, req.Run, req.Draft, req.RequiredApprovals, req.NotBefore, req.NotAfter = ticket.Emergency, "", false, 0, time.Time{}, time.Time{}
			req.Scope, req.MaxUses = ticket.Scope{Addresses: []string{"*"}}, pickOf(r, 0, 0, 1)
			if _, err := w.log.OpenTicket(t.Context(), control.Call{Actor: call.Actor}, req); err != nil {
				return err
			}
			call.Ticket = req.ID
		}
		_, err = w.log.RollBack(t.Context(), call, u)
		return err
	}
	// In a run of its own, under a ticket for exactly this, which somebody may approve.
	w.n++
	call.Actor, call.Run, call.Ticket = controltest.Olivia, fmt.Sprint("undo-", w.n), ""
	if _, err := w.log.RegisterRun(t.Context(), call, call.Run, map[string]string{"system": "test"}); err != nil {
		return err
	}
	if _, _, err := w.log.PlanRollback(t.Context(), call, u); err != nil {
		return err
	}
	req := w.request(fmt.Sprint("CHG-", w.n))
	req.Run, req.NotBefore, req.RequiredApprovals, req.Draft = call.Run, time.Time{}, min(req.RequiredApprovals, 1), false
	req.Scope, req.MaxUses, req.OverrideConflicts = ticket.Scope{}, pickOf(r, 0, 0, 1), r.IntN(8) == 0
	o, err := w.log.OpenTicket(t.Context(), call, req)
	if err != nil || o.Refusal() != nil {
		return err
	}
	var opened ticket.Ticket
	if err := json.Unmarshal(o.Body.After, &opened); err != nil {
		return err
	}
	act := control.TicketAct{Action: ticket.Approve, Effects: opened.Binding.Digest}
	if _, err := w.log.ActOnTicket(t.Context(), control.Call{Actor: pickOf(r, controltest.Anton, vera)}, req.ID, act); err != nil {
		return err
	}
	if r.IntN(3) == 0 { // somebody else is quicker
		other := control.Call{Actor: call.Actor, Ticket: req.ID + "-E"}
		if _, err := w.log.OpenTicket(t.Context(), other, control.TicketRequest{Request: ticket.Request{
			ID: other.Ticket, Title: "a change", Reason: "a test needs it", Type: ticket.Emergency, Scope: ticket.Scope{Addresses: []string{"*"}},
		}}); err != nil {
			return err
		}
		if _, err := w.log.Put(t.Context(), other, control.Put{Address: controltest.Address(t, pickOf(r, walkPools...)), Object: w.pool(), Precondition: exists}); err != nil {
			return err
		}
	}
	if u, err = w.log.FindRollback(t.Context(), back, nil); err != nil {
		return err
	}
	call.Ticket = req.ID
	_, err = w.log.RollBack(t.Context(), call, u)
	return err
}

func (w *walker) pool() lb.Object {
	p := controltest.Numbered(w.rng.IntN(2))
	p.Normalize()
	return p
}

func (w *walker) request(id string) control.TicketRequest {
	r, now := w.rng, w.clock.Now()
	out := control.TicketRequest{Request: ticket.Request{
		ID: id, Title: "a change", Reason: "a test needs it", Type: pickOf(r, ticket.Normal, ticket.Normal, ticket.Standard, ticket.Emergency),
		Scope: ticket.Scope{Addresses: pickOf(r, []string{"*"}, []string{"pool/*"}, []string{"pool/a", "freeze/*"}), Operations: pickOf(r, nil, nil, []lb.Op{lb.OpUpdate, lb.OpCreate})},
		Draft: r.IntN(8) == 0, MaxUses: pickOf(r, 0, 0, 1, 3), SeparateApplier: r.IntN(3) == 0, OverrideConflicts: r.IntN(3) == 0,
		NotAfter: now.Add(time.Duration(1 + r.Int64N(int64(90*time.Minute)))),
	}}
	if out.Type != ticket.Emergency {
		out.RequiredApprovals = 1 + r.IntN(2)
		if r.IntN(3) == 0 {
			out.NotBefore = now.Add(time.Duration(r.Int64N(int64(30 * time.Minute))))
			out.NotAfter = out.NotBefore.Add(time.Hour)
		}
	} else {
		out.Draft = false
	}
	if r.IntN(3) == 0 {
		out.Run = "run-1"
	}
	return out
}
