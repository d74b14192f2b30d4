package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Log is what is streamed. It tells of committed entries only.
type Log interface {
	// Rows returns up to limit entries with seq >= from, in order.
	Rows(ctx context.Context, from int64, limit int) ([]audit.Row, error)
	// Scan calls visit with every entry with seq in [from, to), in order, until it
	// returns an error, which Scan returns. The row is valid during the call only.
	Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error
	Extent(ctx context.Context) (audit.Extent, error)
}

// Positions keeps small values beside the log.
type Positions interface {
	// Kept returns what is kept under a key, or nil.
	Kept(ctx context.Context, key string) ([]byte, error)
	Keep(ctx context.Context, key string, value []byte) error
}

// Source is the log, and how it is rendered.
type Source struct {
	Log       Log
	Positions Positions
	// Origin is the log's name, and Version that of the runtime; it may be empty.
	Origin, Version string
	// Record renders an entry as the management API does, with its body where there is
	// one.
	Record func(*audit.Row) (api.EntryRecord, error)
}

// Options say how patient a runner is. The zero value is a good one.
type Options struct {
	Logger *slog.Logger
	// MinRetry is the wait after a failure; each further one doubles it, up to MaxRetry.
	// Defaults: 1s and 1m.
	MinRetry, MaxRetry time.Duration
	// Poll is how often the log is looked at unasked. Default: 15s.
	Poll time.Duration
	// KeepEvery is how much may pass between keeping a position and the next time.
	// Default: 1s.
	KeepEvery time.Duration
}

// Runner streams a log to several sinks. It implements prometheus.Collector.
type Runner struct {
	opts    Options
	streams []*stream
	// size is how many entries the log is known to have.
	size atomic.Int64
	// closing is closed by Close; ctx ends when what is under way is broken off.
	closing chan struct{}
	once    sync.Once
	ctx     context.Context
	cancel  context.CancelFunc
}

// New checks the configuration of sinks and returns a runner of them, which does nothing
// until Start. Errors are a [*ConfigError].
func New(configs []Config, opts Options) (*Runner, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	setDefault(&opts.MinRetry, time.Second)
	setDefault(&opts.MaxRetry, time.Minute)
	setDefault(&opts.Poll, 15*time.Second)
	setDefault(&opts.KeepEvery, time.Second)
	r := &Runner{opts: opts, closing: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	names, paths := map[string]bool{}, map[string]string{}
	for _, c := range configs {
		if err := c.check(); err != nil {
			return nil, err
		}
		if names[c.Name] {
			return nil, &ConfigError{c.Name, "name", "is there twice"}
		}
		names[c.Name] = true
		field, path := "dead_letter_file", c.DeadLetterFile
		if c.File != nil {
			field, path = "file.path", c.File.Path
		}
		if other, taken := paths[path]; taken {
			return nil, &ConfigError{c.Name, field, fmt.Sprintf("%q is sink %q's already", path, other)}
		}
		paths[path] = c.Name
		r.streams = append(r.streams, newStream(r, c))
	}
	return r, nil
}

// Start looks up where each sink was and begins to stream. It may be called once. A sink
// whose position does not fit the log is stopped, and the others go on; an error means
// that the log can't be read.
func (r *Runner) Start(ctx context.Context, source Source) error {
	extent, err := source.Log.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	r.grown(extent.Size)
	for _, s := range r.streams {
		if err := s.prepare(ctx, source, extent.Size); err != nil {
			return fmt.Errorf("position of sink %q: %w", s.cfg.Name, err)
		}
	}
	for _, s := range r.streams {
		if s.started = !s.stopped(); s.started {
			go s.run(r.ctx)
		}
	}
	return nil
}

// Notify tells that an entry is committed. It never waits, and may be called before Start.
func (r *Runner) Notify(e *audit.Entry) {
	r.grown(e.Seq + 1)
	for _, s := range r.streams {
		s.notify(e)
	}
}

// grown moves up the known size of the log.
func (r *Runner) grown(size int64) {
	for {
		known := r.size.Load()
		if size <= known || r.size.CompareAndSwap(known, size) {
			return
		}
	}
}

// Close has each sink take what there is, as long as it does so at once, keeps the positions
// and ends. What is not over when the context ends is broken off, and is sent again after
// the next start.
func (r *Runner) Close(ctx context.Context) error {
	r.once.Do(func() { close(r.closing) })
	defer r.cancel()
	if !r.wait(ctx) {
		r.cancel()
		ctx, stop := context.WithTimeout(context.Background(), breakOffTimeout)
		defer stop()
		r.wait(ctx)
	}
	var left []string
	for _, s := range r.streams {
		if s.started && !s.over() {
			left = append(left, s.cfg.Name)
		}
	}
	if len(left) > 0 {
		return errors.New("sinks that do not end: " + strings.Join(left, ", "))
	}
	return nil
}

// breakOffTimeout bounds the wait for a sink that was broken off: a file on a disk that
// hangs can't be.
const breakOffTimeout = 2 * time.Second

// wait reports whether all streams ended before the context.
func (r *Runner) wait(ctx context.Context) bool {
	for _, s := range r.streams {
		if !s.started {
			continue
		}
		select {
		case <-s.ended:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Status tells how each sink is doing, in order of the configuration.
func (r *Runner) Status() []api.Sink {
	out := make([]api.Sink, 0, len(r.streams))
	for _, s := range r.streams {
		out = append(out, s.status())
	}
	return out
}
