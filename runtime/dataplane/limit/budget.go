package limit

import (
	"sync/atomic"
	"time"
)

const (
	// window is over how many seconds requests and retries are counted.
	window = 10
	// retryFloor is how many retries a second are allowed whatever the number of
	// requests is, so that a pool with little traffic can retry at all.
	retryFloor = 3
)

// RetryBudget bounds retries as a share of requests: when many requests fail, their
// retries must not multiply the load on members that can't bear what they have.
// Its methods are safe for concurrent use and take no lock.
type RetryBudget struct {
	began    time.Time
	requests windowed
	retries  windowed
}

// NewRetryBudget returns a budget that has seen no requests.
func NewRetryBudget() *RetryBudget { return &RetryBudget{began: time.Now()} }

// Request counts a request, not its retries.
func (b *RetryBudget) Request(now time.Time) { b.requests.add(b.second(now)) }

// TryRetry counts a retry and reports true, unless the retries of the last 10
// seconds would then be more than percent of the requests of that time, plus 3 for
// each second.
func (b *RetryBudget) TryRetry(now time.Time, percent int) bool {
	second := b.second(now)
	// Counted first and taken back: of retries at the same time none may be missed.
	count := b.retries.add(second)
	allowed := b.requests.sum(second)*uint64(max(0, percent))/100 + retryFloor*window
	if b.retries.sum(second) <= allowed {
		return true
	}
	count.Add(^uint64(0))
	return false
}

// second numbers the seconds from 1; it goes by the monotonic clock.
func (b *RetryBudget) second(now time.Time) uint64 {
	return 1 + uint64(max(0, now.Sub(b.began))/time.Second)
}

// windowed counts events of the last seconds. Each count holds the second that it
// is of above countBits, so one atomic operation also starts a new second.
type windowed [window]atomic.Uint64

const countBits = 32

// add counts an event, and returns where.
func (w *windowed) add(second uint64) *atomic.Uint64 {
	count := &w[second%window]
	for {
		old := count.Load()
		switch {
		case old>>countBits >= second:
			// A request that is late by a whole window counts for the present.
			count.Add(1)
			return count
		case count.CompareAndSwap(old, second<<countBits|1):
			return count
		}
	}
}

// sum is how many events the seconds up to this one hold.
func (w *windowed) sum(second uint64) (n uint64) {
	for i := range w {
		if v := w[i].Load(); v>>countBits+window > second {
			n += v & (1<<countBits - 1)
		}
	}
	return n
}
