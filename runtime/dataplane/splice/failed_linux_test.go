package splice

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

func TestAFailureIsSeenAndStillTold(t *testing.T) {
	p := newPath(t)
	src := rawOf(t, p.src)
	p.sender.Write([]byte("last words"))
	if err := Failed(src); err != nil {
		t.Errorf("a good connection has failed: %v", err)
	}
	p.sender.SetLinger(0)
	p.sender.Close()
	for range 2 {
		if err := Failed(src); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that was reset: %v", err)
		}
	}
	if b, err := io.ReadAll(p.src); string(b) != "last words" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v", b, err)
	}
	p.src.Close()
	if err := Failed(src); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a connection that is closed: %v", err)
	}
}

func TestAnEndIsNoFailure(t *testing.T) {
	p := newPath(t)
	p.sender.CloseWrite()
	io.ReadAll(p.src)
	p.src.CloseWrite()
	io.ReadAll(p.sender)
	if err := Failed(rawOf(t, p.src)); err != nil {
		t.Error(err)
	}
}
