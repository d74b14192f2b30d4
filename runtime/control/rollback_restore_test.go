package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

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
	lost := &lossy{Store: log.Store, body: -1}
	again := controltest.Open(t, control.Options{Store: lost})
	if u, err = again.FindRollback(t.Context(), control.Rollback{Everything: true, To: now.Entry.Seq}, nil); err != nil || len(u.Impossible) != 0 {
		t.Fatalf("%+v, %v", u, err)
	}
	lost.key = "key/" + other.Fingerprint // after the rollback was worked out
	o, err = again.RollBack(t.Context(), underOne, u)
	if r := controltest.Refused(t, control.CodeInvalid, o, err); o.Entry.Resource != "certificate/c" || !strings.Contains(refusalText(o), other.Fingerprint) {
		t.Errorf("refused for %s: %s", o.Entry.Resource, r.Detail)
	}
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
			u, err := again.FindRollback(t.Context(), control.Rollback{Everything: true, To: now.Entry.Seq}, func(_ context.Context, row *audit.Row) (*audit.Row, string) {
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

// TestTwoWhoTakeBackTheSameDoNotUndoEachOther: the second is told, and says where to if the
// rollback itself is what is to be taken back.
func TestTwoWhoTakeBackTheSameDoNotUndoEachOther(t *testing.T) {
	log := newLog(t)
	w := &tangle{Log: log}
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(0))
	good := w.state()
	bad := log.Update(t, "CHG-1", "pool/web", controltest.Numbered(1)).Entry.Seq
	back := control.Rollback{Address: controltest.Address(t, "pool/web"), To: control.BeforeNewest}
	_, o := rollBack(t, log, underOne, back)
	done := controltest.Accepted(t, o, nil).Entry
	_, err := log.FindRollback(t.Context(), back, nil)
	if refused := (*control.Refused)(nil); !errors.As(err, &refused) || refused.Code != control.CodePreconditionFailed || refused.Current.Revision != done.Seq || !strings.Contains(refused.Detail, fmt.Sprintf("revision %d by olivia", done.Seq)) {
		t.Fatalf("%v", err)
	}
	if !maps.Equal(w.state(), good) {
		t.Error("the change is back")
	}
	back.To = bad
	_, o = rollBack(t, log, underOne, back)
	if e := controltest.Accepted(t, o, nil).Entry; e.Rollback.To != bad || maps.Equal(w.state(), good) {
		t.Errorf("the rollback of the rollback: %+v", e.Rollback)
	}
}

func isRefused(err error, code string) bool {
	var refused *control.Refused
	return errors.As(err, &refused) && refused.Code == code
}
