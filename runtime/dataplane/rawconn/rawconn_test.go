package rawconn

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns the two ends of a connection, ours under watch.
func pair(t *testing.T, p *Poller) (ours *Conn, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, err = p.Wrap(accepted.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	theirs = dialed.(*net.TCPConn)
	t.Cleanup(func() {
		ours.Close()
		theirs.Close()
	})
	return ours, theirs
}

func newPoller(t *testing.T) *Poller {
	p := NewPoller()
	t.Cleanup(p.Close)
	return p
}

// within fails the test when f takes longer than anything here may.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: not done in 20 seconds", what)
	}
}

func TestEveryByteArrivesUnderBackpressure(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	sent := make([]byte, 32<<20)
	rand.Read(sent)
	within(t, "echo", func() {
		go func() {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 300_000)
				if err := ours.WriteBoth(rest[:n/3], rest[n/3:n]); err != nil {
					t.Error(err)
					return
				}
				rest = rest[n:]
			}
			ours.CloseWrite()
		}()
		got, err := io.ReadAll(theirs)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d bytes arrived, %d were sent (%v)", len(got), len(sent), err)
		}
	})
}

func TestServeSeesWhatArrivesWhileItIsBusy(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	const messages = 2000
	go func() {
		b := []byte{0}
		for i := range messages {
			b[0] = byte(i)
			if _, err := theirs.Write(b); err != nil {
				return
			}
			if i%7 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	got := 0
	within(t, "serve", func() {
		// One small read in each step, and no second one to see whether there is more:
		// whatever arrives in the meantime must end the next wait.
		buf := make([]byte, messages)
		err := ours.Serve(func() bool {
			n, err := ours.Read(buf)
			if err != nil && !errors.Is(err, ErrWouldBlock) {
				t.Error(err)
				return true
			}
			got += n
			runtime.Gosched()
			return got == messages
		})
		if err != nil {
			t.Error(err)
		}
	})
	if got != messages {
		t.Errorf("%d bytes of %d", got, messages)
	}
}

func TestWriteReadAsksForABufferOnlyWhenThereIsAnAnswer(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	var asked atomic.Bool
	go func() {
		b := make([]byte, 4)
		io.ReadFull(theirs, b)
		time.Sleep(20 * time.Millisecond)
		if asked.Load() {
			t.Error("a buffer was taken before there was an answer")
		}
		theirs.Write([]byte("pong"))
	}()
	buf := make([]byte, 16)
	within(t, "write and read", func() {
		n, err := ours.WriteRead([]byte("ping"), func() []byte {
			asked.Store(true)
			return buf
		}, true)
		if err != nil || string(buf[:n]) != "pong" {
			t.Errorf("read %q, %v", buf[:n], err)
		}
	})
}

func TestWriteReadNoticesWhatWasSaidBefore(t *testing.T) {
	for name, act := range map[string]func(*net.TCPConn){
		"something unasked": func(theirs *net.TCPConn) { theirs.Write([]byte("x")) },
		"an end":            func(theirs *net.TCPConn) { theirs.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := pair(t, newPoller(t))
			act(theirs)
			for deadline := time.Now().Add(20 * time.Second); ours.Fresh(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it did not arrive")
				}
			}
			if _, err := ours.WriteRead([]byte("ping"), func() []byte { return make([]byte, 1) }, true); !errors.Is(err, ErrNotQuiet) {
				t.Errorf("write and read: %v, want ErrNotQuiet", err)
			}
			theirs.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if n, err := theirs.Read(make([]byte, 1)); n != 0 {
				t.Errorf("something was written all the same (%v)", err)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	for _, tc := range []struct {
		name    string
		timeout time.Duration
	}{
		{"short ones are exact", 50 * time.Millisecond},
		{"long ones are kept to a tick", 600 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours, theirs := pair(t, newPoller(t))
			ours.SetReadTimeout(tc.timeout)
			began := time.Now()
			within(t, "read", func() {
				if _, err := ours.Read(make([]byte, 1)); !IsTimeout(err) {
					t.Errorf("read: %v, want a timeout", err)
				}
			})
			if took := time.Since(began); took < tc.timeout {
				t.Errorf("a read of %v ended after %v", tc.timeout, took)
			}
			if err := ours.Recover(); err != nil {
				t.Fatal(err)
			}
			ours.SetReadTimeout(10 * time.Second)
			theirs.Write([]byte("x"))
			within(t, "read after recovery", func() {
				if n, err := ours.Read(make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("read after recovery: %d, %v", n, err)
				}
			})
		})
	}
}

func TestAWriteThatNobodyTakesTimesOut(t *testing.T) {
	ours, _ := pair(t, newPoller(t))
	ours.SetWriteTimeout(600 * time.Millisecond)
	within(t, "write", func() {
		if _, err := ours.Write(make([]byte, 64<<20)); !IsTimeout(err) {
			t.Errorf("write: %v, want a timeout", err)
		}
	})
}

func TestALimitSetLaterEndsAWaitThatHadNone(t *testing.T) {
	for range 20 {
		ours, _ := pair(t, newPoller(t))
		ours.SetReadTimeout(0)
		go func() {
			runtime.Gosched()
			ours.LimitRead(time.Millisecond)
		}()
		within(t, "read", func() {
			if _, err := ours.Read(make([]byte, 1)); !IsTimeout(err) {
				t.Errorf("read: %v, want a timeout", err)
			}
		})
	}
}

func TestRestingConnectionsAreTakenOrEnd(t *testing.T) {
	p := newPoller(t)
	ours, theirs := pair(t, p)
	ended := make(chan error, 1)
	wake := func(err error) { ended <- err }
	for range 100 {
		if !ours.Rest(time.Minute, wake) {
			t.Fatal("can't rest")
		}
		if !ours.Take() {
			t.Fatal("can't be taken back")
		}
		if ours.Take() {
			t.Fatal("was taken twice")
		}
	}
	if !ours.Rest(time.Minute, wake) {
		t.Fatal("can't rest")
	}
	time.Sleep(2 * ParkAfter) // parked by now
	if !ours.Take() || !ours.Fresh() {
		t.Fatal("can't be taken back when parked")
	}
	if !ours.Rest(time.Minute, wake) {
		t.Fatal("can't rest again")
	}
	theirs.Close()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the other side's end was not noticed")
	}
	if ours.Take() {
		t.Error("a connection that has ended was taken")
	}
}

func TestTakingRacesWithEndingAndOneWins(t *testing.T) {
	p := newPoller(t)
	for range 200 {
		ours, theirs := pair(t, p)
		var owners atomic.Int32
		var wg sync.WaitGroup
		wg.Add(1)
		if !ours.Rest(time.Minute, func(error) { owners.Add(1); wg.Done() }) {
			t.Fatal("can't rest")
		}
		wg.Go(func() { theirs.Close() })
		wg.Go(func() {
			if ours.Take() {
				owners.Add(1)
				wg.Done()
			}
		})
		wg.Go(func() { ours.Close() })
		within(t, "one owner", wg.Wait)
		if n := owners.Load(); n != 1 {
			t.Fatalf("%d owners, want 1", n)
		}
	}
}

func TestFreshSeesWhatCameUnasked(t *testing.T) {
	ours, theirs := pair(t, newPoller(t))
	if !ours.Fresh() {
		t.Error("a new connection is not fresh")
	}
	theirs.Write([]byte("x"))
	for deadline := time.Now().Add(20 * time.Second); ours.Fresh(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("unasked bytes were not seen")
		}
	}
}

func BenchmarkPingPong(b *testing.B) {
	p := NewPoller()
	defer p.Close()
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	defer l.Close()
	go func() {
		conn, _ := l.Accept()
		c, _ := p.Wrap(conn.(*net.TCPConn))
		buf := make([]byte, 1024)
		c.Serve(func() bool {
			n, err := c.Read(buf)
			if errors.Is(err, ErrWouldBlock) {
				return false
			}
			if err != nil {
				return true
			}
			return c.WriteBoth(buf[:n], nil) != nil
		})
	}()
	conn, _ := net.Dial("tcp", l.Addr().String())
	c, _ := p.Wrap(conn.(*net.TCPConn))
	defer c.Close()
	c.SetReadTimeout(time.Minute)
	buf := make([]byte, 1024)
	buffer := func() []byte { return buf }
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.WriteRead(message, buffer, true); err != nil {
			b.Fatal(err)
		}
	}
}
