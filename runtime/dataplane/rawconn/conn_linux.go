package rawconn

import (
	"io"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// system is the raw side of a connection: its descriptor is used by system calls
// that never block, within callbacks of [syscall.RawConn], which hold it open.
type system struct {
	raw syscall.RawConn
	// The callbacks, made once: a closure for each call would be garbage.
	onReadable, onWritable func(fd uintptr) bool

	reading incoming // reader's
	writing outgoing // writer's
	// step is that of Serve; fd is the descriptor while it runs. Reader's.
	step func() bool
	fd   uintptr
	// parkedAt is the descriptor under which it was parked; protected by parking.mu.
	parkedAt int32
}

// incoming is a read that is under way.
type incoming struct {
	probe  bool          // find out whether there is something to read before first
	first  []byte        // to be written before anything is read
	wait   bool          // for input before the first read
	p      []byte        // where to read
	buffer func() []byte // asked for p once there is something
	n      int
	err    error
}

// outgoing is a write that is under way: p, then q.
type outgoing struct {
	p, q  []byte
	armed bool // has a time
	err   error
}

func (c *Conn) init() (err error) {
	if c.raw, err = c.tcp.SyscallConn(); err != nil {
		return err
	}
	c.onReadable, c.onWritable = c.readable, c.writable
	return nil
}

// Serve calls step until it returns true, and waits for input each time that it
// returned false; the first call comes at once. In a step, Read returns
// ErrWouldBlock instead of waiting, also when a read before got less than it had room
// for: what came since begins another step. An end that came together with input may be
// told only when the connection is parked. The read timeout holds for each wait.
//
// A step may do anything with other connections, and may write to this one; what
// has to wait for input of this one must be done after Serve has returned.
func (c *Conn) Serve(step func() bool) error {
	if err := c.resume(); err != nil {
		return err
	}
	c.step = step
	c.reading.err = nil
	err := c.raw.Read(c.onReadable)
	c.step = nil
	if c.reading.err != nil {
		return c.reading.err
	}
	return err
}

// WriteRead writes p, waits for input, and reads some of it into what buffer
// returns, which is asked for only when there is something to read. The other side
// must have had nothing to say before it got p: with probe, that is found out, and
// [ErrNotQuiet] says that it had, or had ended, and that nothing was written.
func (c *Conn) WriteRead(p []byte, buffer func() []byte, probe bool) (n int, err error) {
	return c.read(incoming{probe: probe, first: p, wait: true, buffer: buffer})
}

// Read implements net.Conn. At the end of the stream it returns io.EOF.
func (c *Conn) Read(p []byte) (n int, err error) {
	if c.pushed != nil {
		return c.readPushed(p), nil
	}
	if c.fd == 0 {
		return c.read(incoming{p: p})
	}
	if c.drained {
		return 0, ErrWouldBlock
	}
	n, err = readNow(c.fd, p)
	c.drained = err == nil && n < len(p)
	return n, err
}

func (c *Conn) read(in incoming) (int, error) {
	if err := c.armRead(); err != nil {
		return 0, err
	}
	c.reading = in
	err := c.raw.Read(c.onReadable)
	n := c.reading.n
	if c.reading.err != nil {
		err = c.reading.err
	}
	c.reading = incoming{}
	if err == nil {
		c.waited()
	}
	return n, err
}

// readable is what Serve, WriteRead and Read do before and after each wait.
func (c *Conn) readable(fd uintptr) (done bool) {
	if c.step != nil {
		if c.reading.err = c.resume(); c.reading.err != nil {
			return true
		}
		c.fd, c.drained = fd, false
		done = c.step()
		c.fd = 0
		if !done {
			c.reading.err = c.armRead()
		}
		return done || c.reading.err != nil
	}
	in := &c.reading
	if in.probe {
		var b [1]byte
		if _, err := readNow(fd, b[:]); err != ErrWouldBlock { //nolint:errorlint // it is never wrapped
			in.err = ErrNotQuiet
			return true
		}
		in.probe = false
	}
	if in.first != nil {
		if in.err = c.writeNow(fd, in.first, nil); in.err != nil {
			return true
		}
		in.first = nil
	}
	if in.wait {
		in.wait = false
		return false
	}
	if in.p == nil {
		in.p = in.buffer()
	}
	if in.n, in.err = readNow(fd, in.p); in.err == ErrWouldBlock { //nolint:errorlint // it is never wrapped
		in.err = nil
		return false
	}
	return true
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (n int, err error) {
	if err := c.WriteBoth(p, nil); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteBoth writes p and then q, in one system call if the other side takes it.
func (c *Conn) WriteBoth(p, q []byte) error {
	if c.fd != 0 {
		return c.writeNow(c.fd, p, q)
	}
	return c.writeWaiting(p, q)
}

// writeNow writes with a descriptor that the caller holds open.
func (c *Conn) writeNow(fd uintptr, p, q []byte) error {
	p, q, err := writeSome(fd, p, q)
	if err != nil || len(p)+len(q) == 0 {
		return err
	}
	return c.writeWaiting(p, q)
}

func (c *Conn) writeWaiting(p, q []byte) error {
	c.writing = outgoing{p: p, q: q}
	err := c.raw.Write(c.onWritable)
	if c.writing.err != nil {
		err = c.writing.err
	}
	if c.writing.armed && !c.disarmWrite() && err == nil {
		err = ErrTimeout // the interruption is on its way and would hit the next write
	}
	c.writing = outgoing{}
	return err
}

func (c *Conn) writable(fd uintptr) (done bool) {
	out := &c.writing
	out.p, out.q, out.err = writeSome(fd, out.p, out.q)
	if out.err == nil && len(out.p)+len(out.q) > 0 {
		out.armed, out.err = true, c.armWrite()
		return out.err != nil
	}
	return true
}

// writeSome writes as much as the other side takes and returns the rest.
func writeSome(fd uintptr, p, q []byte) (restP, restQ []byte, err error) {
	for len(p)+len(q) > 0 {
		var n uintptr
		var errno syscall.Errno
		switch {
		case len(q) == 0:
			n, errno = send(fd, p)
		case len(p) == 0:
			n, errno = send(fd, q)
		default:
			vector := [2]syscall.Iovec{{Base: &p[0]}, {Base: &q[0]}}
			vector[0].SetLen(len(p))
			vector[1].SetLen(len(q))
			n, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&vector)), 2)
		}
		switch errno {
		case 0:
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return p, q, nil
		default:
			return p, q, os.NewSyscallError("write", errno)
		}
		taken := min(int(n), len(p))
		p, q = p[taken:], q[int(n)-taken:]
	}
	return nil, nil, nil
}

// send writes to a socket; it costs less than write, which any file understands.
func send(fd uintptr, p []byte) (uintptr, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
	return n, errno
}

// readNow reads what there is.
func readNow(fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, os.NewSyscallError("read", errno)
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

// Fresh reports whether an idle connection is as it was left: still open, and
// without anything to read that nobody has asked for.
func (c *Conn) Fresh() bool {
	_, errno := c.peek()
	return errno == syscall.EAGAIN
}

// ended reports whether the other side has ended its half, or the connection failed.
func (c *Conn) ended() (ended, failed bool) {
	n, errno := c.peek()
	return n == 0 && errno == 0, errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR
}

// peek looks at the next byte.
func (c *Conn) peek() (n int, errno syscall.Errno) {
	errno = syscall.EBADF
	_ = c.raw.Control(func(fd uintptr) {
		var b [1]byte
		var got uintptr
		got, _, errno = syscall.RawSyscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		n = int(got)
	})
	return n, errno
}

// shutdown ends both directions.
func (c *Conn) shutdown() {
	_ = c.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// System is the descriptor, for splice. It is not to be waited on within a step.
func (c *Conn) System() syscall.RawConn { return c.raw }
