package control_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

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

// badRun is a log in which run-1 has changed a pool, a listener and a route.
func badRun(t *testing.T) *controltest.Log {
	t.Helper()
	log := newLog(t)
	bad := inRun(t, log, "run-1")
	log.Create(t, "CHG-1", "pool/old", controltest.Numbered(1))
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "listener/x", controltest.Listener(8000, "web"))
	log.Create(t, "CHG-1", "route/web", controltest.Route("x", "/", "old"))
	for address, obj := range map[string]lb.Object{"pool/web": controltest.Numbered(2), "listener/x": controltest.Listener(8001, "web"), "route/web": controltest.Route("x", "/", "web")} {
		applied(t, log, bad, put(t, address, obj, -1))
	}
	return log
}

// TestNoRollbackGetsRoundTheGate: it is held to all that any change is held to, and a preview
// foresees what will refuse it.
func TestNoRollbackGetsRoundTheGate(t *testing.T) {
	shared := badRun(t)
	permits := func(r ticket.Request) func(*testing.T, *controltest.Log) control.Call {
		return func(t *testing.T, log *controltest.Log) control.Call {
			return controltest.By(approvedTicket(t, log, control.TicketRequest{Request: r}))
		}
	}
	after := func(do func(*testing.T, *controltest.Log)) func(*testing.T, *controltest.Log) control.Call {
		return func(t *testing.T, log *controltest.Log) control.Call {
			do(t, log)
			return underOne
		}
	}
	for _, tt := range []struct {
		name, code, says string
		prepare          func(*testing.T, *controltest.Log) control.Call
		// alters is set where more than a ticket is prepared: in a log of its own.
		alters bool
	}{
		{"no ticket", ticket.CodeRequired, "none was named", func(*testing.T, *controltest.Log) control.Call { return control.Call{Actor: controltest.Olivia} }, false},
		{"no such ticket", ticket.CodeUnknown, "CHG-404", func(*testing.T, *controltest.Log) control.Call { return controltest.By("CHG-404") }, false},
		{"not approved", ticket.CodeUnapproved, "0 of 1 approvals", func(t *testing.T, log *controltest.Log) control.Call {
			return controltest.By(opened(t, log, control.TicketRequest{}).ID)
		}, false},
		{"not yet", ticket.CodeNotYet, "begins at", permits(ticket.Request{NotBefore: time.Now().Add(time.Hour)}), false},
		{"out of scope", ticket.CodeOutOfScope, "pool/web", permits(ticket.Request{Scope: ticket.Scope{Addresses: []string{"route/*"}}}), false},
		{"another operation", ticket.CodeOutOfScope, "update on", permits(ticket.Request{Scope: ticket.Scope{Addresses: []string{"*"}, Operations: []lb.Op{lb.OpCreate}}}), false},
		{"used up", ticket.CodeUsedUp, "permits 1 changes, and 0 were made under it", permits(ticket.Request{MaxUses: 1}), false},
		{"by who approved", ticket.CodeApproverApply, "anton approved ticket", func(t *testing.T, log *controltest.Log) control.Call {
			call := permits(ticket.Request{SeparateApplier: true})(t, log)
			call.Actor = controltest.Anton
			return call
		}, false},
		{"bound to something else", ticket.CodeNotCovered, "is not among them", func(t *testing.T, log *controltest.Log) control.Call {
			planned(t, log, inRun(t, log, "other"), lb.OpCreate, "pool/other", controltest.Numbered(1))
			return controltest.By(approvedTicket(t, log, control.TicketRequest{Run: "other"}))
		}, false},
		{"a run that is not registered", control.CodeRunUnknown, "run-404", func(*testing.T, *controltest.Log) control.Call {
			call := underOne
			call.Run = "run-404"
			return call
		}, false},
		{"frozen", control.CodeFrozen, "freeze/f", after(func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "freeze/f", freeze(time.Now().Add(-time.Minute), "route/*"))
		}), true},
		{"policy", control.CodePolicyDenied, "policy/p", after(func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name == "web" => ticket.uses > 1000`}))
		}), true},
		{"what it refers to is gone", control.CodeReferenceMissing, "pool/old does not exist", after(func(t *testing.T, log *controltest.Log) {
			o, err := log.Delete(t.Context(), underOne, controltest.Address(t, "pool/old"), exists)
			controltest.Accepted(t, o, err)
		}), true},
		{"its port is another's", control.CodeAddressInUse, "collides with listener/y", after(func(t *testing.T, log *controltest.Log) {
			log.Create(t, "CHG-1", "listener/y", controltest.Listener(8000, ""))
		}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := shared
			if tt.alters {
				log = badRun(t)
			}
			w := &tangle{Log: log}
			call := tt.prepare(t, log)
			state, entries := w.state(), size(t, log)
			u, err := log.FindRollback(t.Context(), control.Rollback{Run: "run-1"}, nil)
			if err != nil || len(u.Effects) != 3 || len(u.Conflicts) != 0 {
				t.Fatalf("%+v, %v", u, err)
			}
			warnings, err := log.ForeseeRollback(t.Context(), call, u)
			if err != nil || size(t, log) != entries {
				t.Fatalf("%d entries, %v", size(t, log)-entries, err)
			}
			o, err := log.RollBack(t.Context(), call, u)
			r := controltest.Refused(t, tt.code, o, err)
			if !strings.Contains(r.Detail, tt.says) {
				t.Errorf("refused with %q", r.Detail)
			}
			if call.Ticket != "" && (len(warnings) != 1 || !strings.HasSuffix(warnings[0], r.Detail)) {
				t.Errorf("foreseen: %v; refused with %q", warnings, r.Detail)
			}
			if size(t, log) != entries+1 || !maps.Equal(w.state(), state) {
				t.Errorf("%d entries; the state is %v", size(t, log)-entries, w.state())
			}
		})
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
	log.Update(t, "CHG-1", "policy/p", rules(map[string]string{"r": `change.name == "b" => false`}))
	_, o = rollBack(t, log, underOne, control.Rollback{Everything: true, To: before, Governance: true})
	if controltest.Accepted(t, o, nil); len(o.Parts) != 2 || o.Entry.Resource != "policy/p" {
		t.Errorf("%d changes, the last of %s: what others are held to goes last", len(o.Parts), o.Entry.Resource)
	}
}
