package limit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// retry tries n retries and returns how many were allowed.
func retry(b *RetryBudget, at time.Time, percent, n int) (allowed int) {
	for range n {
		if b.TryRetry(at, percent) {
			allowed++
		}
	}
	return allowed
}

func TestRetriesAreAShareOfRequestsAboveAFloor(t *testing.T) {
	for _, tc := range []struct {
		name              string
		requests, percent int
		want              int
	}{
		{"no requests", 0, 20, 30},
		{"a fifth", 1000, 20, 230},
		{"all", 100, 100, 130},
		{"none but the floor", 1000, 0, 30},
		{"rounded down", 99, 10, 39},
		{"a negative percentage is none", 1000, -5, 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := NewRetryBudget()
			for range tc.requests {
				b.Request(b.began)
			}
			if got := retry(b, b.began, tc.percent, 2000); got != tc.want {
				t.Errorf("%d retries were allowed, want %d", got, tc.want)
			}
		})
	}
}

func TestABudgetIsOfTheLastSeconds(t *testing.T) {
	b := NewRetryBudget()
	at := func(seconds float64) time.Time { return b.began.Add(time.Duration(seconds * float64(time.Second))) }
	for range 100 {
		b.Request(at(0.5))
	}
	for range 50 {
		b.Request(at(5))
	}
	if got := retry(b, at(5), 100, 500); got != 180 {
		t.Errorf("after 5 seconds %d retries were allowed, want 150 and the floor of 30", got)
	}
	if got := retry(b, at(9.9), 100, 500); got != 0 {
		t.Errorf("the budget is spent, yet %d more retries were allowed", got)
	}
	// The first 100 requests are too old now; the retries are not.
	if got := retry(b, at(10.5), 100, 500); got != 0 {
		t.Errorf("%d more retries were allowed when requests had left the window", got)
	}
	// Now the retries have left as well, and so have all requests.
	if got := retry(b, at(15), 100, 500); got != 30 {
		t.Errorf("%d retries were allowed in a new window, want the floor of 30", got)
	}
	if got := retry(b, at(1e6), 100, 500); got != 30 {
		t.Errorf("%d retries were allowed after a long pause, want the floor of 30", got)
	}
}

func TestATimeBeforeTheNewestDisturbsNothing(t *testing.T) {
	b := NewRetryBudget()
	b.Request(b.began.Add(25 * time.Second))
	for _, late := range []time.Duration{24 * time.Second, 5 * time.Second, -time.Hour} {
		b.Request(b.began.Add(late))
	}
	if got := retry(b, b.began.Add(25*time.Second), 100, 100); got < 32 || got > 34 {
		t.Errorf("%d retries were allowed, want the floor of 30 and up to 4 requests", got)
	}
}

func TestConcurrentRetriesNeverExceedTheBudget(t *testing.T) {
	b := NewRetryBudget()
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 1000 {
				at := b.began.Add(time.Duration(i) * time.Millisecond)
				b.Request(at)
				if (i+worker)%2 == 0 && b.TryRetry(at, 10) {
					allowed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	// All within one window.
	if got, requests := allowed.Load(), b.requests.sum(1); requests != 8000 || got > 830 || got < 30 {
		t.Errorf("%d of %d requests were retried; 830 retries are the bound", got, requests)
	}
	if got := b.retries.sum(1); got != uint64(allowed.Load()) {
		t.Errorf("%d retries are counted, %d were allowed", got, allowed.Load())
	}
}

func TestCountingForABudgetAllocatesNothing(t *testing.T) {
	b := NewRetryBudget()
	now := b.began
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second / 3)
		b.Request(now)
		b.TryRetry(now, 20)
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkRetryBudget(b *testing.B) {
	budget := NewRetryBudget()
	now := budget.began
	b.Run("request", func(b *testing.B) {
		for b.Loop() {
			budget.Request(now)
		}
	})
	b.Run("retry", func(b *testing.B) {
		for b.Loop() {
			budget.TryRetry(now, 20)
		}
	})
}
