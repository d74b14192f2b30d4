package limit

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var client = netip.MustParseAddr("192.0.2.1")

// v4 returns the n-th of many addresses.
func v4(n uint32) netip.Addr {
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], 10<<24+n)
	return netip.AddrFrom4(ip)
}

func TestAClientIsHeldToItsRate(t *testing.T) {
	for _, tc := range []struct {
		name        string
		rate, burst int
		// at are the times in ms at which the client asks, allowed is the answer.
		at      []int
		allowed []bool
	}{
		{"evenly", 10, 0, []int{0, 100, 200, 300}, []bool{true, true, true, true}},
		{"too soon", 10, 0, []int{0, 99, 100, 199, 200}, []bool{true, false, true, false, true}},
		{"a burst above the rate", 10, 2, []int{0, 0, 0, 0}, []bool{true, true, true, false}},
		{"a burst comes back at the rate", 10, 2, []int{0, 0, 0, 100, 100, 200, 1000, 1000, 1000, 1000}, []bool{true, true, true, true, false, true, true, true, true, false}},
		{"quiet time is not saved up above the burst", 10, 1, []int{0, 10_000, 10_000, 10_000}, []bool{true, true, true, false}},
		{"no bound", 0, 0, []int{0, 0, 0, 0}, []bool{true, true, true, true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, rate := NewRates(), NewRate(tc.rate, tc.burst)
			for i, ms := range tc.at {
				now := r.began.Add(time.Duration(ms) * time.Millisecond)
				if ok, _ := r.Allow(client, rate, now); ok != tc.allowed[i] {
					t.Errorf("event %d, at %d ms: allowed = %t", i, ms, ok)
				}
			}
		})
	}
}

func TestAClientMayTryAgainAfterTheTimeItIsTold(t *testing.T) {
	for _, tc := range []struct{ rate, burst int }{{1, 0}, {3, 5}, {1000, 100}, {1_000_000, 0}} {
		r, rate, now := NewRates(), NewRate(tc.rate, tc.burst), time.Now()
		for range tc.burst + 1 {
			r.Allow(client, rate, now)
		}
		ok, after := r.Allow(client, rate, now)
		if ok || after <= 0 || after > time.Second/time.Duration(tc.rate) {
			t.Fatalf("%+v: allowed = %t, again after %v", tc, ok, after)
		}
		if ok, _ := r.Allow(client, rate, now.Add(after-1)); ok {
			t.Errorf("%+v: allowed a nanosecond before", tc)
		}
		if ok, _ := r.Allow(client, rate, now.Add(after)); !ok {
			t.Errorf("%+v: refused after the time it was told", tc)
		}
	}
}

func TestClientsAreKnownByAddressOrByNetwork(t *testing.T) {
	for _, tc := range []struct {
		name, a, b string
		same       bool
	}{
		{"one address", "192.0.2.1", "192.0.2.1", true},
		{"two addresses", "192.0.2.1", "192.0.2.2", false},
		{"mapped", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"one /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true},
		{"two /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"with and without zone", "fe80::1%eth0", "fe80::1", true},
		{"the first /64 and the first IPv4 address", "::1", "0.0.0.0", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, rate, now := NewRates(), NewRate(1, 0), time.Now()
			r.Allow(netip.MustParseAddr(tc.a), rate, now)
			if ok, _ := r.Allow(netip.MustParseAddr(tc.b), rate, now); ok == tc.same {
				t.Errorf("%s and %s are the same client: %t", tc.a, tc.b, !ok)
			}
		})
	}
}

func TestAFloodOfAddressesRefillsNobody(t *testing.T) {
	r, rate, now := NewRates(), NewRate(10, 20), time.Now()
	allowed := 0
	for i := range uint32(300_000) { // within 3 seconds
		now := now.Add(time.Duration(i) * 10 * time.Microsecond)
		if ok, _ := r.Allow(v4(i), rate, now); !ok {
			t.Fatalf("newcomer %d was refused", i)
		}
		if i%10 == 0 {
			if ok, _ := r.Allow(client, rate, now); ok {
				allowed++
			}
		}
	}
	if allowed > 21+30 {
		t.Errorf("the client that asked 30,000 times was allowed %d; its burst and 3 seconds are 51", allowed)
	}
}

func TestAClientIsRememberedAmongManyOthers(t *testing.T) {
	r, rate, now := NewRates(), NewRate(1, 0), time.Now()
	const others = 20_000 // of 65,536
	for i := range uint32(others) {
		r.Allow(v4(i), rate, now)
	}
	again := 0
	for i := range uint32(others) {
		if ok, _ := r.Allow(v4(i), rate, now.Add(time.Millisecond)); ok {
			again++
		}
	}
	// Sets of eight hold 2.4 clients on average; hardly one overflows.
	if again > others/500 {
		t.Errorf("%d of %d clients were forgotten", again, others)
	}
}

func TestAFasterRateForgivesWhatASlowOneIsOwed(t *testing.T) {
	r, now := NewRates(), time.Now()
	for range 1000 {
		r.Allow(client, NewRate(1, 1000), now)
	}
	fast := NewRate(100, 0)
	if ok, after := r.Allow(client, fast, now); ok || after > 10*time.Millisecond {
		t.Errorf("allowed = %t, again after %v; want 10 ms at most", ok, after)
	}
	if ok, _ := r.Allow(client, fast, now.Add(2000*time.Second)); !ok {
		t.Error("refused when nothing is owed any more")
	}
}

func TestConcurrentEventsNeverExceedTheRate(t *testing.T) {
	r, rate, now := NewRates(), NewRate(1, 99), time.Now()
	var allowed atomic.Int64
	var wg sync.WaitGroup
	for worker := range uint32(4) {
		wg.Go(func() {
			for i := range uint32(500) {
				if ok, _ := r.Allow(client, rate, now); ok {
					allowed.Add(1)
				}
				r.Allow(v4(worker*1000+i), rate, now)
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != 100 {
		t.Errorf("%d events were allowed at one moment, want 100", n)
	}
}

func TestHoldingToARateAllocatesNothing(t *testing.T) {
	r, rate, now := NewRates(), NewRate(1, 0), time.Now()
	for i := range uint32(10_000) {
		r.Allow(v4(i), rate, now) // touches every shard
	}
	next := uint32(1 << 20)
	if n := testing.AllocsPerRun(1000, func() {
		next++
		r.Allow(v4(next), rate, now)
		r.Allow(client, rate, now)
	}); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkRates(b *testing.B) {
	r, rate, now := NewRates(), NewRate(1000, 100), time.Now()
	b.ReportAllocs()
	b.Run("known client", func(b *testing.B) {
		for b.Loop() {
			r.Allow(client, rate, now)
		}
	})
	b.Run("new clients", func(b *testing.B) {
		i := uint32(0)
		for b.Loop() {
			i++
			r.Allow(v4(i), rate, now)
		}
	})
}
