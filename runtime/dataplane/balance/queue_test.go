package balance

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// full returns a balancer whose only member has its one request.
func full(pending int) *Balancer {
	g := new(Group)
	shares := fill(g, 1)
	shares[0].Limit = 1
	b := g.NewBalancer(Config{Algorithm: lb.RoundRobin, MaxPending: pending}, shares)
	b.Acquire(Request{})
	return b
}

// result is how a request's wait ended.
type result struct {
	name   string
	choice Choice
	err    error
}

// wait lets a request wait in the background.
func wait(b *Balancer, name string, done chan struct{}, timeout time.Duration, results chan<- result) {
	go func() {
		c, err := b.Wait(Request{}, done, timeout)
		results <- result{name, c, err}
	}()
	synctest.Wait()
}

func TestRequestsWaitInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, results := full(10), make(chan result, 10)
		for _, name := range []string{"a", "b", "c"} {
			wait(b, name, nil, time.Minute, results)
		}
		for i, want := range []string{"a", "b", "c"} {
			if len(results) != 0 {
				t.Fatalf("%+v went on without room", <-results)
			}
			b.shares[0].Member.Release()
			if i < 2 { // others wait behind
				// The room that has just come is not for who comes now.
				if _, err := b.Acquire(Request{}); !errors.Is(err, ErrSaturated) {
					t.Fatalf("a newcomer overtook the queue (%v)", err)
				}
			}
			if r := <-results; r.name != want || r.err != nil || r.choice.Index != 0 {
				t.Errorf("%+v went on, want %s", r, want)
			}
		}
		if n := b.shares[0].Member.Active(); n != 1 {
			t.Errorf("the member has %d requests", n)
		}
	})
}

func TestAWaitEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		act  func(b *Balancer, done chan struct{})
		want error
	}{
		{"when time is over", func(*Balancer, chan struct{}) { time.Sleep(time.Minute) }, ErrWaitTimeout},
		{"when the caller gives up", func(_ *Balancer, done chan struct{}) { close(done) }, ErrWaitCanceled},
		{"when no member is left", func(b *Balancer, _ chan struct{}) { b.shares[0].Member.SetHealthy(false) }, ErrNoMember},
		{"when there is room", func(b *Balancer, _ chan struct{}) { b.shares[0].Member.Release() }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, results, done := full(10), make(chan result, 10), make(chan struct{})
				wait(b, "", done, time.Minute, results)
				tc.act(b, done)
				synctest.Wait()
				if len(results) == 0 {
					t.Fatal("it still waits")
				}
				if r := <-results; !errors.Is(r.err, tc.want) || (r.choice.Index == 0) != (tc.want == nil) {
					t.Errorf("ended with %+v, want %v", r, tc.want)
				}
				if b.group.waiting.Load() != 0 || b.queue.length.Load() != 0 || len(b.group.queues.occupied) != 0 {
					t.Error("somebody still waits")
				}
			})
		})
	}
}

func TestARequestThatGivesUpPassesItsTurnOn(t *testing.T) {
	b := full(10)
	first, second := make(waiter, 1), make(waiter, 1)
	place := b.join(first)
	b.join(second)
	<-first // its try on joining, in vain
	b.shares[0].Member.Release()
	if len(first) != 1 || len(second) != 0 {
		t.Fatalf("room for one woke the first %d times and the second %d times", len(first), len(second))
	}
	b.leave(place) // without having tried
	if len(second) != 1 {
		t.Error("there is room, the first has left, and the second was not woken")
	}
}

func TestNoMoreRequestsWaitThanAllowedOverAllVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, results := full(2), make(chan result, 10)
		wait(b, "", nil, time.Minute, results)
		next := b.group.NewBalancer(b.config, b.shares)
		wait(next, "", nil, time.Minute, results)
		for _, b := range []*Balancer{b, next} {
			if _, err := b.Wait(Request{}, nil, time.Minute); !errors.Is(err, ErrQueueFull) {
				t.Errorf("a third request waits (%v)", err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(results); n != 2 {
			t.Errorf("%d waits ended", n)
		}
		wait(next, "", nil, time.Minute, results)
		if len(results) != 2 {
			t.Error("there is room in the queue again, yet a request was refused")
		}
		b.shares[0].Member.Release()
		synctest.Wait()
	})
}

func TestRequestsOfAnOldVersionHoldUpNobodyOfANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, results := full(10), make(chan result, 10)
		wait(b, "old", nil, time.Hour, results)
		shares := []Share{{Member: b.group.NewMember("new"), Weight: 1, Limit: 1}}
		next := b.group.NewBalancer(b.config, shares)
		if c, err := next.Acquire(Request{}); err != nil || c.Index != 0 {
			t.Fatalf("the new version chose %d (%v); its member is idle", c.Index, err)
		}
		wait(next, "new", nil, time.Hour, results)
		shares[0].Member.Release()
		if r := <-results; r.name != "new" || r.err != nil {
			t.Errorf("%+v went on, want new", r)
		}
		b.shares[0].Member.Release()
		if r := <-results; r.name != "old" || r.err != nil {
			t.Errorf("%+v went on, want old", r)
		}
	})
}

func TestRoomForSeveralWakesSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, results := full(10), make(chan result, 10)
		g := b.group
		standby := g.NewMember("standby")
		standby.SetHealthy(false)
		shares := append(slices.Clone(b.shares), Share{Member: standby, Weight: 1, Limit: 3})
		next := g.NewBalancer(b.config, shares)
		for range 4 {
			wait(next, "", nil, time.Hour, results)
		}
		standby.SetHealthy(true)
		if synctest.Wait(); len(results) != 3 {
			t.Errorf("%d requests went on, want 3: there is room for as many", len(results))
		}
		shares[0].Member.Release()
		if synctest.Wait(); len(results) != 4 {
			t.Errorf("%d requests went on, want 4", len(results))
		}
	})
}

func TestNoWakeUpIsLost(t *testing.T) {
	const workers, each = 8, 2000
	g := new(Group)
	shares := fill(g, 1, 1)
	shares[0].Limit, shares[1].Limit = 1, 1
	b := g.NewBalancer(Config{Algorithm: lb.LeastRequests, MaxPending: workers}, shares)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				c, err := b.Acquire(Request{})
				if errors.Is(err, ErrSaturated) {
					c, err = b.Wait(Request{}, nil, time.Minute)
				}
				if err != nil {
					t.Error(err)
					return
				}
				runtime.Gosched() // others come meanwhile
				shares[c.Index].Member.Release()
			}
		})
	}
	wg.Wait()
}
