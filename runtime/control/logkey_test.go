package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

func newSigner(t testing.TB, origin string) *audit.Signer {
	t.Helper()
	skey, vkey, err := audit.GenerateKey(origin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := audit.NewSigner(skey, vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var byOperator = control.Call{Actor: control.System("operator")}

// signedBy reports whether a key signed a checkpoint.
func signedBy(checkpoint []byte, s *audit.Signer) bool {
	_, err := audit.OpenCheckpoint(checkpoint, s.Verifier())
	return err == nil
}

func TestBothKeysSignTheCheckpointOfARotationAndNoOther(t *testing.T) {
	log := newLog(t)
	old, next := log.Signer, newSigner(t, controltest.Origin)
	before := log.Checkpoint()
	o, err := log.RotateKey(t.Context(), byOperator, next, "yearly\x00"+strings.Repeat("é", 1000))
	controltest.Accepted(t, o, err)
	at := log.Checkpoint()
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	after := log.Checkpoint()
	for _, c := range []struct {
		name       string
		checkpoint []byte
		old, next  bool
	}{{"before", before, true, false}, {"the rotation's", at, true, true}, {"after", after, false, true}} {
		if signedBy(c.checkpoint, old) != c.old || signedBy(c.checkpoint, next) != c.next {
			t.Errorf("%s is signed by\n%s", c.name, c.checkpoint)
		}
	}
	key, err := audit.ParseLogKey(mustBody(t, log, o.Entry.Seq))
	if err != nil || key.PreviousKey != old.PublicKey() || key.PublicKey != next.PublicKey() || !strings.HasPrefix(key.Reason, "yearly") || len(key.Reason) > 510 {
		t.Errorf("the entry says %+v: %v", key, err)
	}
	if log.PublicKey() != next.PublicKey() {
		t.Error("the key is the old one")
	}
	stranger := newSigner(t, "example.com/elsewhere")
	for _, s := range []*audit.Signer{next, stranger} {
		if _, err := log.RotateKey(t.Context(), byOperator, s, "x"); err == nil {
			t.Errorf("the key is changed to %s", s.PublicKey())
		}
	}
	if got := size(t, log); string(log.Checkpoint()) != string(after) || got != o.Entry.Seq+2 {
		t.Errorf("what was refused left something: %d entries", got)
	}
}

func mustBody(t testing.TB, log *controltest.Log, seq int64) []byte {
	t.Helper()
	row, err := log.Store.Entry(t.Context(), seq)
	if err != nil || row == nil {
		t.Fatalf("entry %d: %v", seq, err)
	}
	return row.Body
}

// followed fails the test unless who trusts a key comes to the log's by its rotations.
func followed(t *testing.T, log *controltest.Log, from *audit.Signer, changes int) {
	t.Helper()
	rotations, err := log.Rotations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trust, err := audit.NewTrust(from.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Follow(rotations); err != nil {
		t.Error(err)
	}
	if _, err := trust.OpenCheckpoint(log.Checkpoint()); err != nil || len(trust.Added()) != changes {
		t.Errorf("over %d changes: %v", len(trust.Added()), err)
	}
	proof, err := log.Prove(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if fresh, err := audit.NewTrust(from.PublicKey()); err != nil {
		t.Error(err)
	} else if _, err := fresh.CheckProof(&proof); err != nil {
		t.Errorf("a proof: %v", err)
	}
}

// TestRotationsAreFollowedAlsoAmongOtherChanges rotates while the log is busy, so that
// entries of others are in the same commits.
func TestRotationsAreFollowedAlsoAmongOtherChanges(t *testing.T) {
	log, store := newFaultyLog(t)
	first := log.Signer
	begun, release := make(chan struct{}, 1), make(chan struct{})
	store.onCommit(func(commit func() error) error {
		select {
		case begun <- struct{}{}:
		default:
		}
		<-release
		return commit()
	})
	var all sync.WaitGroup
	create := func(name string) {
		all.Go(func() {
			o, err := log.Put(context.Background(), underOne, put(t, "pool/"+name, controltest.Numbered(1), 0))
			if err != nil || o.Refusal() != nil {
				t.Errorf("%v %+v", err, o.Refusal())
			}
		})
	}
	waiting := func(n int) {
		for log.Waiting() < n {
			select {
			case <-t.Context().Done():
				return
			default:
			}
		}
	}
	create("held")
	<-begun
	failed := make(chan error, 2)
	for i := range 2 { // of two at once, one happens
		create(fmt.Sprintf("before-%d", i))
		waiting(3*i + 1)
		all.Go(func() {
			_, err := log.RotateKey(context.Background(), byOperator, newSigner(t, controltest.Origin), "x")
			failed <- err
		})
		waiting(3*i + 2)
		create(fmt.Sprintf("after-%d", i))
		waiting(3*i + 3)
	}
	close(release)
	all.Wait()
	store.onCommit(nil)
	if a, b := <-failed, <-failed; (a == nil) == (b == nil) {
		t.Errorf("of two changes of key at once: %v, %v", a, b)
	}
	followed(t, log, first, 1)
	for n := range 2 {
		o, err := log.RotateKey(t.Context(), byOperator, newSigner(t, controltest.Origin), "x")
		controltest.Accepted(t, o, err)
		log.Create(t, "CHG-1", fmt.Sprintf("pool/n%d", n), controltest.Numbered(n))
	}
	followed(t, log, first, 3)
	for _, e := range log.Entries(t) {
		if e.Op == audit.OpRotate {
			if key, err := audit.ParseLogKey(mustBody(t, log, e.Seq)); err != nil || key.PreviousKey == key.PublicKey {
				t.Errorf("entry %d says %+v: %v", e.Seq, key, err)
			}
		}
	}
}

// TestEachRotationNamesTheKeyBeforeIt also when several are on their way at once.
func TestEachRotationNamesTheKeyBeforeIt(t *testing.T) {
	log := newLog(t)
	first := log.Signer.PublicKey()
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			_, _ = log.RotateKey(context.Background(), byOperator, newSigner(t, controltest.Origin), "x")
		})
	}
	all.Wait()
	n := 0
	for _, e := range log.Entries(t) {
		if e.Op != audit.OpRotate {
			continue
		}
		key, err := audit.ParseLogKey(mustBody(t, log, e.Seq))
		if err != nil || key.PreviousKey != first {
			t.Errorf("entry %d names %q before it, and it was %q", e.Seq, key.PreviousKey, first)
		}
		first, n = key.PublicKey, n+1
	}
	if n == 0 || first != log.PublicKey() {
		t.Errorf("after %d changes the key is %q", n, log.PublicKey())
	}
	followed(t, log, log.Signer, n)
}

func TestARotationHappensOrDoesNot(t *testing.T) {
	for name, commits := range map[string]bool{"the commit fails": false, "the commit succeeds and says that it failed": true} {
		t.Run(name, func(t *testing.T) {
			log, store := newFaultyLog(t)
			old, next := log.Signer, newSigner(t, controltest.Origin)
			store.onCommit(func(commit func() error) error {
				if commits {
					if err := commit(); err != nil {
						return err
					}
				}
				return errors.New("broken pipe")
			})
			if _, err := log.RotateKey(t.Context(), byOperator, next, "x"); !errors.Is(err, control.ErrLogUnavailable) {
				t.Errorf("%v", err)
			}
			store.onCommit(nil)
			log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
			if signedBy(log.Checkpoint(), old) == commits || signedBy(log.Checkpoint(), next) != commits {
				t.Errorf("the log goes on with the other key\n%s", log.Checkpoint())
			}
			followed(t, log, old, map[bool]int{true: 1}[commits])
		})
	}
}

func TestAfterARotationTheNewKeyOpensTheLogAndTheOldDoesNot(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "CHG-1")
	old, next := log.Signer, newSigner(t, controltest.Origin)
	o, err := log.RotateKey(t.Context(), byOperator, next, "x")
	controltest.Accepted(t, o, err)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	log.Close()
	store.Close()
	store = openStore(t, dir)
	if _, err := controltest.TryOpenAs(t, old, control.Options{Store: store}); !control.IsIntegrity(err) {
		t.Errorf("by the old key: %v", err)
	}
	again, err := controltest.TryOpenAs(t, next, control.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.Update(t, "CHG-1", "pool/web", controltest.Numbered(2))
	followed(t, again, old, 1)
	report, err := audit.Verify(t.Context(), store, next.Verifier(), nil)
	if err != nil || !report.OK() {
		t.Errorf("%v %v", err, report.Findings)
	}
}
