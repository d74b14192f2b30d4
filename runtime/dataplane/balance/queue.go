package balance

import (
	"container/list"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Why a request waits no longer, or not at all.
var (
	// ErrQueueFull: as many requests as may wait are waiting.
	ErrQueueFull = errors.New("the pool's queue is full")
	// ErrWaitTimeout: no member had room in time.
	ErrWaitTimeout = errors.New("no member of the pool had room in time")
	// ErrWaitCanceled: the caller's channel was closed.
	ErrWaitCanceled = errors.New("the request no longer waits")
)

// queues are the queues of a group that have somebody in them. Every version of a
// pool's configuration has a queue of its own: requests that wait for members of
// an old one must not hold up those that the new one has room for.
type queues struct {
	mu       sync.Mutex // protects what follows and the lists of all queues
	occupied []*queue
}

// queue holds requests that wait for room, first come, first served.
type queue struct {
	// length is that of waiters, for choices to see without the lock.
	length  atomic.Int64
	waiters list.List // of waiter
}

// waiter is a request in a queue. It holds a token when it is to try: it is first
// and something has changed since it last tried.
type waiter chan struct{}

// wakeFirst lets the first request of the queue try; the caller holds queues.mu.
func (q *queue) wakeFirst() {
	select {
	case q.waiters.Front().Value.(waiter) <- struct{}{}:
	default: // it is about to try already
	}
}

// Wait is [Balancer.Acquire] for a request that may wait for a member to have room.
// Requests wait in the order in which they came. Those of all versions of the
// pool's configuration count towards MaxPending; what they wait for is decided by
// the version that they began with.
//
// It also fails with [ErrQueueFull], with [ErrWaitTimeout] after the timeout, and
// with [ErrWaitCanceled] when done is closed; a nil done is never closed.
func (b *Balancer) Wait(r Request, done <-chan struct{}, timeout time.Duration) (Choice, error) {
	ready := make(waiter, 1)
	place := b.join(ready)
	if place == nil {
		return none, ErrQueueFull
	}
	defer b.leave(place)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case <-ready:
			if c, err := b.acquire(r); !errors.Is(err, ErrSaturated) {
				return c, err
			}
		case <-timer.C:
			return none, ErrWaitTimeout
		case <-done:
			return none, ErrWaitCanceled
		}
	}
}

// join puts a request at the end of the queue. It returns its place there, or nil
// when too many wait.
func (b *Balancer) join(w waiter) *list.Element {
	g, q := b.group, &b.queue
	g.queues.mu.Lock()
	defer g.queues.mu.Unlock()
	if g.waiting.Load() >= int64(b.config.MaxPending) {
		return nil
	}
	place := q.waiters.PushBack(w)
	q.length.Add(1)
	g.waiting.Add(1)
	if q.waiters.Len() == 1 {
		g.queues.occupied = append(g.queues.occupied, q)
		// Room may have come between its last try and now.
		q.wakeFirst()
	}
	return place
}

// leave takes a request out of the queue. If it was the first, the next one tries:
// there may be room for it as well.
func (b *Balancer) leave(place *list.Element) {
	g, q := b.group, &b.queue
	g.queues.mu.Lock()
	defer g.queues.mu.Unlock()
	first := q.waiters.Front() == place
	q.waiters.Remove(place)
	q.length.Add(-1)
	g.waiting.Add(-1)
	switch {
	case q.waiters.Len() == 0:
		i := slices.Index(g.queues.occupied, q)
		g.queues.occupied = slices.Delete(g.queues.occupied, i, i+1)
	case first:
		q.wakeFirst()
	}
}

// wake lets the first of every queue try: a member has room, or members have changed.
func (qs *queues) wake() {
	qs.mu.Lock()
	defer qs.mu.Unlock()
	for _, q := range qs.occupied {
		q.wakeFirst()
	}
}
