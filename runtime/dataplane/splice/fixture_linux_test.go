package splice

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// patience is more than anything here takes, so that no test hangs.
const patience = 30 * time.Second

// pair returns the two ends of a TCP connection.
func pair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{dialed, accepted} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
	}
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

func rawOf(t testing.TB, c syscall.Conn) syscall.RawConn {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// path is what Copy moves bytes along: the sender writes to src's peer, the receiver
// reads from dst's.
type path struct {
	sender, src   *net.TCPConn
	dst, receiver *net.TCPConn
}

func newPath(t testing.TB) path {
	t.Helper()
	var p path
	p.sender, p.src = pair(t)
	p.receiver, p.dst = pair(t)
	return p
}

type result struct {
	moved int64
	err   error
}

// start copies in the background.
func (p path) start(t testing.TB, n int64, progress func(int)) <-chan result {
	t.Helper()
	dst, src := rawOf(t, p.dst), rawOf(t, p.src)
	done := make(chan result, 1)
	go func() {
		moved, err := Copy(dst, src, n, progress)
		done <- result{moved, err}
	}()
	return done
}

func wait(t testing.TB, done <-chan result) result {
	t.Helper()
	select {
	case r := <-done:
		return r
	case <-time.After(patience):
		t.Fatal("the copy did not end")
		return result{}
	}
}

// usePipes gives a test pipes of its own and returns them.
func usePipes(t testing.TB, most, idle int) *pipePool {
	t.Helper()
	shared := pipes
	own := newPipePool(most, idle)
	pipes = own
	t.Cleanup(func() {
		pipes = shared
		for len(own.idle) > 0 {
			own.drop(<-own.idle)
		}
		if n := own.open.Load(); n != 0 {
			t.Errorf("%d pipes were not given back", n)
		}
	})
	return own
}
