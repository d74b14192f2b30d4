//go:build linux && !race

package tcp

import (
	"io"
	"runtime"
	"sync"
	"testing"
	"time"
)

// idleRelays returns the bytes that a relay costs which has talked and is now silent,
// without its two sockets.
func idleRelays(t testing.TB, kind string, n int) float64 {
	type ends struct {
		client, member         halves
		clientConn, memberConn Peer
	}
	all := make([]ends, n)
	for i := range all {
		e := &all[i]
		e.client, e.clientConn.Conn = kinds[kind](t)
		e.member, e.memberConn.Conn = pair(t)
	}
	before := memory()
	var running sync.WaitGroup
	message := make([]byte, 128<<10)
	for i := range all {
		e := &all[i]
		running.Go(func() { Relay(e.clientConn, e.memberConn, time.Hour) })
		for _, size := range []int{len(message), 100} {
			e.client.Write(message[:size])
			io.ReadFull(e.member, message[:size])
			e.member.Write(message[:size])
			io.ReadFull(e.client, message[:size])
		}
	}
	each := float64(memory()-before) / float64(n)
	for i := range all {
		all[i].client.Close()
		all[i].member.Close()
	}
	running.Wait()
	return each
}

// memory is what heap and stacks use.
func memory() uint64 {
	for range 3 { // what sync.Pools hold goes in two
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func TestASilentRelayHoldsNoBuffers(t *testing.T) {
	if each := idleRelays(t, "tcp", 200); each > 12<<10 {
		t.Errorf("an idle relay costs %.1f KiB", each/1024)
	}
}

func BenchmarkIdleRelay(b *testing.B) {
	for _, kind := range []string{"tcp", "opaque", "tls"} {
		b.Run(kind, func(b *testing.B) {
			each := 0.0
			for b.Loop() {
				each = idleRelays(b, kind, 500)
			}
			b.ReportMetric(each, "B/relay")
			b.ReportMetric(0, "ns/op")
		})
	}
}
