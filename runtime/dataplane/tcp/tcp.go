// Package tcp carries bytes between two connections.
package tcp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrIdle says that neither side had anything to say for the idle timeout, or
// that one side did not take what it was sent for as long.
var ErrIdle = errors.New("connection is idle")

const bufferBytes = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

// Relay copies in both directions until both sides have ended, one of them
// fails or both are silent for the idle timeout, and closes both connections.
//
// When a side ends its half (FIN), what it sent is delivered, the other side's
// half is ended likewise (CloseWrite), and the other direction goes on. It returns
// nil if both sides ended that way.
func Relay(client, member net.Conn, idle time.Duration) error {
	defer client.Close()
	defer member.Close()
	r := &relay{idle: idle, began: time.Now()}
	failed := make(chan error, 2)
	go func() { failed <- r.pump(member, client) }()
	go func() { failed <- r.pump(client, member) }()
	if err := <-failed; err != nil {
		client.Close()
		member.Close()
		<-failed //nolint:errcheck // the other way fails because of the first
		return err
	}
	return <-failed
}

type relay struct {
	idle  time.Duration
	began time.Time
	// last is when either side last sent something, as time since began.
	last atomic.Int64
}

func (r *relay) pump(to, from net.Conn) error {
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	for {
		from.SetReadDeadline(r.began.Add(time.Duration(r.last.Load()) + r.idle))
		n, err := from.Read(buf[:])
		if n > 0 {
			r.last.Store(int64(time.Since(r.began)))
			to.SetWriteDeadline(time.Now().Add(r.idle))
			if _, werr := to.Write(buf[:n]); werr != nil {
				return idleOr(werr)
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return closeWrite(to)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// The other side may have spoken since this deadline was set.
			if time.Since(r.began)-time.Duration(r.last.Load()) >= r.idle {
				return ErrIdle
			}
		default:
			return err
		}
	}
}

func idleOr(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrIdle
	}
	return err
}

func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("connection has no halves to close")
	}
	if err := half.CloseWrite(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
