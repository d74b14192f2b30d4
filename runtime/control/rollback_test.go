package control_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// overriding opens an approved ticket that overrides conflicts.
func overriding(t *testing.T, log *controltest.Log, id string) control.Call {
	t.Helper()
	approvedTicket(t, log, control.TicketRequest{Request: ticket.Request{ID: id, OverrideConflicts: true}})
	return controltest.By(id)
}

// rollBack works a rollback out and makes it.
func rollBack(t *testing.T, log *controltest.Log, call control.Call, r control.Rollback) (*control.Undoing, control.Outcome) {
	t.Helper()
	u, err := log.FindRollback(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	call.Request.ID = fmt.Sprint("rollback at ", size(t, log))
	o, err := log.RollBack(t.Context(), call, u)
	if err != nil {
		t.Fatal(err)
	}
	return u, o
}

func TestARollbackMakesTheStateThatWas(t *testing.T) {
	effects, ops := 0, map[string]int{}
	for seed := range uint64(3) {
		w := newTangle(t, newLog(t), seed)
		call := overriding(t, w.Log, "CHG-OVER")
		for range 12 {
			for range 8 {
				w.change(t, underOne)
			}
			w.follow(t)
			n := w.rng.IntN(len(w.at))
			before := w.state()
			u, o := rollBack(t, w.Log, call, control.Rollback{Everything: true, To: int64(n), Governance: true})
			controltest.Accepted(t, o, nil)
			if got := w.state(); !maps.Equal(got, w.at[n]) {
				t.Fatalf("seed %d, back to %d: %v\nwant %v", seed, n, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(w.at[n])))
			}
			if len(o.Parts) != len(u.Effects) || len(u.Effects) > 0 && o.Entry.Seq != w.Config().Revision() {
				t.Fatalf("%d effects in %d entries, the last %d; the revision is %d", len(u.Effects), len(o.Parts), o.Entry.Seq, w.Config().Revision())
			}
			for i, part := range o.Parts {
				effects++
				ops[part.Entry.Op+" "+string(controltest.Address(t, part.Entry.Resource).Kind)]++
				if part.Entry.Seq != o.Parts[0].Entry.Seq+int64(i) || part.Entry.Rollback == nil || len(part.Body.Undone) == 0 {
					t.Errorf("entry %d of the rollback: %+v", i, part.Entry)
				}
			}
			w.follow(t)
			for i := range o.Parts {
				w.sane(t, o.Parts[i].Entry.Seq)
			}
			// And back again: a rollback of a rollback equals before.
			if len(o.Parts) > 0 && w.rng.IntN(2) == 0 {
				_, o = rollBack(t, w.Log, call, control.Rollback{Everything: true, To: o.Parts[0].Entry.Seq - 1, Governance: true})
				controltest.Accepted(t, o, nil)
				if got := w.state(); !maps.Equal(got, before) {
					t.Fatalf("seed %d: the rollback of a rollback left %v\nwant %v", seed, got, before)
				}
			}
		}
		stateIsTheFold(t, w.Log)
		newAuditor().read(t, w.Log, map[string]int{})
	}
	for _, op := range lb.Ops {
		for _, kind := range lb.Kinds {
			if ops[string(op)+" "+string(kind)] == 0 {
				t.Errorf("no %s of a %s: the test asks nothing of it", op, kind)
			}
		}
	}
	if effects < 150 {
		t.Errorf("only %d effects", effects)
	}
}

// sane fails the test unless what each object refers to was there in a configuration.
func (w *tangle) sane(t *testing.T, revision int64) {
	t.Helper()
	for address, encoded := range w.at[revision] {
		obj, err := lb.Decode(controltest.Address(t, address).Kind, []byte(encoded))
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range obj.References() {
			if w.at[revision][ref.To.String()] == "" {
				t.Errorf("in revision %d, in the middle of a rollback, %s has no %s", revision, address, ref.To)
			}
		}
	}
}

// TestARunIsTakenBackAndDoneAgain for random runs over objects of every kind.
func TestARunIsTakenBackAndDoneAgain(t *testing.T) {
	taken := 0
	for seed := range uint64(3) {
		w := newTangle(t, newLog(t), seed+100)
		for n := range 6 {
			for range 6 {
				w.change(t, underOne)
			}
			run := fmt.Sprintf("run-%d", n)
			call := inRun(t, w.Log, run)
			before, first := w.state(), size(t, w.Log)
			for range 1 + w.rng.IntN(8) {
				w.change(t, call)
			}
			after, last := w.state(), size(t, w.Log)-1
			u, o := rollBack(t, w.Log, underOne, control.Rollback{Run: run})
			controltest.Accepted(t, o, nil)
			if got := w.state(); !maps.Equal(got, before) {
				t.Fatalf("seed %d, %s taken back: %v\nwant %v", seed, run, got, before)
			}
			for _, e := range u.Effects {
				for _, seq := range e.Undone {
					if seq < first || seq > last {
						t.Errorf("%s takes back %d, and the run made %d to %d", e.Address, seq, first, last)
					}
				}
			}
			if len(o.Parts) == 0 {
				continue
			}
			taken += len(o.Parts)
			if e := o.Entry; e.Rollback.Run != run || e.WorkspaceName() != "" {
				t.Errorf("the entry says %+v of workspace %q", e.Rollback, e.WorkspaceName())
			}
			// What is back again is what the run had made.
			again := inRun(t, w.Log, run+"-back")
			_, o = rollBack(t, w.Log, again, control.Rollback{Everything: true, To: last, Governance: true})
			controltest.Accepted(t, o, nil)
			if got := w.state(); !maps.Equal(got, after) {
				t.Fatalf("seed %d, %s again: %v\nwant %v", seed, run, got, after)
			}
			// And the rollback, which was a run, can be taken back as well.
			_, o = rollBack(t, w.Log, underOne, control.Rollback{Run: run + "-back"})
			controltest.Accepted(t, o, nil)
			if got := w.state(); !maps.Equal(got, before) {
				t.Fatalf("seed %d, %s back again: %v\nwant %v", seed, run, got, before)
			}
		}
		stateIsTheFold(t, w.Log)
		newAuditor().read(t, w.Log, map[string]int{})
	}
	if taken < 25 {
		t.Errorf("%d objects were taken back", taken)
	}
}
