package limit

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
)

// remembered is how many clients a count holds in memory.
func remembered(c *Connections) (n int) {
	for i := range c.shards {
		n += len(c.shards[i].open)
	}
	return n
}

func TestAClientHasNoMoreOpenThanItsLimit(t *testing.T) {
	c := NewConnections()
	for i := range 3 {
		if !c.Acquire(client, 3) {
			t.Fatalf("connection %d of 3 was refused", i+1)
		}
	}
	if c.Acquire(client, 3) {
		t.Fatal("a fourth connection was allowed")
	}
	if !c.Acquire(netip.MustParseAddr("192.0.2.2"), 3) {
		t.Error("another client was refused")
	}
	c.Release(client)
	if !c.Acquire(client, 3) {
		t.Error("refused although one of the three was released")
	}
}

func TestConnectionsCountWithoutALimitToo(t *testing.T) {
	c := NewConnections()
	for range 5 {
		if !c.Acquire(client, 0) {
			t.Fatal("refused without a limit")
		}
	}
	if c.Acquire(client, 5) {
		t.Error("a limit of 5 came, 5 are open, and a sixth was allowed")
	}
}

func TestOnlyClientsWithSomethingOpenAreRemembered(t *testing.T) {
	c := NewConnections()
	for i := range uint32(1000) {
		c.Acquire(v4(i), 1)
		if i%2 == 0 {
			c.Acquire(v4(i), 1) // refused
			c.Release(v4(i))
		}
	}
	if n := remembered(c); n != 500 {
		t.Errorf("%d clients are remembered, 500 have a connection", n)
	}
}

func TestConcurrentConnectionsNeverExceedTheLimit(t *testing.T) {
	c := NewConnections()
	var open, most atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if !c.Acquire(client, 3) {
					continue
				}
				now := open.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				open.Add(-1)
				c.Release(client)
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || remembered(c) != 0 {
		t.Errorf("%d were open at once, limit 3; %d clients are remembered at the end", most.Load(), remembered(c))
	}
}

func TestCountingConnectionsOfAKnownClientAllocatesNothing(t *testing.T) {
	c := NewConnections()
	c.Acquire(client, 0)
	if n := testing.AllocsPerRun(100, func() {
		c.Acquire(client, 0)
		c.Release(client)
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkConnections(b *testing.B) {
	c := NewConnections()
	b.ReportAllocs()
	for b.Loop() {
		c.Acquire(client, 10)
		c.Release(client)
	}
}
