package control_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
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
	req.Scope, req.MaxUses = ticket.Scope{}, pickOf(r, 0, 0, 1)
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

// auditor knows what the rules are, and learns from the entries what happened.
type auditor struct {
	tickets map[string]*permission
	freezes map[string]lb.Freeze
	// learn takes in what the call in hand, request, has done to freezes: they hold for
	// what comes after it.
	learn   []func()
	request string
	made    int
	// lives are the changes of each object, oldest first.
	lives map[string][]lifeOf
}

// lifeOf is one change of an object.
type lifeOf struct {
	seq         int64
	run, ticket string
	after       string
}

// change is which change it is part of.
func (l *lifeOf) change() string {
	if l.run != "" {
		return "run " + l.run
	}
	return "ticket " + l.ticket
}

// permission is a ticket as the auditor pieces it together from who did what.
type permission struct {
	asked     ticket.Ticket // as it was last asked for
	requester string
	submitted bool
	ended     bool
	approvals []string
	reviewed  bool
	uses      int
}

func newAuditor() *auditor {
	return &auditor{tickets: map[string]*permission{}, freezes: map[string]lb.Freeze{}, lives: map[string][]lifeOf{}}
}

func (a *auditor) read(t *testing.T, log *controltest.Log, covered map[string]int) {
	t.Helper()
	rows, err := log.Store.Rows(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		e, err := audit.ParseLeaf(row.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		body, err := audit.ParseBody(row.Body)
		if err != nil {
			t.Fatal(err)
		}
		if e.Request == nil || e.Request.ID != a.request {
			for _, learn := range a.learn {
				learn()
			}
			if a.learn, a.request, a.made = nil, "", 0; e.Request != nil {
				a.request = e.Request.ID
			}
		}
		switch e.Type {
		case audit.TypeTicket:
			a.ticket(t, &e, body)
		case audit.TypeApply:
			a.apply(t, &e, body, covered)
		case audit.TypeReject:
			covered["refused"]++
			if e.Code == control.CodeFrozen {
				covered["frozen"]++
			}
			if e.Code == ticket.CodeUsedUp {
				covered["last use"]++
			}
			if e.Code == control.CodeRollbackConflict {
				covered["conflict"]++
			}
		}
	}
}

func (a *auditor) ticket(t *testing.T, e *audit.Entry, body audit.Body) {
	t.Helper()
	var after ticket.Ticket
	if err := json.Unmarshal(body.After, &after); err != nil {
		t.Fatal(err)
	}
	p := a.tickets[after.ID]
	switch ticket.Action(e.Op) {
	case "open":
		a.tickets[after.ID] = &permission{asked: after, requester: e.Actor.Name, submitted: after.State != ticket.Draft}
	case ticket.Amend:
		if after.State == ticket.Pending || after.State == ticket.Draft {
			p.approvals = nil
		} else if p.asked.Binding == nil || p.asked.Binding.Digest != after.Binding.Digest {
			t.Errorf("entry %d: ticket %s was amended and kept its approvals", e.Seq, after.ID)
		}
		p.asked = after
	case ticket.Submit:
		p.submitted = true
	case ticket.Approve:
		if e.Actor.Name == p.requester || slices.Contains(p.approvals, e.Actor.Name) {
			t.Errorf("entry %d: %s approved ticket %s", e.Seq, e.Actor.Name, after.ID)
		}
		p.approvals = append(p.approvals, e.Actor.Name)
	case ticket.Reject, ticket.Cancel, ticket.Close:
		p.ended = true
	case ticket.Review:
		p.reviewed = true
	}
}

// apply holds one change to the rules.
func (a *auditor) apply(t *testing.T, e *audit.Entry, body audit.Body, covered map[string]int) {
	t.Helper()
	wrong := func(why string) { t.Errorf("entry %d (%s of %s under %s): %s", e.Seq, e.Op, e.Resource, e.Ticket, why) }
	p := a.tickets[e.Ticket]
	if p == nil {
		wrong("there is no such ticket")
		return
	}
	emergency := p.asked.Type == ticket.Emergency
	if e.Emergency != emergency {
		wrong("the mark of an emergency is wrong")
	}
	if p.ended || !p.submitted || (!emergency && len(p.approvals) < p.asked.RequiredApprovals) {
		wrong(fmt.Sprintf("ended %t, submitted %t, approved by %v of %d", p.ended, p.submitted, p.approvals, p.asked.RequiredApprovals))
	}
	if p.reviewed {
		wrong("made after somebody had reviewed what was done")
	}
	if e.Time.Before(p.asked.NotBefore) || !e.Time.Before(p.asked.NotAfter) {
		wrong(fmt.Sprintf("made at %s, outside of %s to %s", e.Time, p.asked.NotBefore, p.asked.NotAfter))
	}
	if !slices.ContainsFunc(p.asked.Scope.Addresses, func(glob string) bool {
		ok, _ := path.Match(glob, e.Resource)
		return ok || glob == "*"
	}) || (len(p.asked.Scope.Operations) > 0 && !slices.Contains(p.asked.Scope.Operations, lb.Op(e.Op))) {
		wrong("out of scope " + p.asked.Scope.String())
	}
	if p.uses++; p.asked.MaxUses > 0 && p.uses > p.asked.MaxUses {
		wrong(fmt.Sprintf("use %d of %d", p.uses, p.asked.MaxUses))
	}
	if p.asked.SeparateApplier && slices.Contains(p.approvals, e.Actor.Name) {
		wrong("made by an approver")
	}
	if b := p.asked.Binding; b != nil {
		covered["bound"]++
		if !slices.ContainsFunc(b.Effects, func(x ticket.Effect) bool {
			return x.Address == e.Resource && string(x.Op) == e.Op && x.Digest == e.EffectDigest
		}) {
			wrong("not one of the effects that were approved")
		}
	}
	for name, f := range a.freezes {
		frozen := slices.ContainsFunc(f.Addresses, func(glob string) bool { ok, _ := path.Match(glob, e.Resource); return ok || glob == "*" })
		if frozen && !emergency && !e.Time.Before(f.Begin) && e.Time.Before(f.End) {
			wrong("frozen by " + name)
		}
	}
	if emergency {
		covered["emergency"]++
	} else {
		covered["approved"]++
	}
	if a.made++; a.made == 2 {
		covered["several at once"]++
	}
	if e.Rollback != nil {
		covered["rolled back"]++
		if why := a.takesBack(e, body, p, covered); why != "" {
			wrong(why)
		}
	}
	a.lives[e.Resource] = append(a.lives[e.Resource], lifeOf{e.Seq, e.RunID(), e.Ticket, string(body.After)})
	a.learn = append(a.learn, func() { a.learnFreeze(t, e, body) })
}

// takesBack holds a rollback to what it says of itself: that it makes the object what it
// was before what it takes back, and takes back what it is permitted to.
func (a *auditor) takesBack(e *audit.Entry, body audit.Body, p *permission, covered map[string]int) string {
	life := a.lives[e.Resource]
	n := len(life) - len(body.Undone)
	if n < 0 || len(body.Undone) == 0 {
		return fmt.Sprintf("takes back %v of %v", body.Undone, life)
	}
	undone, was, to := life[n:], "", int64(0)
	if n > 0 && life[n-1].after != "" {
		was, to = life[n-1].after, life[n-1].seq
	}
	for i, seq := range body.Undone {
		if undone[len(undone)-1-i].seq != seq {
			return fmt.Sprintf("takes back %v, but what came last is %v", body.Undone, undone)
		}
	}
	if was != string(body.After) || to != e.Rollback.To {
		return fmt.Sprintf("makes it %s, revision %d; it was %s, revision %d", body.After, e.Rollback.To, was, to)
	}
	own := undone[0].change()
	if e.Rollback.Run != "" {
		own = "run " + e.Rollback.Run
	}
	if !slices.ContainsFunc(undone, func(l lifeOf) bool { return l.change() != own }) {
		return ""
	}
	switch {
	case p.asked.OverrideConflicts:
		covered["overridden"]++
	case p.asked.Binding != nil && p.asked.Type != ticket.Emergency:
		covered["overridden by a binding"]++
	default:
		return "takes back what others have changed since, and nobody permitted that"
	}
	return ""
}

func (a *auditor) learnFreeze(t *testing.T, e *audit.Entry, body audit.Body) {
	t.Helper()
	if ok, _ := path.Match("freeze/*", e.Resource); !ok {
		return
	}
	delete(a.freezes, e.Resource)
	if body.After != nil {
		var f lb.Freeze
		if err := json.Unmarshal(body.After, &f); err != nil {
			t.Fatal(err)
		}
		a.freezes[e.Resource] = f
	}
}
