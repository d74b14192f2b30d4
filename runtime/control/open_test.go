package control_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// TestARestartFindsEverythingAgain closes a log, cleanly and not, and opens it.
func TestARestartFindsEverythingAgain(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(map[bool]string{true: "after a shutdown", false: "after a crash"}[clean], func(t *testing.T) {
			dir := t.TempDir()
			store := openStore(t, dir)
			log := controltest.Open(t, control.Options{Store: store})
			log.Ticket(t, "CHG-1")
			log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
			log.Create(t, "CHG-1", "listener/front", controltest.Listener(8080, "web"))
			log.Create(t, "CHG-1", "pool/gone", controltest.Numbered(1))
			o, err := log.Delete(t.Context(), underOne, controltest.Address(t, "pool/gone"), exists)
			controltest.Accepted(t, o, err)
			_, text, err := log.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "alice", Role: "viewer"})
			if err != nil {
				t.Fatal(err)
			}
			o, revoked, err := log.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "bob", Role: "admin"})
			controltest.Accepted(t, o, err)
			o, err = log.RevokeToken(t.Context(), control.Call{Actor: control.System("test")}, strings.TrimPrefix(o.Entry.Resource, "token/"))
			controltest.Accepted(t, o, err)
			if clean {
				log.Close()
			}
			store.Close()

			again := controltest.Open(t, control.Options{Store: openStore(t, dir)})
			if got, want := again.Config().Revision(), log.Config().Revision(); got != want {
				t.Errorf("revision %d, want %d", got, want)
			}
			if got := again.Publisher.Published(); !slices.Equal(got, []int64{again.Config().Revision()}) {
				t.Errorf("published %v at start", got)
			}
			stateIsTheFold(t, again)
			if actor, err := again.Authenticate(text); err != nil || actor.Name != "alice" {
				t.Errorf("alice's token: %+v, %v", actor, err)
			}
			if _, err := again.Authenticate(revoked); err == nil {
				t.Error("a revoked token is valid after the restart")
			}
			again.Update(t, "CHG-1", "pool/web", controltest.Numbered(2))
			stateIsTheFold(t, again)
		})
	}
}

func TestALogBeginsByNamingItself(t *testing.T) {
	log := newLog(t)
	first := log.Entries(t)[0]
	if first.Seq != 0 || first.Type != audit.TypeSystem || first.Resource != "log" || first.Actor.Name != "system/log" {
		t.Errorf("the first entry is %+v", first)
	}
}

// TestTimeNeverStandsStillOrGoesBack sets the clock back, also over a restart.
func TestTimeNeverStandsStillOrGoesBack(t *testing.T) {
	now := newClock()
	dir := t.TempDir()
	store := openStore(t, dir)
	log := controltest.Open(t, control.Options{Store: store, Now: now.Now})
	log.Ticket(t, "CHG-1")
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	now.Advance(-time.Minute)
	log.Update(t, "CHG-1", "pool/web", controltest.Numbered(2))
	log.Close()
	store.Close()
	now.Advance(-time.Hour)
	log = controltest.Open(t, control.Options{Store: openStore(t, dir), Now: now.Now})
	log.Update(t, "CHG-1", "pool/web", controltest.Numbered(3))
	entries := log.Entries(t)
	for i := 1; i < len(entries); i++ {
		if !entries[i].Time.After(entries[i-1].Time) {
			t.Errorf("entry %d at %s is not after %s", i, entries[i].Time, entries[i-1].Time)
		}
	}
	stateIsTheFold(t, log)
}

// TestAnotherKeyDoesNotOpenTheLog keeps a log from going on under another
// signature.
func TestAnotherKeyDoesNotOpenTheLog(t *testing.T) {
	store := openStore(t, t.TempDir())
	log := controltest.Open(t, control.Options{Store: store})
	log.Close()
	skey, vkey, err := audit.GenerateKey(controltest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	other, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = control.Open(t.Context(), control.Options{Store: store, Signer: other, Publisher: log.Publisher, Logger: textLogger(t.Output())})
	if !control.IsIntegrity(err) {
		t.Errorf("opened with another key: %v", err)
	}
}
