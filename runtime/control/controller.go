package control

import (
	"context"
	"errors"
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
	// Now is the clock; nil is time.Now.
	Now func() time.Time
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
	opts   Options
	config *Config
	tokens *tokens

	// refusing is set once broken is, for readers.
	refusing atomic.Bool

	waiting  chan *request
	stopping sync.Once // closes stop
	stop     chan struct{}
	stopped  chan struct{}

	// The rest belongs to the run loop's goroutine.

	planned *planned
	tree    audit.Tree
	last    time.Time
	// note is the head's signed checkpoint; marked is the size up to which the
	// log is marked as verified.
	note   []byte
	marked int64
	// stale is set when a commit's result is not known: memory must be loaded
	// from the store again before the next batch.
	stale bool
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
	if opts.Now == nil {
		opts.Now = time.Now
	}
	c := &Controller{
		opts:    opts,
		config:  newConfig(),
		tokens:  newTokens(),
		planned: newPlanned(),
		waiting: make(chan *request, maxWaiting),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
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

// run takes calls, as many as are waiting, and commits them together.
func (c *Controller) run() {
	defer close(c.stopped)
	for {
		select {
		case first := <-c.waiting:
			c.commit(c.gather(first))
		case <-c.stop:
			for {
				select {
				case first := <-c.waiting:
					c.commit(c.gather(first))
				default:
					c.mark()
					return
				}
			}
		}
	}
}

func (c *Controller) gather(first *request) []*request {
	calls, weight := []*request{first}, first.weight
	for len(calls) < maxBatchCalls && weight < maxBatchBytes {
		select {
		case r := <-c.waiting:
			calls = append(calls, r)
			weight += r.weight
		default:
			return calls
		}
	}
	return calls
}

// commit decides on calls in order and makes them durable together.
func (c *Controller) commit(calls []*request) {
	// The batch outlives its callers: one that gives up must not undo another's.
	ctx := context.Background()
	results, err := c.try(ctx, calls)
	if err != nil {
		c.opts.Logger.Error("commit failed", "calls", len(calls), "error", err)
		for _, r := range calls {
			r.done <- result{err: err}
		}
		return
	}
	for i, r := range calls {
		r.done <- results[i]
	}
}

func (c *Controller) try(ctx context.Context, calls []*request) (results []result, err error) {
	if c.broken {
		return nil, ErrLogBroken
	}
	if c.stale {
		if err := c.load(ctx); err != nil {
			return nil, fmt.Errorf("%w: reload: %w", ErrLogUnavailable, err)
		}
		c.stale = false
		c.opts.Publisher.Publish(c.config)
	}
	tx, err := c.opts.Store.Begin(ctx)
	if err != nil {
		return nil, c.failed(err)
	}
	defer tx.Rollback()
	b := c.newBatch(ctx, tx)
	defer func() {
		for _, f := range b.finished {
			f()
		}
	}()
	results = make([]result, len(calls))
	for i, r := range calls {
		results[i] = b.decide(r)
	}
	if len(b.add.Records) == 0 {
		return results, nil
	}
	if err := c.write(ctx, b); err != nil {
		return nil, err
	}
	for _, f := range b.committed {
		f()
	}
	if len(b.view.changed) > 0 {
		b.view.apply(b.revision)
		c.opts.Publisher.Publish(c.config)
	}
	if c.tree.Size()-c.marked >= verifiedEvery {
		c.mark()
	}
	return results, nil
}

// write appends and commits a batch, and moves the tree on.
func (c *Controller) write(ctx context.Context, b *batch) error {
	began := time.Now()
	err := func() error {
		if err := b.tx.Append(ctx, b.add); err != nil {
			return c.failed(err)
		}
		cp, err := c.opts.Signer.Sign(&b.tree)
		if err != nil {
			return err
		}
		if err := b.tx.Commit(ctx, cp.Size, cp.Note); err != nil {
			return c.failed(err)
		}
		// Invariant: the tree in memory is the committed one.
		c.tree, c.last, c.note = b.tree, b.last, cp.Note
		return nil
	}()
	if c.opts.Committed != nil {
		c.opts.Committed(len(b.add.Records), time.Since(began), err)
	}
	return err
}

// failed decides what a store's error means for the calls after it.
func (c *Controller) failed(err error) error {
	switch {
	case errors.Is(err, ErrLogFull):
		return err
	case errors.Is(err, ErrLogBroken):
		c.broken = true
		c.refusing.Store(true)
		return err
	}
	c.stale = true
	if errors.Is(err, ErrLogUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
}

// mark keeps the head as the checkpoint from which the next start verifies:
// what this process wrote it knows to be right.
func (c *Controller) mark() {
	if c.stale || c.broken || c.marked == c.tree.Size() {
		return
	}
	if err := c.opts.Store.MarkVerified(context.Background(), c.note); err != nil {
		c.opts.Logger.Warn("verified checkpoint not kept", "error", err)
		return
	}
	c.marked = c.tree.Size()
}

// decide takes one call through its decision.
func (b *batch) decide(r *request) (res result) {
	defer func() {
		if p := recover(); p != nil {
			res = result{err: fmt.Errorf("decision failed: %v", p)}
		}
	}()
	if err := r.ctx.Err(); err != nil {
		return result{err: fmt.Errorf("%w: %w", ErrLogUnavailable, err)}
	}
	if outcome, err := b.answeredBefore(r.call); outcome != nil || err != nil {
		if refused, ok := asRefused(err); ok {
			// The key keeps the answer it was given first.
			again := *r
			again.call.Key = ""
			outcome, err := b.reject(&again, draft{}, refused)
			return result{outcome, err}
		}
		return result{deref(outcome), err}
	}
	d, err := r.decide(b)
	if err != nil {
		if refused, ok := asRefused(err); ok {
			outcome, err := b.reject(r, d, refused)
			return result{outcome, err}
		}
		return result{err: err}
	}
	if d.existing != nil {
		return result{outcome: *d.existing}
	}
	outcome, err := b.append(r.call, r.subject, d)
	if refused, ok := asRefused(err); ok {
		outcome, err = b.reject(r, draft{}, refused)
	}
	return result{outcome, err}
}

// reject records a refusal. What was attempted is kept with it where it is known.
func (b *batch) reject(r *request, d draft, refused *Refused) (Outcome, error) {
	refusal := refused.Refusal
	return b.append(r.call, r.subject, draft{
		kind: audit.TypeReject,
		base: d.base,
		body: audit.Body{Before: d.body.Before, After: d.body.After, Refusal: &refusal},
	})
}

// answeredBefore looks whether the call was answered before under its key.
func (b *batch) answeredBefore(call Call) (*Outcome, error) {
	if call.Key == "" {
		return nil, nil
	}
	before, ok := b.answered[call.scopedKey()]
	if !ok {
		stored, err := b.tx.Answered(b.ctx, call.scopedKey())
		if err != nil || stored == nil {
			return nil, err
		}
		before = *stored
	}
	if before.Digest != call.Digest {
		return nil, refuse(CodeIdempotencyReused, "the idempotency key was used for another call before; take a new key for a new call")
	}
	outcome, err := b.outcome(before.Seq)
	if err != nil {
		return nil, err
	}
	return &outcome, nil
}

func deref(o *Outcome) Outcome {
	if o == nil {
		return Outcome{}
	}
	return *o
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
