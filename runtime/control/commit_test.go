package control_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// newFaultyLog is newLog over a store whose commits can be made to fail.
func newFaultyLog(t *testing.T) (*controltest.Log, *faulty) {
	t.Helper()
	store := &faulty{Store: openStore(t, t.TempDir())}
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "CHG-1")
	return log, store
}

func TestConcurrentChangesShareCommits(t *testing.T) {
	log, store := newFaultyLog(t)
	store.onCommit(func(commit func() error) error {
		time.Sleep(10 * time.Millisecond) // a slow disk, so that calls gather
		return commit()
	})
	before, _ := log.Commits.Counts()
	const calls = 200
	seqs := make([]int64, calls)
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			// Ten calls for each pool: nine of them find it created by the first.
			o, err := log.Put(context.Background(), underOne, put(t, fmt.Sprintf("pool/p%d", i%20), controltest.Numbered(i), 0))
			if err != nil {
				t.Error(err)
			}
			seqs[i] = o.Entry.Seq
		})
	}
	wg.Wait()

	slices.Sort(seqs)
	if len(slices.Compact(slices.Clone(seqs))) != calls || seqs[0] == 0 {
		t.Errorf("%d calls have the revisions %v; want them all distinct", calls, seqs)
	}
	if first, last := seqs[0], seqs[calls-1]; last-first != calls-1 {
		t.Errorf("revisions go from %d to %d; want no gaps", first, last)
	}
	after, _ := log.Commits.Counts()
	if commits := after - before; commits > calls/4 {
		t.Errorf("%d calls took %d commits", calls, commits)
	}
	stateIsTheFold(t, log)
}

// oneBatch keeps the log busy with a call of its own, so that the calls made
// through call, in this order, are committed together once wait is called.
func oneBatch(t *testing.T, log *controltest.Log, store *faulty) (call func(func()), wait func()) {
	t.Helper()
	busy, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	store.onCommit(func(commit func() error) error {
		once.Do(func() {
			close(busy)
			<-release
		})
		return commit()
	})
	var wg sync.WaitGroup
	wg.Go(func() { log.Put(context.Background(), underOne, put(t, "pool/first", controltest.Numbered(1), 0)) })
	<-busy
	queued := 0
	call = func(f func()) {
		wg.Go(f)
		for queued++; log.Waiting() < queued; {
			time.Sleep(time.Millisecond)
		}
	}
	return call, func() {
		close(release)
		wg.Wait()
	}
}

// TestCallsInOneBatchSeeEachOther holds calls that are committed together to
// the order in which they were decided.
func TestCallsInOneBatchSeeEachOther(t *testing.T) {
	log, store := newFaultyLog(t)
	before, _ := log.Commits.Counts()
	call, wait := oneBatch(t, log, store)
	var create, listener, deletion, again control.Outcome
	call(func() {
		create, _ = log.Put(context.Background(), underOne, put(t, "pool/web", controltest.Numbered(1), 0))
	})
	call(func() {
		listener, _ = log.Put(context.Background(), underOne, put(t, "listener/front", controltest.Listener(8080, "web"), 0))
	})
	call(func() {
		deletion, _ = log.Delete(context.Background(), underOne, controltest.Address(t, "pool/web"), exists)
	})
	call(func() {
		again, _ = log.Put(context.Background(), underOne, put(t, "pool/web", controltest.Numbered(2), 0))
	})
	wait()

	controltest.Accepted(t, create, nil)
	controltest.Accepted(t, listener, nil)
	controltest.Refused(t, control.CodeReferenced, deletion, nil)
	r := controltest.Refused(t, control.CodePreconditionFailed, again, nil)
	if r.Current.Revision != create.Entry.Seq {
		t.Errorf("the conflict is with revision %d, want %d of the same batch", r.Current.Revision, create.Entry.Seq)
	}
	if after, _ := log.Commits.Counts(); after-before != 2 {
		t.Errorf("%d commits; want one for the first call and one for the other four", after-before)
	}
	stateIsTheFold(t, log)
}

// TestAFailedCommitIsSettledByARetry makes a commit fail before and after it
// took effect. The caller can't tell; the same key finds out.
func TestAFailedCommitIsSettledByARetry(t *testing.T) {
	for _, tt := range []struct {
		name string
		hook func(commit func() error) error
		took bool
	}{
		{"before it took effect", func(func() error) error { return errors.New("cut off") }, false},
		{"after it took effect", func(commit func() error) error { return errors.Join(commit(), errors.New("cut off")) }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log, store := newFaultyLog(t)
			call := underOne
			call.Key, call.Digest = "key", "digest"
			published, entries := log.Publisher.Published(), size(t, log)
			store.onCommit(tt.hook)
			_, err := log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(1), 0))
			if !errors.Is(err, control.ErrLogUnavailable) {
				t.Fatalf("answered %v; want ErrLogUnavailable", err)
			}
			if got := log.Publisher.Published(); !slices.Equal(got, published) {
				t.Fatalf("published %v although the commit is not known", got)
			}
			if log.Config().Get(controltest.Address(t, "pool/web")) != nil {
				t.Fatal("the object is in the running configuration although the commit is not known")
			}
			if log.Ready() != nil {
				t.Error("one failed commit must not make the log refuse for good")
			}

			store.onCommit(nil)
			o, err := log.Put(t.Context(), call, put(t, "pool/web", controltest.Numbered(1), 0))
			controltest.Accepted(t, o, err)
			if got := size(t, log); o.Entry.Seq != entries || got != entries+1 {
				t.Errorf("the retry is entry %d of %d; want %d of %d", o.Entry.Seq, got, entries, entries+1)
			}
			if got := log.Config().Get(controltest.Address(t, "pool/web")); got == nil || got.Last.Revision != o.Entry.Seq {
				t.Errorf("running configuration after the retry: %+v", got)
			}
			if got := log.Publisher.Published(); got[len(got)-1] != o.Entry.Seq {
				t.Errorf("published %v; want revision %d last", got, o.Entry.Seq)
			}
			stateIsTheFold(t, log)
			log.Create(t, "CHG-1", "pool/next", controltest.Numbered(1))
			stateIsTheFold(t, log)
		})
	}
}

// TestATokenOfAFailedCommitIsNotValid holds tokens to the same rule as traffic.
func TestATokenOfAFailedCommitIsNotValid(t *testing.T) {
	log, store := newFaultyLog(t)
	store.onCommit(func(func() error) error { return errors.New("cut off") })
	_, text, err := log.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "alice", Role: "admin"})
	if err == nil || text != "" {
		t.Fatalf("token %q, error %v; want no token", text, err)
	}
	if tokens := tokensOf(t, log); len(tokens) != 0 {
		t.Errorf("tokens in memory: %+v", tokens)
	}
}

func TestAFullLogRefusesAndRecovers(t *testing.T) {
	log, store := newFaultyLog(t)
	store.onCommit(func(func() error) error { return fmt.Errorf("disk: %w", control.ErrLogFull) })
	if _, err := log.Put(t.Context(), underOne, put(t, "pool/web", controltest.Numbered(1), 0)); !errors.Is(err, control.ErrLogFull) || errors.Is(err, control.ErrLogUnavailable) {
		t.Fatalf("answered %v; want ErrLogFull alone", err)
	}
	store.onCommit(nil)
	log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
	stateIsTheFold(t, log)
}

// TestAFailedSyncStopsChangesForGood keeps the runtime from writing on a disk
// whose contents are not known.
func TestAFailedSyncStopsChangesForGood(t *testing.T) {
	log, store := newFaultyLog(t)
	entries := size(t, log)
	store.onCommit(func(func() error) error { return fmt.Errorf("fsync: %w", control.ErrLogBroken) })
	for range 2 {
		if _, err := log.Put(t.Context(), underOne, put(t, "pool/web", controltest.Numbered(1), 0)); !errors.Is(err, control.ErrLogBroken) {
			t.Fatalf("answered %v; want ErrLogBroken", err)
		}
		store.onCommit(nil) // the disk seems well again: that proves nothing
	}
	if !errors.Is(log.Ready(), control.ErrLogBroken) {
		t.Errorf("Ready() = %v; want ErrLogBroken", log.Ready())
	}
	if got := size(t, log); got != entries {
		t.Errorf("%d entries were written after the failed sync", got-entries)
	}
}

func TestACallThatWasGivenUpIsNotMade(t *testing.T) {
	log := newLog(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	entries := size(t, log)
	if _, err := log.Put(ctx, underOne, put(t, "pool/web", controltest.Numbered(1), 0)); !errors.Is(err, control.ErrLogUnavailable) {
		t.Fatalf("answered %v; want ErrLogUnavailable", err)
	}
	log.Create(t, "CHG-1", "pool/next", controltest.Numbered(1)) // the call before, if it was queued, is decided by now
	if got := size(t, log); got != entries+1 {
		t.Errorf("%d entries, want 1", got-entries)
	}
}

func TestAClosedLogTakesNoCalls(t *testing.T) {
	log := newLog(t)
	log.Close()
	if _, err := log.Put(t.Context(), underOne, put(t, "pool/web", controltest.Numbered(1), 0)); !errors.Is(err, control.ErrLogUnavailable) {
		t.Fatalf("answered %v; want ErrLogUnavailable", err)
	}
}
