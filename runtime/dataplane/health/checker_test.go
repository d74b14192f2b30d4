package health

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pretend returns a checker whose probes are calls of a function.
func pretend(concurrency int, probe func(ctx context.Context, w *Watch) error) *Checker {
	c := NewChecker(concurrency)
	c.probe = probe
	return c
}

// stopAll stops watches and lets their probes end.
func stopAll(watches ...*Watch) {
	for _, w := range watches {
		w.Stop()
	}
	time.Sleep(time.Hour)
	synctest.Wait()
}

func ignore(bool, error) {}

func TestNoMoreProbesRunAtOnceThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most, total atomic.Int64
		checker := pretend(3, func(context.Context, *Watch) error {
			now := running.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			time.Sleep(time.Second) // work that probes could overlap in
			running.Add(-1)
			total.Add(1)
			return nil
		})
		c := lb.NewHealthCheck()
		var watches []*Watch
		for range 100 {
			watches = append(watches, checker.Watch(Target{Check: &c}, true, ignore))
		}
		time.Sleep(time.Minute)
		stopAll(watches...)
		if most.Load() != 3 {
			t.Errorf("%d probes ran at once, want 3", most.Load())
		}
		if n := total.Load(); n < 150 || n > 180 {
			t.Errorf("%d probes of a second each, three at once, ran in a minute; want nearly 180", n)
		}
		if checker.running != 0 || checker.first != nil {
			t.Errorf("%d probes run and some wait after all watches were stopped", checker.running)
		}
	})
}

func TestWatchesThatWaitTakeNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watches = 1000
		hold := make(chan struct{})
		var probes atomic.Int64
		checker := pretend(2, func(context.Context, *Watch) error {
			<-hold
			probes.Add(1)
			return nil
		})
		c := lb.NewHealthCheck()
		c.Interval = lb.MaxHealthInterval
		before := runtime.NumGoroutine()
		var all []*Watch
		for range watches {
			all = append(all, checker.Watch(Target{Check: &c}, true, ignore))
		}
		time.Sleep(firstWithin) // until each has come due
		synctest.Wait()
		// What other tests left behind comes and goes, but not by the hundred.
		if n := runtime.NumGoroutine() - before; n > watches/10 {
			t.Errorf("%d goroutines for 2 probes at once", n)
		}
		close(hold)
		synctest.Wait()
		if n := probes.Load(); n != watches {
			t.Errorf("%d of %d watches had their turn", n, watches)
		}
		stopAll(all...)
	})
}

func TestWatchesThatWaitTakeTurns(t *testing.T) {
	c := NewChecker(1)
	running, first, second, third := new(Watch), new(Watch), new(Watch), new(Watch)
	if !c.start(running) {
		t.Fatal("the first watch has to wait")
	}
	wantNext := func(want *Watch) {
		t.Helper()
		if got := c.finish(); got != want {
			t.Errorf("it is the turn of %p, want %p", got, want)
		}
	}
	if c.start(first) || c.start(second) {
		t.Fatal("two run at once")
	}
	wantNext(first)
	if c.start(third) {
		t.Fatal("two run at once")
	}
	wantNext(second)
	wantNext(third)
	wantNext(nil)
	if !c.start(first) || first.next != nil {
		t.Error("a watch can't run again")
	}
}

func TestProbesAreSpreadOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const watches = 10_000
		start := time.Now()
		perSecond := make([]atomic.Int64, 101)
		checker := pretend(0, func(context.Context, *Watch) error {
			perSecond[int(time.Since(start).Seconds())].Add(1)
			return nil
		})
		c := lb.NewHealthCheck()
		c.Interval = lb.Duration(10 * time.Second)
		var all []*Watch
		for range watches {
			all = append(all, checker.Watch(Target{Check: &c}, true, ignore))
		}
		time.Sleep(100 * time.Second)
		stopAll(all...)
		total := int64(0)
		for second := range perSecond[:100] {
			n := perSecond[second].Load()
			total += n
			// The end of the first interval overlaps with the second, which begins with a
			// gap: 1250 and 750 are expected there. Five standard deviations are 150.
			if n < 600 || n > 1400 {
				t.Errorf("%d probes in second %d, want about 1000", n, second)
			}
		}
		if total < 99_000 || total > 101_000 {
			t.Errorf("%d probes in 100 seconds, want about 100000", total)
		}
	})
}

func TestAnIntervalStraysByATenthAndCountsFromTheProbesBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began []time.Time
		checker := pretend(0, func(context.Context, *Watch) error {
			began = append(began, time.Now())
			time.Sleep(time.Second)
			return nil
		})
		c := lb.NewHealthCheck()
		c.Interval = lb.Duration(10 * time.Second)
		w := checker.Watch(Target{Check: &c}, true, ignore)
		time.Sleep(time.Hour)
		stopAll(w)
		shortest, longest := time.Hour, time.Duration(0)
		for i := 1; i < len(began); i++ {
			d := began[i].Sub(began[i-1])
			shortest, longest = min(shortest, d), max(longest, d)
		}
		if shortest < 9*time.Second || longest > 11*time.Second+grid || longest-shortest < time.Second {
			t.Errorf("intervals are between %s and %s, want all of 9s to 11s used", shortest, longest)
		}
	})
}

func TestTheFirstProbeOfALongIntervalComesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int64
		checker := pretend(0, func(context.Context, *Watch) error { probes.Add(1); return nil })
		c := lb.NewHealthCheck()
		c.Interval = lb.MaxHealthInterval
		w := checker.Watch(Target{Check: &c}, true, ignore)
		time.Sleep(firstWithin)
		synctest.Wait()
		if probes.Load() != 1 {
			t.Errorf("%d probes within %s, want 1", probes.Load(), firstWithin)
		}
		stopAll(w)
	})
}
