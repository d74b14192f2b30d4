package tcp

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
)

// Side is one of the two sides of a relay.
type Side uint8

// The sides.
const (
	Client Side = iota
	Member
)

// String returns client or member.
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "member"
}

func (s Side) other() Side { return 1 - s }

// Peer is what stands at one side of a relay.
type Peer struct {
	// Conn needs CloseWrite, which ends its half. If it has SyscallConn, as a
	// *net.TCPConn, or a method TCP that returns the *net.TCPConn below, then its bytes
	// are taken to be those of that connection, and Read and Write are not called.
	Conn net.Conn
	// Ahead is what was read from Conn before; it is delivered first.
	Ahead []byte
	// Sent counts, while it happens, the bytes from Conn that the other side took. Nil:
	// nobody counts.
	Sent *atomic.Int64
}

// Traffic is how many bytes each side took.
type Traffic struct{ ToMember, ToClient int64 }

var (
	// ErrIdle says that for the idle timeout neither side said anything.
	ErrIdle = errors.New("connection is idle")
	// ErrStalled says that a side took nothing of what it was sent for the idle
	// timeout. It is an ErrIdle too.
	ErrStalled error = stalledError{}
)

type stalledError struct{}

func (stalledError) Error() string { return "connection takes nothing" }

func (stalledError) Is(target error) bool { return target == ErrIdle }

// Failure is why a relay ended early: one side's connection was reset (ECONNRESET,
// EPIPE), stalled ([ErrStalled]) or closed by somebody else (net.ErrClosed).
type Failure struct {
	Side Side
	Err  error
}

// Error implements error.
func (f *Failure) Error() string { return f.Side.String() + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Relay copies in both directions until both sides have ended, one of them fails, or
// idle has passed. It sets no deadlines, removes those that are set, and has closed
// both connections when it returns. Closing either of them ends it.
//
// When a side ends its half (FIN), what it sent is delivered, the other side's
// half is ended likewise, and the other direction goes on. The error is
//
//   - nil if both sides ended that way;
//   - [ErrIdle] if both were silent for idle, or up to an eighth longer;
//   - else a *[Failure]. The connections are then reset, so that what was cut short
//     does not look complete.
func Relay(client, member Peer, idle time.Duration) (Traffic, error) {
	defer client.Conn.Close()
	defer member.Conn.Close()
	r := &relay{peers: [2]Peer{client, member}, idle: idle, halves: 2}
	for side, p := range r.peers {
		r.flows[side].from, r.flows[side].sent = Side(side), p.Sent
		r.sockets[side] = raw(p.Conn)
		p.Conn.SetDeadline(time.Time{})
	}
	r.watch()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.carry(Member)
	}()
	r.carry(Client)
	<-done
	return r.outcome()
}

type relay struct {
	peers   [2]Peer
	sockets [2]syscall.RawConn // nil where Read and Write must do
	idle    time.Duration
	flows   [2]flow // by the side they come from

	mu     sync.Mutex // protects what follows
	timer  *time.Timer
	halves int // that have not ended
	ended  bool
	cause  error // once ended
}

// carry runs one direction, until the other has ended too.
func (r *relay) carry(from Side) {
	err := r.run(from)
	if err == nil {
		if r.halfEnds() {
			r.end(nil)
			return
		}
		// Nobody reads this connection any more, but it may yet fail or be closed.
		err = untilGone(r.peers[from].Conn)
	}
	if err == nil {
		return
	}
	failure := &Failure{Side: from, Err: err}
	if failed := (*splice.WriteError)(nil); errors.As(err, &failed) {
		failure.Side, failure.Err = from.other(), failed.Err
	}
	r.end(failure)
}

// run moves everything that a side sends to the other one, and its end.
func (r *relay) run(from Side) error {
	f, p, to := &r.flows[from], &r.peers[from], r.peers[from.other()].Conn
	if len(p.Ahead) > 0 {
		if err := f.write(to, p.Ahead); err != nil {
			return err
		}
		p.Ahead = nil // it may be large, and a relay may live long
	}
	src, dst := r.sockets[from], r.sockets[from.other()]
	if splice.Supported() && src != nil && dst != nil {
		n, err := splice.Copy(dst, src, -1, f.progress)
		f.moved += n
		if err != nil {
			return err
		}
	} else if err := f.pump(p.Conn, to); err != nil {
		return err
	}
	return closeWrite(to)
}

// halfEnds reports whether that was the last one.
func (r *relay) halfEnds() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.halves--
	return r.halves == 0
}

// end ends both directions at once. The first cause is the one that is returned. The
// lock is held to the end, so that Relay does not return before all is closed.
func (r *relay) end(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended, r.cause = true, cause
	r.timer.Stop()
	if failure := (*Failure)(nil); errors.As(cause, &failure) {
		for _, p := range r.peers {
			abort(p.Conn)
		}
	}
	for _, p := range r.peers {
		p.Conn.Close()
	}
}

// outcome is for when both directions have ended.
func (r *relay) outcome() (Traffic, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Traffic{ToMember: r.flows[Client].moved, ToClient: r.flows[Member].moved}, r.cause
}
