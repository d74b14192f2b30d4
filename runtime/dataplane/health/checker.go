package health

import (
	"context"
	"sync"
)

// DefaultConcurrency is how many probes run at once, over all pools. It holds off
// more than it costs: a probe's timeout begins when it runs, so on a machine that
// is short of CPU probes come later, where more of them at once would all time out.
const DefaultConcurrency = 512

// Checker runs probes, no more than a given number at once; the others wait their
// turn in the order in which they came due. Waiting takes no goroutine.
type Checker struct {
	limit int
	// probe returns why the member did not pass, or nil.
	probe func(context.Context, *Watch) error

	mu          sync.Mutex // protects what follows, and Watch.next
	running     int
	first, last *Watch // of those that wait; a watch waits once at most
}

// NewChecker returns a checker that runs at most concurrency probes at once; 0
// means [DefaultConcurrency].
func NewChecker(concurrency int) *Checker {
	if concurrency <= 0 {
		concurrency = DefaultConcurrency
	}
	return &Checker{limit: concurrency, probe: probe}
}

// start reports whether the watch may run now. If not it has been queued.
func (c *Checker) start(w *Watch) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running < c.limit {
		c.running++
		return true
	}
	if c.first == nil {
		c.first = w
	} else {
		c.last.next = w
	}
	c.last = w
	return false
}

// finish ends a run and returns the watch to run in its place, nil when none waits.
func (c *Checker) finish() *Watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.first
	if w == nil {
		c.running--
		return nil
	}
	c.first, w.next = w.next, nil
	if c.first == nil {
		c.last = nil
	}
	return w
}
