package tcp

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// piped is a connection in memory, for tests that have a clock of their own.
type piped struct {
	r *io.PipeReader
	w *io.PipeWriter
}

func pipedPair() (a, b piped) {
	toB, fromA := io.Pipe()
	toA, fromB := io.Pipe()
	return piped{toA, fromA}, piped{toB, fromB}
}

func (m piped) Read(b []byte) (int, error)  { return m.r.Read(b) }
func (m piped) Write(b []byte) (int, error) { return m.w.Write(b) }
func (m piped) CloseWrite() error           { return m.w.Close() }
func (m piped) Close() error {
	m.r.CloseWithError(net.ErrClosed)
	return m.w.CloseWithError(net.ErrClosed)
}
func (piped) LocalAddr() net.Addr              { return nil }
func (piped) RemoteAddr() net.Addr             { return nil }
func (piped) SetDeadline(time.Time) error      { return nil }
func (piped) SetReadDeadline(time.Time) error  { return nil }
func (piped) SetWriteDeadline(time.Time) error { return nil }

const idle = 80 * time.Second

func TestTheWatch(t *testing.T) {
	// pass reports whether a byte came through.
	pass := func(from, to piped) bool {
		go from.Write([]byte("x"))
		_, err := io.ReadFull(to, make([]byte, 1))
		return err == nil
	}
	tests := []struct {
		name string
		// does is what the far ends do.
		does  func(client, member piped)
		want  error
		side  Side          // whose failure it is, when it is one
		after time.Duration // the relay's least age at its end
	}{
		{"both silent from the start", func(_, _ piped) {}, ErrIdle, 0, idle},
		{"both silent after some talk", func(client, member piped) {
			for range 10 {
				time.Sleep(idle / 2)
				pass(client, member)
			}
		}, ErrIdle, 0, 6 * idle},
		{"only the client talks", func(client, member piped) {
			for range 10 {
				time.Sleep(idle - idle/4)
				pass(client, member)
			}
		}, ErrIdle, 0, 8*idle + idle/2},
		{"only the member talks", func(client, member piped) {
			for range 10 {
				time.Sleep(idle - idle/4)
				pass(member, client)
			}
		}, ErrIdle, 0, 8*idle + idle/2},
		{"silent after the client's half has ended", func(client, _ piped) { client.CloseWrite() }, ErrIdle, 0, idle},
		{"the member takes nothing though it talks", func(client, member piped) {
			go client.Write([]byte("never taken"))
			for pass(member, client) {
				time.Sleep(idle / 4)
			}
		}, ErrStalled, Member, idle},
		{"the client takes nothing though it talks", func(client, member piped) {
			time.Sleep(3 * idle / 4)
			go member.Write([]byte("never taken"))
			for pass(client, member) {
				time.Sleep(idle / 4)
			}
		}, ErrStalled, Client, 3*idle/4 + idle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, clientConn := pipedPair()
				member, memberConn := pipedPair()
				var ends sync.WaitGroup
				ends.Go(func() { tt.does(client, member) })
				began := time.Now()
				_, err := Relay(Peer{Conn: clientConn}, Peer{Conn: memberConn}, idle)
				age := time.Since(began)
				ends.Wait()
				if !errors.Is(err, tt.want) || !errors.Is(err, ErrIdle) {
					t.Errorf("the relay ended with %v, want %v", err, tt.want)
				}
				if failure := (*Failure)(nil); errors.As(err, &failure) && failure.Side != tt.side {
					t.Errorf("the failure is the %s's", failure.Side)
				}
				if age < tt.after || age > tt.after+idle/8 {
					t.Errorf("it ended after %v, want %v or up to an eighth of %v more", age, tt.after, idle)
				}
			})
		})
	}
}

func TestAFailedWriteIsTheReceiversFailure(t *testing.T) {
	for _, side := range []Side{Client, Member} {
		t.Run(side.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var far [2]piped
				var near [2]Peer
				for i := range far {
					var conn piped
					far[i], conn = pipedPair()
					near[i].Conn = conn
				}
				broken := errors.New("broken")
				far[side].r.CloseWithError(broken)
				go far[side.other()].Write([]byte("x"))
				_, err := Relay(near[Client], near[Member], idle)
				failure := (*Failure)(nil)
				if !errors.As(err, &failure) || failure.Side != side || !errors.Is(err, broken) {
					t.Errorf("the relay ended with %v", err)
				}
			})
		})
	}
}
