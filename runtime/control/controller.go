package control

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Publisher is where a new configuration goes to: the data plane.
type Publisher interface {
	// Reserve binds a listener's socket ahead of its change, so that one that
	// can't be bound is refused. Release gives back what Publish didn't take.
	Reserve(name string, l *lb.Listener) (release func(), err error)
	// Publish makes the configuration current for new traffic.
	Publish(*Config)
}

// Sealer encrypts secrets for keeping.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Options are what a controller works with.
type Options struct {
	Store     Store
	Signer    *audit.Signer
	Sealer    Sealer
	Publisher Publisher
	Logger    *slog.Logger
	// Authorities are where tickets live that do not live here; nil is nowhere.
	Authorities Authorities
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Recorded, if not nil, is told every entry once it is committed. It must not wait.
	Recorded func(*audit.Entry)
	// Committed, if not nil, is told the number of entries of each commit and
	// how long it took, or its error.
	Committed func(entries int, took time.Duration, err error)
}

// Limits of the group commit.
const (
	maxBatchCalls = 256
	maxBatchBytes = 16 << 20
	maxWaiting    = 4096
	// maxSubject bounds what a call is about, in bytes. Every resource that can
	// exist is shorter.
	maxSubject = 256
	// verifiedEvery is how many entries may pass before the checkpoint from
	// which the next start verifies is moved up.
	verifiedEvery = 4096
)

// Controller decides on every call that changes anything. See the package's doc.
type Controller struct {
	opts Options
	// signer is the log's key. It changes in the run loop only.
	signer atomic.Pointer[audit.Signer]
	// committed is the newest committed checkpoint, for readers.
	committed atomic.Pointer[[]byte]
	config    *Config
	tokens    *tokens

	// refusing is set once broken is, for readers.
	refusing atomic.Bool

	// compiling is held by whoever compiles a policy.
	compiling chan struct{}

	waiting  chan *request
	stopping sync.Once // closes stop
	stop     chan struct{}
	stopped  chan struct{}

	// The rest belongs to the run loop's goroutine.

	planned  *planned
	usages   map[string]Usage
	windows  windows
	compiled compiled
	tree     audit.Tree
	last     time.Time
	// marked is the size up to which the log is marked as verified.
	marked int64
	// stale is set when a commit's result is not known: memory must be loaded
	// from the store again before the next batch.
	stale bool
	// unsettled is the key that the commit changed to whose result is not known.
	unsettled *audit.Signer
	// broken is set for good when the disk failed to sync.
	broken bool
}

// request is a call on its way through the loop.
type request struct {
	ctx     context.Context
	call    Call
	subject Subject
	decide  decision
	done    chan result
	// weight is about how many bytes the call adds to its batch.
	weight int
}

type result struct {
	outcome Outcome
	err     error
}

// Open checks the log's tail, loads its state, publishes the configuration and
// begins to take calls. An empty store becomes a new log. A log that is not
// what its checkpoint signs is an [*IntegrityError].
func Open(ctx context.Context, opts Options) (*Controller, error) {
	c := newController(opts)
	if err := c.begin(ctx); err != nil {
		return nil, err
	}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	c.opts.Publisher.Publish(c.config)
	go c.run()
	return c, nil
}

func newController(opts Options) *Controller {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &Controller{
		opts:    opts,
		config:  newConfig(),
		tokens:  newTokens(),
		planned: newPlanned(),
		usages:  map[string]Usage{}, windows: windows{}, compiled: compiled{},
		compiling: make(chan struct{}, 1),
		waiting:   make(chan *request, maxWaiting),
		stop:      make(chan struct{}),
		stopped:   make(chan struct{}),
	}
	c.signer.Store(opts.Signer)
	return c
}

// Origin is the name of the log.
func (c *Controller) Origin() string { return c.signer.Load().Origin() }

// Checkpoint is the newest committed checkpoint: whatever was answered before
// this is called is part of its tree.
func (c *Controller) Checkpoint() []byte { return *c.committed.Load() }

// Config is the running configuration.
func (c *Controller) Config() *Config { return c.config }

// Close stops taking calls, finishes those in hand and marks the log verified.
func (c *Controller) Close() {
	c.stopping.Do(func() { close(c.stop) })
	<-c.stopped
}

// submit hands a call to the loop and waits for its answer. When ctx ends
// first the call may still happen; its idempotency key tells.
func (c *Controller) submit(ctx context.Context, call Call, subject Subject, weight int, decide decision) (Outcome, error) {
	// A refusal is recorded also of what no resource could be called.
	subject = Subject{Recordable(subject.Resource, maxSubject), Recordable(subject.Op, maxSubject)}
	r := &request{ctx: ctx, call: call, subject: subject, decide: decide, weight: weight, done: make(chan result, 1)}
	select {
	case c.waiting <- r:
	case <-c.stop:
		return Outcome{}, fmt.Errorf("shutting down: %w", ErrLogUnavailable)
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("%w: %w", ErrLogUnavailable, ctx.Err())
	}
	select {
	case res := <-r.done:
		return res.outcome, res.err
	case <-c.stopped:
		select {
		case res := <-r.done: // answered with the last batch
			return res.outcome, res.err
		default:
			return Outcome{}, fmt.Errorf("shutting down: %w", ErrLogUnavailable)
		}
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("%w: %w", ErrLogUnavailable, ctx.Err())
	}
}

// Refuse records a refusal that was decided before the call could reach the
// gate: a role that does not suffice, an object that does not parse.
func (c *Controller) Refuse(ctx context.Context, call Call, subject Subject, refusal audit.Refusal, after []byte) (Outcome, error) {
	return c.submit(ctx, call, subject, len(after), func(*batch) (draft, error) {
		return draft{body: audit.Body{After: after}}, &Refused{refusal}
	})
}

// System is the actor in whose name the runtime itself writes.
func System(part string) identity.Actor { return identity.Actor{Name: "system/" + part} }

// Ready returns why changes are not accepted, or nil.
func (c *Controller) Ready() error {
	if c.refusing.Load() {
		return ErrLogBroken
	}
	return nil
}
