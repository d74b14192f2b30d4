package rawconn

import (
	"errors"
	"net"
	"testing"
	"time"
)

func TestParkedConnectionsWake(t *testing.T) {
	for _, tc := range []struct {
		name string
		act  func(ours *Conn, theirs *net.TCPConn)
		want error
	}{
		{"for input", func(_ *Conn, theirs *net.TCPConn) { theirs.Write([]byte("x")) }, nil},
		{"for the other side's end", func(_ *Conn, theirs *net.TCPConn) { theirs.CloseWrite() }, nil},
		{"for a reset", func(_ *Conn, theirs *net.TCPConn) { theirs.SetLinger(0); theirs.Close() }, nil},
		{"for their time", func(*Conn, *net.TCPConn) {}, ErrTimeout},
		{"for being closed", func(ours *Conn, _ *net.TCPConn) { ours.Close() }, net.ErrClosed},
	} {
		for _, before := range []bool{false, true} {
			if before && errors.Is(tc.want, net.ErrClosed) {
				continue // nothing is left to be parked
			}
			name := tc.name
			if before {
				name += ", which came before"
			}
			t.Run(name, func(t *testing.T) {
				p := newPoller(t)
				if p.failed != nil {
					t.Fatal(p.failed)
				}
				ours, theirs := pair(t, p)
				if before {
					tc.act(ours, theirs)
					time.Sleep(10 * time.Millisecond) // let it arrive
				}
				woken := make(chan error, 2)
				idle := 20 * time.Second
				if tc.want == ErrTimeout { //nolint:errorlint // it is the table's
					idle = 50 * time.Millisecond
				}
				if !ours.Park(idle, func(err error) { woken <- err }) {
					t.Fatal("was not parked")
				}
				if !before {
					tc.act(ours, theirs)
				}
				select {
				case err := <-woken:
					if !errors.Is(err, tc.want) {
						t.Errorf("woke with %v, want %v", err, tc.want)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("did not wake")
				}
				select {
				case err := <-woken:
					t.Errorf("woke a second time, with %v", err)
				case <-time.After(20 * time.Millisecond):
				}
			})
		}
	}
}

func TestClosedConnectionsLeaveNothingBehind(t *testing.T) {
	p := newPoller(t)
	for range 500 {
		ours, _ := pair(t, p)
		if !ours.Park(time.Minute, func(error) {}) {
			t.Fatal("was not parked")
		}
		ours.Close()
	}
	left := 0
	for i := range p.shards {
		p.shards[i].mu.Lock()
		left += len(p.shards[i].slots)
		p.shards[i].mu.Unlock()
	}
	if left != 0 {
		t.Errorf("%d slots are left", left)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) != 0 {
		t.Errorf("%d parked connections are left", len(p.conns))
	}
}
