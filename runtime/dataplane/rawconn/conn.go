package rawconn

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// ParkAfter is how long a connection is waited on before it is parked.
const ParkAfter = 500 * time.Millisecond

var (
	// ErrWouldBlock says that there is nothing to read now. It is a temporary
	// net.Error, which crypto/tls lets pass without giving a connection up.
	ErrWouldBlock error = &wouldBlockError{}
	// ErrNotQuiet says that the other side of a connection that was to be written to
	// had said something unasked, or ended.
	ErrNotQuiet = errors.New("connection is not as it was left")
	// ErrTimeout is what a read or write that took too long returns.
	ErrTimeout = os.ErrDeadlineExceeded
)

type wouldBlockError struct{}

func (*wouldBlockError) Error() string   { return "operation would block" }
func (*wouldBlockError) Timeout() bool   { return true }
func (*wouldBlockError) Temporary() bool { return true }

// What a connection is doing, as far as the poller is concerned.
const (
	active int32 = iota // a goroutine owns it
	idle                // nobody does; to be parked when its time comes
	parked              // watched for input, its end and its time
	closed
)

// Conn is a TCP connection. One goroutine may read and another write at the same
// time; Close may be called by anybody.
type Conn struct {
	system // the raw side, by operating system

	tcp    *net.TCPConn
	poller *Poller
	shard  *shard
	slot   *slot

	state atomic.Int32
	// wake is told when an idle or parked connection has input or an end (nil), ran
	// out of time (ErrTimeout) or was closed (net.ErrClosed).
	wake func(error)
	// idleFor is the time that an idle connection has once it is parked.
	idleFor time.Duration

	readTimeout, writeTimeout time.Duration
	limit                     atomic.Int64 // see LimitRead
	// exact is whether the connection's own read deadline is set. Reader's.
	exact bool
	// endSeen: the other side had ended its half when it was last looked at. The
	// poller's.
	endSeen bool
	// pushed is what Unread gave back. Reader's.
	pushed []byte
	// drained: a read within this step of Serve has taken all there was. What comes
	// later begins another step. Reader's.
	drained bool
}

// SetReadTimeout bounds each wait for input that begins afterwards; 0 is no bound.
// Times of half a second and more are kept to within [Tick]. It is the reader's to
// call, and ends what LimitRead began.
func (c *Conn) SetReadTimeout(d time.Duration) {
	c.readTimeout = d
	if c.limit.Load() != 0 {
		c.limit.Store(0)
	}
}

// LimitRead bounds the wait for input that is under way, and those after it, if they
// have no bound. Anybody may call it.
func (c *Conn) LimitRead(d time.Duration) {
	c.limit.Store(int64(d))
	c.slot.read.CompareAndSwap(0, c.poller.due(d))
}

// SetWriteTimeout bounds each wait for the other side to take more; 0 is no bound.
func (c *Conn) SetWriteTimeout(d time.Duration) { c.writeTimeout = d }

// armRead begins a wait for input.
func (c *Conn) armRead() error {
	d := c.readTimeout
	if d > 0 && d < exactBelow {
		if c.slot.read.Swap(0) < 0 {
			return ErrTimeout
		}
		c.exact = true
		return c.tcp.SetReadDeadline(time.Now().Add(d))
	}
	if c.exact {
		c.exact = false
		if err := c.tcp.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
	}
	if over := c.slot.read.Swap(c.poller.due(d)); over < 0 {
		// The interruption may be on its way: what comes now comes too late.
		c.slot.read.Store(over)
		return ErrTimeout
	}
	if d == 0 {
		// Looked at after the time was set: whoever sets the limit later sets the time.
		if limit := c.limit.Load(); limit > 0 {
			c.slot.read.CompareAndSwap(0, c.poller.due(time.Duration(limit)))
		}
	}
	return nil
}

// waited ends the time of a wait that brought something: it must not run out while
// nobody waits. If it ran out just when something came, that is forgotten: a reader that
// was late to run is not a sender that was late. An interruption stays.
func (c *Conn) waited() {
	due := c.slot.read.Load()
	if due > 0 && c.slot.read.CompareAndSwap(due, 0) || due == 0 {
		return
	}
	c.shard.mu.Lock() // see Recover
	defer c.shard.mu.Unlock()
	if c.slot.read.CompareAndSwap(fired, 0) {
		_ = c.tcp.SetReadDeadline(time.Time{}) // fails when closed, as the next read does
	}
}

// resume begins a step of Serve. What is left of an earlier wait, or of an interrupted
// read, is no concern of it.
func (c *Conn) resume() error {
	if c.slot.read.Load() == 0 || c.Disarm() {
		return nil
	}
	return c.Recover()
}

// armWrite begins a wait for the other side to take more.
func (c *Conn) armWrite() error {
	if c.slot.write.Swap(c.poller.due(c.writeTimeout)) == fired {
		c.slot.write.Store(fired)
		return ErrTimeout
	}
	return nil
}

// disarmWrite ends the time for writing; false means that it had run out.
func (c *Conn) disarmWrite() bool { return c.slot.write.Swap(0) != fired }

// ExtendRead gives a wait for input its time anew; what reads by other ways than
// this type, such as splice, calls it.
func (c *Conn) ExtendRead() error { return c.armRead() }

// ExtendWrite gives a wait for the other side to take more its time anew.
func (c *Conn) ExtendWrite() error { return c.armWrite() }

// DisarmWrite ends the time for writing; false means that it had run out.
func (c *Conn) DisarmWrite() bool { return c.disarmWrite() }

// Disarm ends the time for reading; false means that it had run out, and that the
// connection can't be read any more.
func (c *Conn) Disarm() bool { return c.slot.read.Swap(0) >= 0 }

// Recover makes a connection usable again whose read returned ErrTimeout.
func (c *Conn) Recover() error {
	// An interruption that is on its way has arrived when the lock can be had.
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	c.slot.read.Store(0)
	c.exact = false
	return c.tcp.SetReadDeadline(time.Time{})
}

// Interrupt makes a read that is under way, or the next one, return ErrTimeout.
func (c *Conn) Interrupt() {
	c.slot.read.Store(interrupted)
	_ = c.tcp.SetReadDeadline(longAgo)
}

var longAgo = time.Unix(1, 0)

// Unread makes p what Read returns first; the connection keeps p.
func (c *Conn) Unread(p []byte) { c.pushed = p }

// Unreads takes back what Unread gave and Read has not returned.
func (c *Conn) Unreads() []byte {
	p := c.pushed
	c.pushed = nil
	return p
}

// readPushed returns what was given back.
func (c *Conn) readPushed(p []byte) int {
	n := copy(p, c.pushed)
	if c.pushed = c.pushed[n:]; len(c.pushed) == 0 {
		c.pushed = nil
	}
	return n
}

// Rest hands an idle connection to the poller, which parks it after ParkAfter and
// gives it up after d more. Take ends that; otherwise wake is called, once, on a
// goroutine of its own. The connection belongs to the poller until then.
func (c *Conn) Rest(d time.Duration, wake func(error)) bool {
	if c.exact {
		c.exact = false
		if c.tcp.SetReadDeadline(time.Time{}) != nil {
			return false
		}
	}
	c.wake, c.idleFor = wake, d
	if c.slot.read.Swap(c.poller.due(ParkAfter)) < 0 {
		return false
	}
	return c.state.CompareAndSwap(active, idle)
}

// Take takes an idle connection back. False means that it has ended: it is closed,
// or about to be by whoever wake tells.
func (c *Conn) Take() bool {
	for {
		s := c.state.Load()
		if s != idle && s != parked {
			return false
		}
		if c.state.CompareAndSwap(s, active) {
			if c.slot.read.Swap(0) < 0 {
				_ = c.Close()
				return false
			}
			return true
		}
	}
}

// Park gives up the goroutine of a connection that waits for input: it returns at
// once, and wake is called, once, on a goroutine of its own, when there is input
// or an end (nil), after d (ErrTimeout), or when the connection is closed. 0 is no
// bound. False means that parking is not possible here and now.
func (c *Conn) Park(d time.Duration, wake func(error)) bool {
	c.wake = wake
	c.slot.read.Store(c.poller.due(d))
	if !c.state.CompareAndSwap(active, parked) {
		return false
	}
	if c.poller.park(c) != nil {
		// Somebody may have taken it meanwhile, and told wake.
		return !c.state.CompareAndSwap(parked, active)
	}
	return true
}

// awake ends parking, unless somebody else has.
func (c *Conn) awake(why error) {
	if c.state.CompareAndSwap(parked, active) {
		c.slot.read.Store(0)
		go c.wake(why)
	}
}

// Close implements net.Conn. A connection that rests or is parked wakes with
// net.ErrClosed. It waits until reads and writes under way have ended, which it makes
// them; so a step of Serve must not call it.
func (c *Conn) Close() error {
	for {
		s := c.state.Load()
		if s == closed {
			return net.ErrClosed
		}
		if !c.state.CompareAndSwap(s, closed) {
			continue
		}
		err := c.tcp.Close()
		c.shard.remove(c.slot)
		c.poller.unpark(c)
		if s != active {
			go c.wake(net.ErrClosed)
		}
		return err
	}
}

// Abort ends both directions at once, without waiting for anybody; whoever uses the
// connection finds it ended, and closes it.
func (c *Conn) Abort() {
	if s := c.state.Load(); s == idle || s == parked {
		_ = c.Close()
		return
	}
	c.shutdown()
}

// Failing makes Close end the connection so that the other side sees a failure and
// not an end.
func (c *Conn) Failing() { _ = c.tcp.SetLinger(0) }

// Watch makes reads of this connection fail when another one has ended: within two
// seconds of its failure, and when its other side has ended its half and left us
// half a second to a second and a half to answer. Nil ends that. It is the reader's to
// call.
func (c *Conn) Watch(other *Conn) { c.slot.watch.Store(other) }

// OnEnd has tell called when the other side has left in the sense of Watch, perhaps
// more than once; it must not block. Nil ends that.
func (c *Conn) OnEnd(tell func()) {
	if tell == nil {
		c.slot.onEnd.Store(nil)
		return
	}
	c.slot.onEnd.Store(&tell)
}

// Abandon makes a read under way, or the next one, fail, and Abandoned say why.
func (c *Conn) Abandon() {
	c.slot.abandoned.Store(true)
	c.Interrupt()
}

// Abandoned reports whether a read failed because of Watch or Abandon.
func (c *Conn) Abandoned() bool { return c.slot.abandoned.Load() }

// CloseWrite ends our half of the connection.
func (c *Conn) CloseWrite() error { return c.tcp.CloseWrite() }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.tcp.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.tcp.RemoteAddr() }

// TCP is the connection below, for what needs the real thing, such as splice.
func (c *Conn) TCP() *net.TCPConn { return c.tcp }

// SetDeadline implements net.Conn, for the libraries that are handed one. The
// timeouts of this type go on beside it.
func (c *Conn) SetDeadline(t time.Time) error { return c.tcp.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.tcp.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.tcp.SetWriteDeadline(t) }

// IsTimeout reports whether an error is that something took too long.
func IsTimeout(err error) bool { return errors.Is(err, ErrTimeout) }
