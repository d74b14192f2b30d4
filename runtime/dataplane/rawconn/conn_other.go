//go:build !linux

package rawconn

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// system does over net.Conn what Linux does over system calls.
type system struct {
	stepping bool
	stash    []byte // read ahead, to find out that there is something
	failed   error
	idle     []byte // the buffer of stash
}

func (c *Conn) init() error { return nil }

// Serve calls step until it returns true, and waits for input each time that it
// returned false; the first call comes at once. In a step, Read returns
// ErrWouldBlock instead of waiting. The read timeout holds for each wait.
func (c *Conn) Serve(step func() bool) error {
	for {
		if err := c.resume(); err != nil {
			return err
		}
		c.stepping = true
		done := step()
		c.stepping = false
		if done {
			return nil
		}
		if len(c.stash) > 0 {
			continue
		}
		if c.idle == nil {
			c.idle = make([]byte, 4096)
		}
		n, err := c.readWaiting(c.idle)
		if errors.Is(err, ErrTimeout) {
			return err
		}
		c.stash, c.failed = c.idle[:n], err
	}
}

// WriteRead writes p, waits for input, and reads some of it into what buffer returns.
// Whether there is input already is not found out here.
func (c *Conn) WriteRead(p []byte, buffer func() []byte, _ bool) (n int, err error) {
	if _, err := c.Write(p); err != nil {
		return 0, err
	}
	return c.Read(buffer())
}

// Read implements net.Conn. At the end of the stream it returns io.EOF.
func (c *Conn) Read(p []byte) (n int, err error) {
	if c.pushed != nil {
		return c.readPushed(p), nil
	}
	if len(c.stash) > 0 {
		n := copy(p, c.stash)
		c.stash = c.stash[n:]
		return n, nil
	}
	if c.failed != nil {
		return 0, c.failed
	}
	if c.stepping {
		return 0, ErrWouldBlock
	}
	return c.readWaiting(p)
}

func (c *Conn) readWaiting(p []byte) (int, error) {
	if err := c.armRead(); err != nil {
		return 0, err
	}
	n, err := c.tcp.Read(p)
	if n > 0 {
		c.waited()
		return n, nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	if err := c.WriteBoth(p, nil); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteBoth writes p and then q.
func (c *Conn) WriteBoth(p, q []byte) error {
	if c.writeTimeout > 0 {
		if err := c.tcp.SetWriteDeadline(time.Now().Add(c.writeTimeout)); err != nil {
			return err
		}
	}
	buffers := net.Buffers{p, q}
	_, err := buffers.WriteTo(c.tcp)
	return err
}

// Fresh reports whether an idle connection is as it was left, as far as can be told.
func (c *Conn) Fresh() bool { return len(c.stash) == 0 && c.failed == nil }

// System is the descriptor; nil where that is not to be had.
func (c *Conn) System() syscall.RawConn {
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// ended is not known here.
func (c *Conn) ended() (ended, failed bool) { return false, false }

func (c *Conn) shutdown() {
	_ = c.tcp.CloseRead()
	_ = c.tcp.CloseWrite()
}
