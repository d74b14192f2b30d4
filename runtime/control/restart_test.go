package control_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// restarted restarts a closed log.
func restarted(t *testing.T, store control.Store, old note.Verifier, next *audit.Signer, lost []byte) (audit.Entry, error) {
	t.Helper()
	return control.Restart(t.Context(), control.Options{Store: store, Signer: next, Logger: slog.New(slog.DiscardHandler)}, old, byOperator, lost, "restored, INC-77")
}

func TestARestartGoesOnUnderAnotherNameFromWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "CHG-1")
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	old, head, entries := log.Signer, log.Checkpoint(), log.Entries(t)
	log.Close()
	next, stranger := newSigner(t, "example.com/log-2"), newSigner(t, controltest.Origin)
	for name, try := range map[string]func() error{
		"under the same name":   func() error { _, err := restarted(t, store, old.Verifier(), stranger, nil); return err },
		"by another key before": func() error { _, err := restarted(t, store, stranger.Verifier(), next, nil); return err },
		"of what another signed": func() error {
			_, err := restarted(t, store, old.Verifier(), next, []byte(strings.Replace(string(head), "\n"+fmt.Sprint(len(entries))+"\n", "\n99\n", 1)))
			return err
		},
	} {
		if err := try(); err == nil {
			t.Errorf("restarted %s", name)
		}
		if x, err := store.Extent(t.Context()); err != nil || string(x.Note) != string(head) {
			t.Errorf("%s: it left something behind: %v", name, err)
		}
	}
	e, err := restarted(t, store, old.Verifier(), next, head)
	if err != nil {
		t.Fatal(err)
	}
	again, err := controltest.TryOpenAs(t, next, control.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.Update(t, "CHG-1", "pool/web", controltest.Numbered(2))
	for i, now := range again.Entries(t)[:len(entries)] {
		if now.Seq != entries[i].Seq || now.BodyDigest != entries[i].BodyDigest {
			t.Errorf("entry %d is another now", i)
		}
	}
	restarts, err := again.Restarts(t.Context())
	if err != nil || len(restarts) != 1 || e.Seq != int64(len(entries)) {
		t.Fatalf("entry %d: %+v %v", e.Seq, restarts, err)
	}
	if k := restarts[0].Key; k.PreviousOrigin != controltest.Origin || k.PreviousCheckpoint != string(head) || k.LostCheckpoint != string(head) || k.Origin != next.Origin() || k.PublicKey != next.PublicKey() || k.Reason != "restored, INC-77" {
		t.Errorf("the entry says %+v", k)
	}
	followed(t, again, next, 0)
	if again.Origin() != next.Origin() || signedBy(again.Checkpoint(), old) {
		t.Errorf("it is signed\n%s", again.Checkpoint())
	}
	rotations, err := again.Rotations(t.Context())
	if err != nil || len(rotations) > 0 {
		t.Errorf("%d changes of key from under another name: %v", len(rotations), err)
	}
}
