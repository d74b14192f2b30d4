package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// TestWhatOthersChangedSinceIsAConflict goes through who changed what, and what is
// permitted.
func TestWhatOthersChangedSinceIsAConflict(t *testing.T) {
	const object, run = "object", "run"
	for _, tt := range []struct {
		name      string
		what      string
		changes   []string // "run ticket" of each change of pool/web, oldest first
		conflicts []int    // indexes of changes
	}{
		{"the only change", object, []string{"- CHG-1"}, nil},
		{"two under one ticket", object, []string{"- CHG-1", "- CHG-1"}, nil},
		{"two in one run, under two tickets", object, []string{"run-1 CHG-1", "run-1 CHG-2"}, nil},
		{"two under two tickets", object, []string{"- CHG-1", "- CHG-2"}, []int{1}},
		{"two in two runs, under one ticket", object, []string{"run-1 CHG-1", "run-2 CHG-1"}, []int{1}},
		{"another in between", object, []string{"run-1 CHG-1", "- CHG-1", "run-1 CHG-1"}, []int{1}},
		{"two others since", object, []string{"run-1 CHG-1", "run-2 CHG-1", "- CHG-2"}, []int{2, 1}},
		{"a run alone", run, []string{"run-1 CHG-1", "run-1 CHG-2"}, nil},
		{"a run and one after", run, []string{"run-1 CHG-1", "- CHG-1"}, []int{1}},
		{"a run and one in between", run, []string{"run-1 CHG-1", "run-2 CHG-1", "run-1 CHG-1"}, []int{1}},
		{"a run after another", run, []string{"run-2 CHG-1", "run-1 CHG-1"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			log.Ticket(t, "CHG-2")
			inRun(t, log, "run-1")
			inRun(t, log, "run-2")
			log.Create(t, "CHG-1", "pool/web", controltest.Numbered(0))
			before := size(t, log) - 1
			var seqs []int64
			for i, by := range tt.changes {
				call := underOne
				call.Run, call.Ticket, _ = strings.Cut(by, " ")
				call.Run = strings.TrimPrefix(call.Run, "-")
				o, err := log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(i+1), -1))
				seqs = append(seqs, controltest.Accepted(t, o, err).Entry.Seq)
			}
			back := control.Rollback{Address: controltest.Address(t, "pool/web"), To: before}
			if tt.what == run {
				back = control.Rollback{Run: "run-1"}
			}
			u, o := rollBack(t, log, underOne, back)
			var got []int64
			for _, c := range u.Conflicts {
				got = append(got, c.Revision)
			}
			var want []int64
			for _, i := range tt.conflicts {
				want = append(want, seqs[i])
			}
			if !slices.Equal(got, want) {
				t.Fatalf("conflicts %v, want %v", got, want)
			}
			if len(want) == 0 {
				controltest.Accepted(t, o, nil)
				return
			}
			r := controltest.Refused(t, control.CodeRollbackConflict, o, nil)
			last := &u.Conflicts[0]
			for _, word := range []string{"pool/web", fmt.Sprint(last.Revision), last.Actor, last.Ticket, last.Run, last.At.Format(time.RFC3339)} {
				if !strings.Contains(r.Detail, word) {
					t.Errorf("%q does not name %s", r.Detail, word)
				}
			}
			// Bound to another set it is not enough; nor for an emergency that nobody has looked at.
			call := inRun(t, log, "undo")
			if _, _, err := log.PlanRollback(t.Context(), call, u); err != nil {
				t.Fatal(err)
			}
			emergency := opened(t, log, control.TicketRequest{Run: "undo", Request: ticket.Request{Type: ticket.Emergency}})
			o, err := log.RollBack(t.Context(), controltest.By(emergency.ID), u)
			controltest.Refused(t, control.CodeRollbackConflict, o, err)
			bound := approvedTicket(t, log, control.TicketRequest{Run: "undo"})
			if set := ticket.SetDigest(held(t, log, bound).Binding.Effects); set != u.Digest {
				t.Errorf("the ticket is bound to %s, the preview is of %s", set, u.Digest)
			}
			o, err = log.RollBack(t.Context(), controltest.By(bound), u)
			controltest.Accepted(t, o, err)
			// And a ticket that says so, also one of an emergency.
			log.Update(t, "CHG-1", "pool/web", controltest.Numbered(20))
			log.Update(t, "CHG-2", "pool/web", controltest.Numbered(21))
			says := opened(t, log, control.TicketRequest{Request: ticket.Request{Type: ticket.Emergency, OverrideConflicts: true}})
			_, o = rollBack(t, log, controltest.By(says.ID), control.Rollback{Address: back.Address, To: before, Run: back.Run})
			controltest.Accepted(t, o, nil)
		})
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
	}
	if taken < 25 {
		t.Errorf("%d objects were taken back", taken)
	}
}

// TestWhatWasPreviewedIsWhatHappens: a change in between is never taken back unseen.
func TestWhatWasPreviewedIsWhatHappens(t *testing.T) {
	log := newLog(t)
	before := threePools(t, log)
	inRun(t, log, "run-1")
	log.Ticket(t, "CHG-2")
	for name, back := range map[string]control.Rollback{
		"object":     {Address: controltest.Address(t, "pool/a"), To: before},
		"everything": {Everything: true, To: before},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := log.FindRollback(t.Context(), back, nil)
			if err != nil {
				t.Fatal(err)
			}
			changed := log.Update(t, "CHG-2", "pool/a", controltest.Numbered(int(size(t, log))))
			entries := size(t, log)
			if _, err := log.RollBack(t.Context(), underOne, u); !errors.Is(err, control.ErrMoved) {
				t.Fatalf("%v", err)
			}
			expecting := back
			expecting.Expect, expecting.PreviewAt = u.Digest, u.At
			_, o := rollBack(t, log, underOne, expecting)
			r := controltest.Refused(t, control.CodePreconditionFailed, o, nil)
			if !strings.Contains(r.Detail, fmt.Sprintf("pool/a in revision %d by olivia", changed.Entry.Seq)) || !strings.Contains(r.Detail, "CHG-2") {
				t.Errorf("refused with %q", r.Detail)
			}
			if got := size(t, log); got != entries+1 {
				t.Errorf("%d entries", got-entries)
			}
		})
	}
	// What does not bear on it does not hold it up.
	u, err := log.FindRollback(t.Context(), control.Rollback{Address: controltest.Address(t, "pool/b"), To: before}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log.Update(t, "CHG-1", "pool/c", controltest.Numbered(77))
	o, err := log.RollBack(t.Context(), underOne, u)
	controltest.Accepted(t, o, err)
}

// TestWhatCanNotBeRestoredIsNamed: a body that is gone, an object that the rules of today
// do not admit, and a key that is not there any more.
func TestWhatCanNotBeRestoredIsNamed(t *testing.T) {
	log := newLog(t)
	cert, key := controltest.Certificate(t, "a.example.com")
	first := put(t, "certificate/c", cert, 0)
	first.PrivateKey = key
	was := applied(t, log, underOne, first)
	other, otherKey := controltest.Certificate(t, "b.example.com")
	second := put(t, "certificate/c", other, -1)
	second.PrivateKey = otherKey
	now := applied(t, log, underOne, second)
	back := control.Rollback{Address: first.Address, To: control.BeforeNewest}
	u, err := log.FindRollback(t.Context(), back, nil)
	if err != nil || len(u.Impossible) != 0 || len(u.Effects) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	o, err := log.RollBack(t.Context(), underOne, u)
	controltest.Accepted(t, o, err)
	if got := log.Config().Get(first.Address).Object.(*lb.Certificate); got.Fingerprint != cert.Fingerprint {
		t.Errorf("the certificate has the key %s, want that of revision %d, %s", got.Fingerprint, was.Entry.Seq, cert.Fingerprint)
	}
	lost := &lossy{Store: log.Store, key: "key/" + other.Fingerprint, body: -1}
	again := controltest.Open(t, control.Options{Store: lost})
	for _, tt := range []struct {
		name, code, says string
		lose             func()
	}{
		{"the key", control.CodeRollbackImpossible, other.Fingerprint, func() {}},
		{"the body", control.CodeRollbackImpossible, fmt.Sprintf("entry %d, whose body was erased by policy in entry 99", now.Entry.Seq), func() { lost.body = now.Entry.Seq }},
		{"the rules", control.CodeInvalid, "/owner", func() { lost.body, lost.edit = now.Entry.Seq, true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.lose()
			u, err := again.FindRollback(t.Context(), control.Rollback{Everything: true, To: now.Entry.Seq}, func(_ contextType, row *audit.Row) (*audit.Row, string) {
				return row, "was erased by policy in entry 99"
			})
			if err != nil || len(u.Effects) != 0 || len(u.Impossible) != 1 {
				t.Fatalf("%+v, %v", u, err)
			}
			entries := size(t, again)
			o, err := again.RollBack(t.Context(), underOne, u)
			r := controltest.Refused(t, tt.code, o, err)
			if o.Entry.Resource != "certificate/c" || !strings.Contains(r.Detail, "certificate/c can't be restored") || !strings.Contains(r.Detail, tt.says) {
				t.Errorf("refused for %s: %s", o.Entry.Resource, r.Detail)
			}
			if got := size(t, again); got != entries+1 {
				t.Errorf("%d entries", got-entries)
			}
		})
	}
}

// TestNothingToDoLeavesNoEntry and needs no ticket.
func TestNothingToDoLeavesNoEntry(t *testing.T) {
	log := newLog(t)
	threePools(t, log)
	entries := size(t, log)
	for _, back := range []control.Rollback{
		{Everything: true, To: entries - 1},
		{Address: controltest.Address(t, "pool/a"), To: entries - 1},
		{Run: "run-1"},
	} {
		if back.Run != "" {
			inRun(t, log, back.Run)
			entries = size(t, log)
		}
		u, o := rollBack(t, log, control.Call{Actor: controltest.Olivia}, back)
		if !o.Unchanged || len(u.Effects) != 0 || size(t, log) != entries {
			t.Errorf("%+v: %+v", back, o.Entry)
		}
	}
	if _, err := log.FindRollback(t.Context(), control.Rollback{Run: "run-404"}, nil); !isRefused(err, control.CodeNotFound) {
		t.Errorf("an unknown run: %v", err)
	}
	if _, err := log.FindRollback(t.Context(), control.Rollback{Address: controltest.Address(t, "pool/none")}, nil); !isRefused(err, control.CodeNotFound) {
		t.Errorf("an object that never was: %v", err)
	}
}

func isRefused(err error, code string) bool {
	var refused *control.Refused
	return errors.As(err, &refused) && refused.Code == code
}

// TestAPlannedRollbackIsAppliedAsPlanned: its plans are those of the run, once each.
func TestAPlannedRollbackIsAppliedAsPlanned(t *testing.T) {
	log := newLog(t)
	before := threePools(t, log)
	call := inRun(t, log, "undo")
	u, err := log.FindRollback(t.Context(), control.Rollback{Everything: true, To: before}, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned, warnings, err := log.PlanRollback(t.Context(), call, u)
	controltest.Accepted(t, planned, err)
	entries := size(t, log)
	again, _, err := log.PlanRollback(t.Context(), call, u)
	if err != nil || !again.Unchanged || size(t, log) != entries || len(again.Parts) != 3 || len(warnings) != 0 {
		t.Errorf("planned again: %+v, %v; %v", again.Entry, err, warnings)
	}
	o, err := log.RollBack(t.Context(), call, u)
	controltest.Accepted(t, o, err)
	for i, part := range o.Parts {
		plan := planned.Parts[i].Entry
		if plan.Type != audit.TypePlan || part.Entry.Plan != plan.Seq || part.Entry.Unplanned || plan.Rollback == nil || !slices.Equal(planned.Parts[i].Body.Undone, part.Body.Undone) {
			t.Errorf("%s fulfils plan %d, want %d", part.Entry.Resource, part.Entry.Plan, plan.Seq)
		}
	}
	// What would be refused is foreseen.
	log.Create(t, "CHG-1", "freeze/f", freeze(time.Now().Add(-time.Minute), "pool/*"))
	if u, err = log.FindRollback(t.Context(), control.Rollback{Run: "undo"}, nil); err != nil {
		t.Fatal(err)
	}
	if warnings, err = log.ForeseeRollback(t.Context(), underOne, u); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "frozen by freeze/f") {
		t.Errorf("foreseen: %v, %v", warnings, err)
	}
	if warnings, err = log.ForeseeRollback(t.Context(), control.Call{Actor: controltest.Olivia}, u); err != nil || len(warnings) != 0 {
		t.Errorf("foreseen without a ticket: %v, %v", warnings, err)
	}
}

// TestABoundTicketAdmitsTheRollbackThatWasApproved and not another one of the same objects.
func TestABoundTicketAdmitsTheRollbackThatWasApproved(t *testing.T) {
	log := newLog(t)
	w := newTangle(t, log, 1)
	before := threePools(t, log)
	back := control.Rollback{Everything: true, To: before}
	u, err := log.FindRollback(t.Context(), back, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned, _, err := log.PlanRollback(t.Context(), inRun(t, log, "undo"), u)
	controltest.Accepted(t, planned, err)
	bound := controltest.By(approvedTicket(t, log, control.TicketRequest{Run: "undo"}))
	log.Update(t, "CHG-1", "pool/b", controltest.Numbered(9))
	state := w.state()
	_, o := rollBack(t, log, bound, back)
	if r := controltest.Refused(t, ticket.CodeEffectDiffers, o, nil); o.Entry.Resource != "pool/b" || !strings.Contains(r.Detail, "/labels/n") || !maps.Equal(w.state(), state) {
		t.Errorf("refused for %s: %s", o.Entry.Resource, r.Detail)
	}
	log.Update(t, "CHG-1", "pool/b", controltest.Numbered(1)) // as it was approved
	_, o = rollBack(t, log, bound, back)
	controltest.Accepted(t, o, nil)
}

// TestAPartOfWhatWasApprovedIsAnotherRollback: approvers who saw all of it have not agreed to
// what others did going without the rest.
func TestAPartOfWhatWasApprovedIsAnotherRollback(t *testing.T) {
	log := newLog(t)
	log.Ticket(t, "CHG-2")
	before := threePools(t, log)
	log.Update(t, "CHG-2", "pool/a", controltest.Numbered(9))
	everything := control.Rollback{Everything: true, To: before}
	u, err := log.FindRollback(t.Context(), everything, nil)
	if err != nil {
		t.Fatal(err)
	}
	planned, _, err := log.PlanRollback(t.Context(), inRun(t, log, "undo"), u)
	controltest.Accepted(t, planned, err)
	bound := controltest.By(approvedTicket(t, log, control.TicketRequest{Run: "undo"}))
	_, o := rollBack(t, log, bound, control.Rollback{Address: controltest.Address(t, "pool/a"), To: before})
	controltest.Refused(t, control.CodeRollbackConflict, o, nil)
	_, o = rollBack(t, log, bound, everything)
	controltest.Accepted(t, o, nil)
}

// TestGovernanceIsTakenBackOnlyWhenAsked and is held to itself as it was.
func TestGovernanceIsTakenBackOnlyWhenAsked(t *testing.T) {
	log := newLog(t)
	before := size(t, log) - 1
	log.Create(t, "CHG-1", "pool/a", controltest.Numbered(1))
	log.Create(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name == "none" => false`}))
	u, err := log.FindRollback(t.Context(), control.Rollback{Everything: true, To: before}, nil)
	if err != nil || len(u.Effects) != 1 || len(u.Left) != 1 || u.Left[0].String() != "policy/p" {
		t.Fatalf("%+v, %v", u, err)
	}
	log.Update(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name == "a" => false`}))
	u, o := rollBack(t, log, underOne, control.Rollback{Everything: true, To: before, Governance: true})
	if controltest.Refused(t, control.CodePolicyDenied, o, nil); o.Entry.Resource != "pool/a" || len(u.Effects) != 2 {
		t.Errorf("refused for %s of %d effects: the rollback must not lift what it is held to", o.Entry.Resource, len(u.Effects))
	}
}

// TestManyChangesOfAnObjectAreCountedAndNeverTakenBackUnsaid.
func TestManyChangesOfAnObjectAreCountedAndNeverTakenBackUnsaid(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(0))
	before := size(t, log) - 1
	var wg sync.WaitGroup // so that they share commits
	for i := range audit.MaxUndone + 30 {
		change := put(t, "pool/web", controltest.Numbered(i+1), -1)
		wg.Go(func() {
			if o, err := log.Put(context.Background(), underOne, change); err != nil || o.Refusal() != nil {
				t.Error(o, err)
			}
		})
	}
	wg.Wait()
	u, o := rollBack(t, log, underOne, control.Rollback{Address: controltest.Address(t, "pool/web"), To: before})
	controltest.Refused(t, control.CodeRollbackConflict, o, nil)
	if e := u.Effects[0]; len(e.Undone) != audit.MaxUndone || !e.More || !u.Conflicts[len(u.Conflicts)-1].More {
		t.Errorf("%d undone, more: %t, %d conflicts", len(e.Undone), e.More, len(u.Conflicts))
	}
	_, o = rollBack(t, log, overriding(t, log, "CHG-2"), control.Rollback{Address: controltest.Address(t, "pool/web"), To: before})
	controltest.Accepted(t, o, nil)
}
