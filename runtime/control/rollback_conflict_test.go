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
			wantConflicts(t, u, seqs, tt.conflicts)
			if len(tt.conflicts) == 0 {
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

// wantConflicts compares the conflicts of a rollback with changes, by their index.
func wantConflicts(t *testing.T, u *control.Undoing, seqs []int64, changes []int) {
	t.Helper()
	var got, want []int64
	for _, c := range u.Conflicts {
		got = append(got, c.Revision)
	}
	for _, i := range changes {
		want = append(want, seqs[i])
	}
	if !slices.Equal(got, want) {
		t.Fatalf("conflicts %v, want %v", got, want)
	}
}

// TestEverythingIsOneChangeAndTheOthersAreConflicts: what somebody else did to another object
// meanwhile is not taken back unsaid.
func TestEverythingIsOneChangeAndTheOthersAreConflicts(t *testing.T) {
	for _, tt := range []struct {
		name      string
		changes   []string // "run ticket pool", oldest first
		conflicts []int    // indexes of changes, by pool
	}{
		{"one run", []string{"run-1 CHG-1 b", "run-1 CHG-2 a"}, nil},
		{"one ticket", []string{"- CHG-1 b", "- CHG-1 a"}, nil},
		{"a run and a change of another object", []string{"run-1 CHG-1 b", "- CHG-1 a"}, []int{1}},
		{"a run, and others of its objects and of others", []string{"run-1 CHG-1 b", "run-2 CHG-1 c", "- CHG-2 b", "run-1 CHG-1 c"}, []int{2, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := newLog(t)
			log.Ticket(t, "CHG-2")
			inRun(t, log, "run-1")
			inRun(t, log, "run-2")
			before := threePools(t, log) + 3
			var seqs []int64
			for i, by := range tt.changes {
				words := strings.Fields(by)
				call := underOne
				call.Run, call.Ticket = strings.TrimPrefix(words[0], "-"), words[1]
				o, err := log.Put(t.Context(), call, put(t, "pool/"+words[2], controltest.Numbered(10+i), -1))
				seqs = append(seqs, controltest.Accepted(t, o, err).Entry.Seq)
			}
			u, o := rollBack(t, log, underOne, control.Rollback{Everything: true, To: before})
			wantConflicts(t, u, seqs, tt.conflicts)
			if len(tt.conflicts) == 0 {
				controltest.Accepted(t, o, nil)
				return
			}
			controltest.Refused(t, control.CodeRollbackConflict, o, nil)
			_, o = rollBack(t, log, overriding(t, log, "CHG-3"), control.Rollback{Everything: true, To: before})
			controltest.Accepted(t, o, nil)
		})
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
