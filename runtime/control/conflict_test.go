package control_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// TestOfTwoRacingChangesOneWins has two people change an object from the same
// revision at once, over and over.
func TestOfTwoRacingChangesOneWins(t *testing.T) {
	log := newLog(t)
	log.Ticket(t, "CHG-2")
	call := map[string]control.Call{"olivia": inRun(t, log, "run-1"), "oscar": {Actor: controltest.Oscar, Ticket: "CHG-2"}}
	revision := log.Create(t, "CHG-1", "pool/web", controltest.Numbered(0)).Entry.Seq
	for round := range 30 {
		var wg sync.WaitGroup
		outcome := map[string]*control.Outcome{"olivia": {}, "oscar": {}}
		for who, o := range outcome {
			change := put(t, "pool/web", controltest.Numbered(2*round+len(who)), revision)
			wg.Go(func() {
				var err error
				if *o, err = log.Put(context.Background(), call[who], change); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		winner, loser := "olivia", "oscar"
		if outcome[winner].Refusal() != nil {
			winner, loser = loser, winner
		}
		won := controltest.Accepted(t, *outcome[winner], nil)
		refusal := controltest.Refused(t, control.CodePreconditionFailed, *outcome[loser], nil)
		if last := won.Entry.LastChange(); refusal.Current == nil || *refusal.Current != last {
			t.Fatalf("the loser is told of %+v; want %+v", refusal.Current, last)
		}
		for _, want := range []string{winner, call[winner].Ticket, won.Entry.Time.Format("2006-01-02T15:04:05"), call[winner].Run} {
			if !strings.Contains(refusal.Detail, want) {
				t.Errorf("%q does not mention %q", refusal.Detail, want)
			}
		}
		if now := log.Config().Get(controltest.Address(t, "pool/web")); now.Last.Revision != won.Entry.Seq || string(now.Encoded) != string(won.Body.After) {
			t.Fatalf("the configuration is %d %s; want the winner's", now.Last.Revision, now.Encoded)
		}
		revision = won.Entry.Seq
	}
	stateIsTheFold(t, log)
}

func TestAnObjectThatIsAsAskedIsLeftAlone(t *testing.T) {
	log := newLog(t)
	created := log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	entries, published := size(t, log), len(log.Publisher.Published())
	o, err := log.Put(t.Context(), underOne, put(t, "pool/web", controltest.Numbered(1), created.Entry.Seq))
	if controltest.Accepted(t, o, err); !o.Unchanged || o.Entry.Seq != created.Entry.Seq {
		t.Errorf("answered %+v; want Unchanged at revision %d", o, created.Entry.Seq)
	}
	if size(t, log) != entries || len(log.Publisher.Published()) != published {
		t.Error("nothing was changed, but something was written or published")
	}
}

// TestADeletedObjectCanBeMadeAgain follows an object through its lives: each
// revision is of its own entry.
func TestADeletedObjectCanBeMadeAgain(t *testing.T) {
	log := newLog(t)
	address := controltest.Address(t, "pool/web")
	first := log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1)).Entry.Seq
	o, err := log.Delete(t.Context(), underOne, address, control.Precondition{Revision: first})
	deleted := controltest.Accepted(t, o, err)
	if deleted.Entry.Base != first || deleted.Body.Before == nil || deleted.Body.After != nil {
		t.Errorf("the deletion is recorded as %+v %+v", deleted.Entry, deleted.Body)
	}
	if log.Config().Get(address) != nil || log.Config().Revision() != deleted.Entry.Seq {
		t.Error("the deleted object is still in the configuration")
	}
	second := log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1)).Entry.Seq
	if got := log.Config().Get(address); got.Last.Revision != second {
		t.Errorf("revision %d, want %d", got.Last.Revision, second)
	}
	stateIsTheFold(t, log)
}

// TestARunIsSharedAndItsClaimsAreNot has two people act in one run, as a pipeline
// with a token to plan and another to apply does.
func TestARunIsSharedAndItsClaimsAreNot(t *testing.T) {
	log := newLog(t)
	inRun(t, log, "run-1")
	entries := size(t, log)
	oscar := control.Call{Actor: controltest.Oscar, Ticket: "CHG-1", Run: "run-1"}
	o, err := log.RegisterRun(t.Context(), oscar, "run-1", map[string]string{"system": "test"})
	if controltest.Accepted(t, o, err); !o.Unchanged || size(t, log) != entries {
		t.Errorf("the same claims were recorded again: %+v", o)
	}
	o, err = log.Put(t.Context(), oscar, put(t, "pool/web", controltest.Numbered(1), 0))
	if e := controltest.Accepted(t, o, err).Entry; e.RunID() != "run-1" || e.Actor.Name != "oscar" {
		t.Errorf("entry %+v; want oscar in run-1", e)
	}
	o, err = log.RegisterRun(t.Context(), underOne, "run-1", map[string]string{"system": "other"})
	controltest.Accepted(t, o, err)
	run, err := log.RunByID(t.Context(), "run-1")
	if err != nil || run.RegisteredBy != "olivia" || string(run.Claims) != `{"system":"other"}` {
		t.Errorf("run %+v, %v", run, err)
	}
}
