package authority

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Defaults of a writer.
const (
	DefaultQuiet    = 15 * time.Second
	DefaultMaxDelay = 2 * time.Minute
)

// Source knows what happened under tickets, and remembers what was written of it.
type Source interface {
	// Evidence collects what happened under a ticket since what was last reported
	// to Written, up to the newest entry: all that was noted by then. When nothing was
	// applied or refused, nothing is written, and Written is not told.
	Evidence(ctx context.Context, ticketID string) (Evidence, error)
	// Written is told that everything up to a seq, included, was written.
	Written(ctx context.Context, ticketID string, through int64) error
}

// Commenter adds a text to a ticket. A [Keeper] does.
type Commenter interface {
	Comment(ctx context.Context, ticketID, text string) error
}

// WriterConfig says when a writer writes. The zero value is a good one.
type WriterConfig struct {
	// Quiet is how long nothing may have happened under a ticket. Default 15s.
	Quiet time.Duration
	// MaxDelay is how long evidence may wait for that, from the first change. Default 2m.
	MaxDelay time.Duration
	// OnWritten and OnFailed are told how each attempt ended, for metrics and logs. They may
	// be nil, and must return soon.
	OnWritten func(ticketID string, took time.Duration)
	OnFailed  func(ticketID string, err error, retryIn time.Duration)
}

// Writer writes evidence back to tickets: one comment once the changes under a ticket
// have come to rest. What can't be written is tried again until it can, or the
// process ends: then the source has to tell a new writer of what Written was never
// told. A comment whose answer is lost is written again: it can be there twice, but
// is never missing.
type Writer struct {
	source Source
	to     Commenter
	cfg    WriterConfig
	wake   chan struct{}
	stop   chan struct{}
	once   sync.Once

	mu      sync.Mutex // protects what follows
	notes   map[string]*note
	stopped chan struct{} // closed when Run returns; nil before it begins
}

// note is a ticket with changes that its authority has not been told of.
type note struct {
	first, last time.Time
	through     int64
	due         time.Time
	failures    int
	// commented is the seq that a comment covers which Written was not told of yet;
	// -1 for none. covered is up to where the evidence was asked for, written or not.
	commented, covered int64
}

// NewWriter returns a writer. It does nothing until Run.
func NewWriter(source Source, to Commenter, cfg WriterConfig) *Writer {
	if cfg.Quiet <= 0 {
		cfg.Quiet = DefaultQuiet
	}
	if cfg.MaxDelay <= 0 {
		cfg.MaxDelay = DefaultMaxDelay
	}
	if cfg.OnWritten == nil {
		cfg.OnWritten = func(string, time.Duration) {}
	}
	if cfg.OnFailed == nil {
		cfg.OnFailed = func(string, error, time.Duration) {}
	}
	return &Writer{
		source: source, to: to, cfg: cfg, notes: map[string]*note{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// Note marks a ticket as having new entries, up to a seq. It doesn't wait. After Close
// the ticket is only remembered as pending.
func (w *Writer) Note(ticketID string, seq int64) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.notes[ticketID]
	if n == nil {
		n = &note{first: now, commented: -1}
		w.notes[ticketID] = n
	}
	n.last, n.through = now, max(n.through, seq)
	if n.failures == 0 {
		n.due = w.dueAt(n)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Writer) dueAt(n *note) time.Time {
	quiet, latest := n.last.Add(w.cfg.Quiet), n.first.Add(w.cfg.MaxDelay)
	if quiet.Before(latest) {
		return quiet
	}
	return latest
}

// Pending lists the tickets with evidence that is not written yet, sorted.
func (w *Writer) Pending() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.notes))
}

// Run writes what comes due, one ticket after the other, until the context ends or
// the writer is closed. It may be called once. What is under way when the context
// ends is broken off.
func (w *Writer) Run(ctx context.Context) {
	stopped := make(chan struct{})
	defer close(stopped)
	w.mu.Lock()
	w.stopped = stopped
	w.mu.Unlock()
	for {
		id, wait := w.next()
		if id != "" && wait <= 0 {
			select {
			case <-w.stop:
				return
			default:
			}
			_ = w.write(ctx, id) // OnFailed has been told, and it stays pending
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.stop:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// next returns the ticket that comes due first and how long that takes.
func (w *Writer) next() (id string, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var due time.Time
	for other, n := range w.notes {
		if id == "" || n.due.Before(due) {
			id, due = other, n.due
		}
	}
	if id == "" {
		return "", time.Hour
	}
	return id, time.Until(due)
}

// Close stops Run, then tries once to write whatever is pending, due or not, until the
// context ends. Its error says what is left.
func (w *Writer) Close(ctx context.Context) error {
	w.once.Do(func() { close(w.stop) })
	w.mu.Lock()
	stopped := w.stopped
	w.mu.Unlock()
	if stopped != nil {
		select {
		case <-stopped:
		case <-ctx.Done():
		}
	}
	var last error
	for _, id := range w.Pending() {
		if ctx.Err() != nil {
			last = ctx.Err()
			break
		}
		if err := w.write(ctx, id); err != nil {
			last = err
		}
	}
	if left := len(w.Pending()); left > 0 {
		return fmt.Errorf("the evidence of %d tickets is not written: %w", left, last)
	}
	return nil
}
