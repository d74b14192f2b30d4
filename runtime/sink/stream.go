package sink

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// stream is one sink's way through the log. One goroutine runs it.
type stream struct {
	cfg     Config
	runner  *Runner
	logger  *slog.Logger
	now     func() time.Time
	wake    chan struct{}
	ended   chan struct{}
	started bool

	// What follows is the goroutine's.

	source    Source
	formatter formatter
	target    target
	dead      lines
	// singlyUntil is the seq up to which messages are sent one by one, since one of them
	// was refused; refusals counts how often the first of them was.
	singlyUntil int64
	refusals    int
	// failures counts those in a row.
	failures int
	// last is the leaf hash of the entry before next; kept is the position that is kept,
	// keptAt when it was, and keepFailing whether that failed the last time.
	last        string
	kept        int64
	keptAt      time.Time
	keepFailing bool

	mu sync.Mutex // guards what follows; whoever commits a change waits for it, so nothing waits under it
	// next is the seq of the entry that comes next; oldest is when the oldest of those that
	// are left was written, zero when none is.
	next   int64
	oldest time.Time
	state  string
	seen   counts
}

// counts are what a sink did since the start.
type counts struct {
	delivered, failures, deadLetters int64
	success                          time.Time
	failure                          *api.SinkFailure
}

func newStream(r *Runner, cfg Config) *stream {
	s := &stream{
		cfg: cfg, runner: r, logger: r.opts.Logger.With("sink", cfg.Name), now: time.Now,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), state: api.SinkRunning, singlyUntil: -1,
	}
	s.dead = lines{path: cfg.DeadLetterFile, torn: tornWarning(s.logger, cfg.DeadLetterFile)}
	return s
}

func (s *stream) notify(e *audit.Entry) {
	s.mu.Lock()
	if s.oldest.IsZero() && e.Seq >= s.next {
		s.oldest = e.Time
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// over reports whether the goroutine has ended.
func (s *stream) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// run streams until the runner is closed or the sink stopped.
func (s *stream) run(ctx context.Context) {
	defer close(s.ended)
	defer s.end()
	for s.keepFirst(ctx); !s.stopped() && ctx.Err() == nil; s.keepIfDue(ctx) {
		n, err := s.step(ctx)
		if err != nil {
			s.pause(ctx, s.note(ctx, err))
		} else if n > 0 {
			continue // also when closing: what can be taken now is
		}
		if s.closing() {
			return
		}
		if err == nil {
			s.idle(ctx)
		}
	}
}

// end closes the target and keeps the position, with a context of its own: the other may
// be over.
func (s *stream) end() {
	ctx, cancel := context.WithTimeout(context.Background(), breakOffTimeout/2)
	defer cancel()
	s.keep(ctx)
	if err := errors.Join(s.target.close(), s.dead.close()); err != nil {
		s.logger.Warn("sink not closed", "error", err)
	}
}

func (s *stream) closing() bool {
	select {
	case <-s.runner.closing:
		return true
	default:
		return false
	}
}

func (s *stream) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == api.SinkStopped
}

// idle waits for the log to grow, and keeps the position meanwhile.
func (s *stream) idle(ctx context.Context) {
	poll := time.After(s.runner.opts.Poll)
	for {
		var due <-chan time.Time
		if s.kept != s.position() {
			due = time.After(max(s.runner.opts.KeepEvery-s.now().Sub(s.keptAt), 0))
		}
		select {
		case <-due:
			s.keep(ctx)
		case <-s.wake:
			return
		case <-poll:
			return
		case <-s.runner.closing:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pause waits, unless the runner closes. That the log grows is no reason to try earlier.
func (s *stream) pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.runner.closing:
	case <-ctx.Done():
	}
}

func (s *stream) position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}
