package tcp

import (
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestRelaysLeaveNothingBehind(t *testing.T) {
	const workers = 8
	relays := func(n int) {
		var all sync.WaitGroup
		for worker := range workers {
			all.Go(func() {
				bulk := make([]byte, 256<<10)
				for i := range n / workers {
					client, clientConn := pair(t)
					member, memberConn := pair(t)
					done := make(chan struct{})
					go func() {
						defer close(done)
						Relay(Peer{Conn: clientConn}, Peer{Conn: memberConn}, patience)
					}()
					go func() {
						client.Write(bulk)
						client.CloseWrite()
					}()
					switch (worker + i) % 3 {
					case 0: // in order
						io.Copy(io.Discard, member)
						member.CloseWrite()
					case 1: // reset with bytes in buffers and pipes
						io.ReadFull(member, make([]byte, 100))
						reset(member)
					case 2: // closed from outside
						io.ReadFull(member, make([]byte, 100))
						clientConn.Close()
					}
					<-done
					client.Close()
					member.Close()
				}
			})
		}
		all.Wait()
	}
	relays(10 * workers)
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	relays(2000)
	// Pipes stay open for reuse: one for each direction that was ever busy at once.
	if now := descriptors(t); now > fds+2*2*workers {
		t.Errorf("%d descriptors are open after 2,000 relays, %d before", now, fds)
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines+workers; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}
