package control_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// planned records a plan and fails the test unless it was accepted.
func planned(t *testing.T, log *controltest.Log, call control.Call, op lb.Op, address string, obj lb.Object, unknown ...string) control.Outcome {
	t.Helper()
	if obj != nil {
		obj.Normalize()
	}
	o, err := log.Plan(t.Context(), call, control.Plan{Address: controltest.Address(t, address), Op: op, Object: obj, Unknown: unknown})
	return controltest.Accepted(t, o, err)
}

// applied makes a change and fails the test unless it was accepted.
func applied(t *testing.T, log *controltest.Log, call control.Call, change control.Put) control.Outcome {
	t.Helper()
	o, err := log.Put(t.Context(), call, change)
	return controltest.Accepted(t, o, err)
}

// fulfils fails the test unless an apply is linked to a plan; 0 is no plan.
func fulfils(t *testing.T, apply control.Outcome, plan int64) {
	t.Helper()
	if apply.Entry.Plan != plan || apply.Entry.Unplanned != (plan == 0) {
		t.Errorf("the apply is linked to plan %d (unplanned: %t); want %d", apply.Entry.Plan, apply.Entry.Unplanned, plan)
	}
}

func TestAnApplyIsLinkedToThePlanOfItsRun(t *testing.T) {
	log := newLog(t)
	run1, run2 := inRun(t, log, "run-1"), inRun(t, log, "run-2")
	own := planned(t, log, run1, lb.OpCreate, "pool/web", controltest.Numbered(1))
	planned(t, log, run2, lb.OpCreate, "pool/web", controltest.Numbered(1))
	apply := applied(t, log, run1, put(t, "pool/web", controltest.Numbered(1), 0))
	fulfils(t, apply, own.Entry.Seq)
	if apply.Entry.EffectDigest != own.Entry.EffectDigest {
		t.Errorf("effect applied %s, planned %s", apply.Entry.EffectDigest, own.Entry.EffectDigest)
	}
}

func TestAnApplyWithoutAPlanOfItsRunTakesTheNewestOfItsEffect(t *testing.T) {
	log := newLog(t)
	planned(t, log, inRun(t, log, "run-1"), lb.OpCreate, "pool/web", controltest.Numbered(1))
	newer := planned(t, log, inRun(t, log, "run-2"), lb.OpCreate, "pool/web", controltest.Numbered(1))
	planned(t, log, inRun(t, log, "run-3"), lb.OpCreate, "pool/web", controltest.Numbered(2))
	for name, call := range map[string]control.Call{"in another run": inRun(t, log, "run-4"), "in no run": underOne} {
		t.Run(name, func(t *testing.T) {
			fulfils(t, applied(t, log, call, put(t, "pool/web", controltest.Numbered(1), 0)), newer.Entry.Seq)
			o, err := log.Delete(t.Context(), underOne, controltest.Address(t, "pool/web"), exists)
			controltest.Accepted(t, o, err)
		})
	}
}

// TestWhatWasNotPlannedIsMarked varies everything that makes another effect.
func TestWhatWasNotPlannedIsMarked(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	planned(t, log, run, lb.OpCreate, "pool/web", controltest.Numbered(1))
	fulfils(t, applied(t, log, run, put(t, "pool/web", controltest.Numbered(2), 0)), 0) // other content
	fulfils(t, applied(t, log, run, put(t, "pool/api", controltest.Numbered(1), 0)), 0) // other object

	update := planned(t, log, run, lb.OpUpdate, "pool/web", controltest.Numbered(3))
	log.Update(t, "CHG-1", "pool/web", controltest.Numbered(9)) // somebody came between
	fulfils(t, applied(t, log, run, put(t, "pool/web", controltest.Numbered(3), -1)), 0)

	log.Update(t, "CHG-1", "pool/web", controltest.Numbered(2)) // back to what was planned from
	fulfils(t, applied(t, log, run, put(t, "pool/web", controltest.Numbered(3), -1)), update.Entry.Seq)

	o, err := log.Delete(t.Context(), run, controltest.Address(t, "pool/api"), exists)
	fulfils(t, controltest.Accepted(t, o, err), 0)
	deletion := planned(t, log, run, lb.OpDelete, "pool/web", nil)
	o, err = log.Delete(t.Context(), run, controltest.Address(t, "pool/web"), exists)
	fulfils(t, controltest.Accepted(t, o, err), deletion.Entry.Seq)
}

// TestAPlanWithUnknownValuesIsFulfilledByAnyOfThem leaves values open that are
// known only when it is applied.
func TestAPlanWithUnknownValuesIsFulfilledByAnyOfThem(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	open := controltest.Numbered(1)
	open.Members = map[string]lb.Member{}
	plan := planned(t, log, run, lb.OpCreate, "pool/web", open, "/members", "/timeouts/connect")
	if slices.Sort(plan.Body.Unknown); !slices.Equal(plan.Body.Unknown, []string{"/members", "/timeouts/connect"}) ||
		strings.Contains(string(plan.Body.After), `"members":`) || strings.Contains(string(plan.Body.After), `"connect":`) {
		t.Errorf("recorded %s with %v unknown", plan.Body.After, plan.Body.Unknown)
	}
	planned(t, log, run, lb.OpCreate, "pool/other", open, "/members")
	fulfils(t, applied(t, log, run, put(t, "pool/other", controltest.Numbered(2), 0)), 0) // what was known is otherwise
	fulfils(t, applied(t, log, run, put(t, "pool/web", controltest.Numbered(1), 0)), plan.Entry.Seq)
}

// TestThePlanOfTheRunComesBeforeAnExacterOne has two plans that an apply
// fulfils: its own with values unknown, and another run's with all known.
func TestThePlanOfTheRunComesBeforeAnExacterOne(t *testing.T) {
	log := newLog(t)
	run1, run2 := inRun(t, log, "run-1"), inRun(t, log, "run-2")
	own := planned(t, log, run1, lb.OpCreate, "pool/web", controltest.Numbered(1), "/labels")
	planned(t, log, run2, lb.OpCreate, "pool/web", controltest.Numbered(1))
	fulfils(t, applied(t, log, run1, put(t, "pool/web", controltest.Numbered(1), 0)), own.Entry.Seq)
}

func TestPlanningTwiceIsOneEntry(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	first := planned(t, log, run, lb.OpCreate, "pool/web", controltest.Numbered(1))
	entries := size(t, log)
	again := planned(t, log, run, lb.OpCreate, "pool/web", controltest.Numbered(1))
	if first.Unchanged || !again.Unchanged {
		t.Errorf("recorded nothing: first %t, again %t", first.Unchanged, again.Unchanged)
	}
	again.Unchanged = false
	sameAnswer(t, first, again)
	if got := size(t, log); got != entries {
		t.Errorf("the second plan appended %d entries", got-entries)
	}
	other := planned(t, log, inRun(t, log, "run-2"), lb.OpCreate, "pool/web", controltest.Numbered(1))
	if other.Entry.Seq == first.Entry.Seq {
		t.Error("another run's plan is the same entry")
	}
}

func TestPlansChangeNothing(t *testing.T) {
	log := newLog(t)
	published := len(log.Publisher.Published())
	planned(t, log, underOne, lb.OpCreate, "pool/web", controltest.Numbered(1))
	if log.Config().Get(controltest.Address(t, "pool/web")) != nil || len(log.Publisher.Published()) != published {
		t.Error("a plan reached the configuration")
	}
	stateIsTheFold(t, log)
}

// TestAPlanWarnsOfWhatWouldBeRefusedNow gives warnings, not refusals: until it is
// applied much may change.
func TestAPlanWarnsOfWhatWouldBeRefusedNow(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	foreign := run
	foreign.Ticket = "CHG-404"
	tcp := controltest.Numbered(1)
	tcp.Protocol = lb.PoolTCP
	log.Create(t, "CHG-1", "pool/raw", tcp)
	for _, tt := range []struct {
		name string
		plan func() control.Outcome
		want string
	}{
		{"ticket", func() control.Outcome {
			return planned(t, log, foreign, lb.OpUpdate, "pool/web", controltest.Numbered(2))
		}, "there is no ticket CHG-404"},
		{"creation of what exists", func() control.Outcome {
			return planned(t, log, run, lb.OpCreate, "pool/web", controltest.Numbered(2))
		}, "pool/web exists already"},
		{"update of nothing", func() control.Outcome {
			return planned(t, log, run, lb.OpUpdate, "pool/nothing", controltest.Numbered(2))
		}, "pool/nothing does not exist"},
		{"reference to nothing", func() control.Outcome {
			return planned(t, log, run, lb.OpCreate, "listener/a", controltest.Listener(9001, "nowhere"))
		}, "pool/nowhere does not exist and is not planned in this run"},
		{"unsuitable reference", func() control.Outcome {
			return planned(t, log, run, lb.OpCreate, "listener/b", controltest.Listener(9002, "raw"))
		}, "protocol tcp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if warnings := tt.plan().Body.Warnings; len(warnings) != 1 || !strings.Contains(warnings[0], tt.want) {
				t.Errorf("warnings %q; want one with %q", warnings, tt.want)
			}
		})
	}
	planned(t, log, run, lb.OpCreate, "pool/later", controltest.Numbered(1))
	if o := planned(t, log, run, lb.OpCreate, "listener/c", controltest.Listener(9003, "later")); len(o.Body.Warnings) != 0 {
		t.Errorf("warned %q of a pool that the run plans to make", o.Body.Warnings)
	}
}

// TestAListenerMayTakeThePortOfOneThatItsRunRemoves is a rename: Terraform plans
// to delete one and to create the other.
func TestAListenerMayTakeThePortOfOneThatItsRunRemoves(t *testing.T) {
	log := newLog(t)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Create(t, "CHG-1", "listener/old", controltest.Listener(8080, "web"))
	plan := func(call control.Call, address string, port int) (control.Outcome, error) {
		return log.Plan(t.Context(), call, control.Plan{Address: controltest.Address(t, address), Op: lb.OpCreate, Object: controltest.Listener(port, "web")})
	}
	run := inRun(t, log, "run-1")
	o, err := plan(run, "listener/new", 8080)
	controltest.Refused(t, control.CodeAddressInUse, o, err)
	planned(t, log, run, lb.OpDelete, "listener/old", nil)
	create, err := plan(run, "listener/new", 8080)
	controltest.Accepted(t, create, err)
	o, err = plan(run, "listener/third", 8080)
	controltest.Refused(t, control.CodeAddressInUse, o, err)
	o, err = plan(inRun(t, log, "run-2"), "listener/new", 8080)
	controltest.Refused(t, control.CodeAddressInUse, o, err)

	o, err = log.Delete(t.Context(), run, controltest.Address(t, "listener/old"), exists)
	controltest.Accepted(t, o, err)
	fulfils(t, applied(t, log, run, put(t, "listener/new", controltest.Listener(8080, "web"), 0)), create.Entry.Seq)
}

func TestTwoPlannedListenersCanNotShareAPort(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	planned(t, log, run, lb.OpCreate, "listener/a", controltest.Listener(8080, ""))
	o, err := log.Plan(t.Context(), run, control.Plan{Address: controltest.Address(t, "listener/b"), Op: lb.OpCreate, Object: controltest.Listener(8080, "")})
	refusal := controltest.Refused(t, control.CodeAddressInUse, o, err)
	if len(refusal.Violations) != 1 || refusal.Violations[0].Pointer != "/port" || !strings.Contains(refusal.Detail, "listener/a") {
		t.Errorf("refused with %+v; want /port and listener/a named", refusal)
	}
	planned(t, log, run, lb.OpCreate, "listener/b", controltest.Listener(8080, ""), "/port") // not known yet
}

// TestTheEffectAppliedIsTheEffectPlanned compares digests with one computed from
// the entry's own body, so that the record can be checked without the runtime.
func TestTheEffectAppliedIsTheEffectPlanned(t *testing.T) {
	log := newLog(t)
	run := inRun(t, log, "run-1")
	planned(t, log, run, lb.OpCreate, "pool/web", controltest.Numbered(1))
	o := applied(t, log, run, put(t, "pool/web", controltest.Numbered(1), 0))
	digest, err := audit.Effect{Kind: lb.KindPool, Name: "web", Op: lb.OpCreate, Before: o.Body.Before, After: o.Body.After}.Digest()
	if err != nil || digest != o.Entry.EffectDigest {
		t.Errorf("effect digest %s, recomputed %s (%v)", o.Entry.EffectDigest, digest, err)
	}
}
