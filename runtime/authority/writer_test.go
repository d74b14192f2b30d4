package authority_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
)

// ledger is a source, and a place to comment at, that keeps the times of what happens.
type ledger struct {
	mu       sync.Mutex
	began    time.Time
	through  map[string]int64 // newest seq by ticket
	written  []string
	comments []string
	// evidenceErr, commentErr and writtenErr say what the next calls fail with.
	evidenceErr, commentErr, writtenErr []error
	// during is called while a comment is being written.
	during func()
}

func newLedger() *ledger { return &ledger{began: time.Now(), through: map[string]int64{}} }

func pop(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (l *ledger) happened(seq int64, ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.through[id] = seq
	}
}

func (l *ledger) Evidence(_ context.Context, id string) (authority.Evidence, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.through[id] == 0 {
		return authority.Evidence{Ticket: id}, pop(&l.evidenceErr)
	}
	return authority.Evidence{Ticket: id, Applied: 1, Through: l.through[id]}, pop(&l.evidenceErr)
}

func (l *ledger) Comment(ctx context.Context, id, text string) error {
	if l.during != nil {
		l.during()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := pop(&l.commentErr); err != nil {
		return err
	}
	if !strings.Contains(text, id) {
		return fmt.Errorf("the text does not name %s", id)
	}
	l.comments = append(l.comments, fmt.Sprintf("%s at %s", id, time.Since(l.began)))
	return nil
}

func (l *ledger) Written(_ context.Context, id string, through int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := pop(&l.writtenErr); err != nil {
		return err
	}
	l.written = append(l.written, fmt.Sprintf("%s %d", id, through))
	return nil
}

func (l *ledger) check(t *testing.T, comments, written []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.comments, comments) || !slices.Equal(l.written, written) {
		t.Errorf("comments %q, written %q; want %q and %q", l.comments, l.written, comments, written)
	}
}

// write runs a writer in a bubble of its own time.
func write(t *testing.T, cfg authority.WriterConfig, test func(*testing.T, *ledger, *authority.Writer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		w := authority.NewWriter(l, l, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.Run(ctx) }()
		synctest.Wait()
		test(t, l, w)
		cancel()
		<-done
	})
}

func TestEvidenceIsWrittenOnceChangesHaveComeToRest(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		for seq := range int64(5) {
			l.happened(seq+1, "A-1")
			w.Note("A-1", seq+1)
			time.Sleep(10 * time.Second)
		}
		if got := w.Pending(); !slices.Equal(got, []string{"A-1"}) {
			t.Errorf("pending are %q", got)
		}
		time.Sleep(time.Hour)
		l.check(t, []string{"A-1 at 55s"}, []string{"A-1 5"})
		if got := w.Pending(); len(got) != 0 {
			t.Errorf("pending are %q", got)
		}
	})
}

func TestEvidenceDoesNotWaitForEverForChangesToEnd(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		for seq := range int64(13) { // for 130 seconds
			l.happened(seq+1, "A-1")
			w.Note("A-1", seq+1)
			time.Sleep(10*time.Second + time.Millisecond)
		}
		time.Sleep(time.Hour)
		// The second one is due 15s after the last change.
		l.check(t, []string{"A-1 at 2m0s", "A-1 at 2m15.012s"}, []string{"A-1 12", "A-1 13"})
	})
}

func TestAFailedAttemptIsRepeatedUntilItSucceeds(t *testing.T) {
	unavailable := &authority.Unavailable{Authority: "x", Reason: "it answered 503"}
	asks := &authority.Unavailable{Authority: "x", Reason: "it asks for fewer requests (429)", RetryAfter: 100 * time.Second}
	failing := errors.New("failing")
	tests := []struct {
		name     string
		prepare  func(*ledger)
		comments []string
	}{
		{"the evidence", func(l *ledger) { l.evidenceErr = []error{failing, failing} }, []string{"A-1 at 30s"}},
		{"the comment", func(l *ledger) { l.commentErr = []error{unavailable, unavailable, unavailable} }, []string{"A-1 at 50s"}},
		{"the comment, and it asks for time", func(l *ledger) { l.commentErr = []error{asks} }, []string{"A-1 at 1m55s"}},
		{"the comment, the ticket being gone", func(l *ledger) { l.commentErr = slices.Repeat([]error{authority.ErrNotFound}, 20) }, []string{"A-1 at 2h20m50s"}},
		{"the report, which writes no second comment", func(l *ledger) { l.writtenErr = []error{failing, failing} }, []string{"A-1 at 15s"}},
		{"nothing: it takes no comments", func(l *ledger) { l.commentErr = []error{authority.ErrReadOnly} }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var failed, written int
			write(t, authority.WriterConfig{
				OnFailed:  func(_ string, err error, retryIn time.Duration) { failed++ },
				OnWritten: func(string, time.Duration) { written++ },
			}, func(t *testing.T, l *ledger, w *authority.Writer) {
				tt.prepare(l)
				faults := len(l.evidenceErr) + len(l.commentErr) + len(l.writtenErr)
				if tt.comments == nil {
					faults = 0
				}
				l.happened(3, "A-1")
				w.Note("A-1", 3)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				l.check(t, tt.comments, []string{"A-1 3"})
				if failed != faults || written != 1 {
					t.Errorf("told of %d failures and %d successes, want %d and 1", failed, written, faults)
				}
			})
		})
	}
}

func TestWhatHappensDuringAnAttemptIsWrittenToo(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		var once sync.Once
		l.during = func() {
			once.Do(func() {
				l.happened(2, "A-1")
				w.Note("A-1", 2)
			})
		}
		l.happened(1, "A-1")
		w.Note("A-1", 1)
		time.Sleep(time.Hour)
		l.check(t, []string{"A-1 at 15s", "A-1 at 30s"}, []string{"A-1 1", "A-1 2"})
	})
}

func TestWhatHasNothingToTellIsNotWrittenAndNotKept(t *testing.T) {
	written := 0
	write(t, authority.WriterConfig{OnWritten: func(string, time.Duration) { written++ }}, func(t *testing.T, l *ledger, w *authority.Writer) {
		w.Note("A-1", 7)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		l.check(t, nil, nil)
		if got := w.Pending(); len(got) != 0 || written != 0 {
			t.Errorf("pending are %q, and %d were written", got, written)
		}
	})
}

func TestOneTicketThatFailsDoesNotHoldUpAnother(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		l.commentErr = []error{&authority.Unavailable{RetryAfter: time.Hour}}
		l.happened(1, "A-1", "A-2")
		w.Note("A-1", 1)
		time.Sleep(time.Second)
		w.Note("A-2", 1)
		time.Sleep(time.Minute)
		l.check(t, []string{"A-2 at 16s"}, []string{"A-2 1"})
		w.Note("A-1", 2) // a further change does not shorten the wait
		time.Sleep(30 * time.Minute)
		l.check(t, []string{"A-2 at 16s"}, []string{"A-2 1"})
	})
}

func TestCloseWritesWhatIsPending(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		l.happened(1, "A-1", "A-2")
		w.Note("A-1", 1)
		w.Note("A-2", 1)
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
		l.check(t, []string{"A-1 at 0s", "A-2 at 0s"}, []string{"A-1 1", "A-2 1"})
	})
}

func TestCloseTellsWhatIsLeft(t *testing.T) {
	write(t, authority.WriterConfig{}, func(t *testing.T, l *ledger, w *authority.Writer) {
		failing := errors.New("failing")
		l.commentErr = []error{failing}
		l.happened(1, "A-1", "A-2")
		w.Note("A-1", 1)
		w.Note("A-2", 1)
		if err := w.Close(t.Context()); !errors.Is(err, failing) || !slices.Equal(w.Pending(), []string{"A-1"}) {
			t.Errorf("error is %v, pending are %q", err, w.Pending())
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Close(over); !errors.Is(err, context.Canceled) || !slices.Equal(w.Pending(), []string{"A-1"}) {
			t.Errorf("without time the error is %v, pending are %q", err, w.Pending())
		}
	})
}
