package splice

import (
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	bufferBytes = 32 << 10
	// bulkBytes without a pause make a sender one of bulk.
	bulkBytes = 64 << 10
	// sustainBytes from one pause to the next keep it one. Below this splice(2)
	// costs more than it saves.
	sustainBytes = 16 << 10
)

// Supported reports whether this package works here, which it does on Linux only.
func Supported() bool { return true }

// Copy moves n bytes from src to dst, which are stream sockets, or if n is negative,
// everything until src ends. It returns how many bytes dst took and
//
//   - nil when all n bytes were moved or, with n negative, when src ended;
//   - io.ErrUnexpectedEOF when src ended before n bytes;
//   - a *[WriteError] when dst failed;
//   - else the error of src.
//
// A missed deadline is os.ErrDeadlineExceeded, a connection closed meanwhile
// net.ErrClosed. After an error, bytes that were taken from src but not yet
// by dst, at most 256 KiB, are lost. Not a byte beyond the n is taken from src.
//
// Progress, unless nil, is told each time dst has taken moved bytes, and with 0
// before each wait for dst to take more. It may set deadlines; it is called often, so
// it should do so coarsely.
//
// Copy allocates nothing.
func Copy(dst, src syscall.RawConn, n int64, progress func(moved int)) (moved int64, err error) {
	if progress == nil {
		progress = func(int) {}
	}
	m := movers.Get().(*mover)
	defer m.free()
	m.dst, m.progress = dst, progress
	m.left, m.bulk = n, n >= bulkBytes
	if n < 0 {
		m.askForHints(src) // worth a system call only where there may be many messages
	}
	for m.left != 0 {
		if err := m.takeFrom(src); err != nil {
			return m.moved, err
		}
		if m.ended {
			if n < 0 {
				return m.moved, nil
			}
			return m.moved, io.ErrUnexpectedEOF
		}
		for ; m.held > 0; m.wait = true {
			if m.wait {
				progress(0)
			}
			if err := m.give(); err != nil {
				return m.moved, err
			}
		}
	}
	return m.moved, nil
}

var (
	buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}
	movers  = sync.Pool{New: func() any {
		m := new(mover)
		// Bound once: binding allocates.
		m.onReadable, m.onWritable, m.onHints = m.fill, m.drain, m.setHints
		m.onOffer = func(fd uintptr) { m.drain(fd) }
		return m
	}}
)

// mover carries bytes from one socket to another, in a buffer or in a pipe. It has
// one of the two only from the moment the sender has something until it has nothing.
type mover struct {
	onReadable, onWritable func(fd uintptr) bool
	onHints, onOffer       func(fd uintptr)

	dst      syscall.RawConn
	progress func(moved int)
	moved    int64 // that the receiver took

	left   int64 // still to be taken from the sender; negative for no end
	buffer *[bufferBytes]byte
	pipe   *pipe // nil when the buffer is in use
	held   int   // bytes in buffer or pipe
	from   int   // where they begin in buffer

	burst int   // bytes taken since the sender last had nothing
	bulk  bool  // a pipe is the thing for this sender
	plain bool  // the sender's socket does not know splice
	wait  bool  // drain is to wait until the receiver takes something
	err   error // of the last callback
	ended bool  // the sender

	hinted bool // the sender's socket says what it has left
	hint   hint
	// empty: the sender has nothing left, not even its end, so it need not be asked
	// before it is waited for. Invariant: it is set only within one RawConn.Read, whose
	// beginning forgets what it has been told of before.
	empty bool
}

// takeFrom waits until the sender has something that the receiver does not take at
// once, and takes it, or until the sender has ended.
func (m *mover) takeFrom(src syscall.RawConn) error {
	m.empty, m.wait = false, false
	if err := src.Read(m.onReadable); err != nil {
		return err
	}
	return m.err
}

// give gives the receiver some of what is held, and waits for it with wait.
func (m *mover) give() error {
	before := m.held
	return m.given(before, m.dst.Write(m.onWritable))
}

// offer gives the receiver what it takes at once.
func (m *mover) offer() error {
	before := m.held
	return m.given(before, m.dst.Control(m.onOffer)) // cheaper than a Write that does not wait
}

// given accounts for what the receiver took.
func (m *mover) given(before int, err error) error {
	if err == nil {
		err = m.err
	}
	if given := before - m.held; given > 0 {
		m.moved += int64(given)
		m.progress(given)
	}
	if err != nil {
		return &WriteError{err}
	}
	return nil
}

// fill is a callback of the sender's RawConn.Read: false waits.
func (m *mover) fill(fd uintptr) bool {
	for !m.empty {
		n, errno := m.receive(int(fd))
		switch errno {
		case 0:
			m.take(n)
		case unix.EAGAIN:
			m.pause()
			return false
		default:
			m.err = os.NewSyscallError("read", errno)
			return true
		}
		if !m.empty {
			return true
		}
		// Small messages are passed on here, so that the wait goes on without another
		// look at whether there is one.
		if m.err = m.offer(); m.err != nil || m.held > 0 {
			m.wait = true
			return true
		}
	}
	m.empty = false
	m.pause()
	return false
}

// take accounts for n bytes that are held now, 0 at the sender's end.
func (m *mover) take(n int) {
	m.held, m.from, m.ended = n, 0, n == 0
	if m.left > 0 {
		m.left -= int64(n)
	}
	if m.burst += n; m.burst >= bulkBytes {
		m.bulk = true
	}
}

// pause is when the sender has nothing.
func (m *mover) pause() {
	m.release()
	if m.burst > 0 {
		m.bulk = m.bulk && m.burst >= sustainBytes
		m.burst = 0
	}
}

func (m *mover) receive(fd int) (int, syscall.Errno) {
	if m.bulk && !m.plain && m.pipe == nil {
		m.usePipe()
	}
	if m.pipe != nil {
		n, errno := splice(fd, m.pipe.w, m.want(m.pipe.size))
		if errno != unix.EINVAL {
			return n, errno
		}
		// Nothing was taken: the pipe is still empty.
		m.release()
		m.plain = true
	}
	if m.buffer == nil {
		m.buffer = buffers.Get().(*[bufferBytes]byte)
	}
	b := m.buffer[:m.want(bufferBytes)]
	if m.hinted {
		n, left, errno := m.hint.receive(fd, b)
		m.empty = errno == 0 && n > 0 && left == 0
		return n, errno
	}
	return receive(fd, b)
}

// usePipe takes a pipe. Without one the sender has to show its bulk again before
// there is another try.
func (m *mover) usePipe() {
	if m.pipe = pipes.get(); m.pipe == nil {
		m.bulk, m.burst = false, 0
		return
	}
	if m.buffer != nil {
		buffers.Put(m.buffer)
		m.buffer = nil
	}
}

func (m *mover) want(most int) int {
	if m.left >= 0 {
		return int(min(int64(most), m.left))
	}
	return most
}

// drain is a callback of the receiver's RawConn.Write: false waits.
func (m *mover) drain(fd uintptr) bool {
	var n int
	var errno syscall.Errno
	if m.pipe != nil {
		n, errno = splice(m.pipe.r, int(fd), m.held)
	} else {
		n, errno = send(int(fd), m.buffer[m.from:m.from+m.held])
	}
	switch errno {
	case 0:
		m.held -= n
		m.from += n
		return true
	case unix.EAGAIN:
		return !m.wait
	default:
		m.err = os.NewSyscallError("write", errno)
		return true
	}
}

// release gives buffer and pipe back. A pipe that still holds something is closed.
func (m *mover) release() {
	if m.buffer != nil {
		buffers.Put(m.buffer)
	}
	switch {
	case m.pipe == nil:
	case m.held > 0:
		pipes.drop(m.pipe)
	default:
		pipes.put(m.pipe)
	}
	m.buffer, m.pipe = nil, nil
}

func (m *mover) free() {
	m.release()
	*m = mover{onReadable: m.onReadable, onWritable: m.onWritable, onHints: m.onHints, onOffer: m.onOffer}
	movers.Put(m)
}
