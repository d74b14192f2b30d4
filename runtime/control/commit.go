package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// run takes calls, as many as are waiting, and commits them together.
func (c *Controller) run() {
	defer close(c.stopped)
	keep := time.NewTicker(usesKeptEvery)
	defer keep.Stop()
	for {
		select {
		case <-keep.C:
			c.keepUses()
		case first := <-c.waiting:
			c.commit(c.gather(first))
		case <-c.stop:
			for {
				select {
				case first := <-c.waiting:
					c.commit(c.gather(first))
				default:
					c.mark()
					c.keepUses()
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
		c.settleKey()
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
	c.remember(b)
	if c.opts.Recorded != nil {
		for i := range b.add.Records {
			c.opts.Recorded(&b.add.Records[i].Entry)
		}
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
		var next []*audit.Signer
		if b.next != nil {
			next = append(next, b.next)
		}
		cp, err := c.signer.Load().Sign(&b.tree, next...)
		if err != nil {
			return err
		}
		if err := b.mark(cp); err != nil {
			return c.failed(err)
		}
		if err := b.tx.Commit(ctx, cp.Size, cp.Note); err != nil {
			c.unsettled = b.next
			return c.failed(err)
		}
		// Invariant: the tree in memory is the committed one.
		c.tree, c.last = b.tree, b.last
		c.committed.Store(&cp.Note)
		if b.next != nil {
			c.signer.Store(b.next)
		}
		return nil
	}()
	if c.opts.Committed != nil {
		c.opts.Committed(len(b.add.Records), time.Since(began), err)
	}
	return err
}

// mark keeps, with the batch, what a start after a change of key needs: from
// where on it verifies, signed by a key that it knows, and how the old key vouches
// for the new one.
func (b *batch) mark(cp audit.Checkpoint) error {
	if b.next == nil && !b.marks {
		return nil
	}
	if b.next != nil {
		if err := b.tx.Keep(b.ctx, fmt.Sprint(keptRotation, b.rotated), cp.Note); err != nil {
			return err
		}
	}
	return b.tx.MarkVerified(b.ctx, cp.Note)
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
	if err := c.opts.Store.MarkVerified(context.Background(), c.Checkpoint()); err != nil {
		c.opts.Logger.Warn("verified checkpoint not kept", "error", err)
		return
	}
	c.marked = c.tree.Size()
}
