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
	m.left, m.bulk = n, n >= bulkBytes
	for m.left != 0 {
		if err := m.takeFrom(src); err != nil {
			return moved, err
		}
		if m.held == 0 {
			if n < 0 {
				return moved, nil
			}
			return moved, io.ErrUnexpectedEOF
		}
		for m.wait = false; m.held > 0; m.wait = true {
			if m.wait {
				progress(0)
			}
			given, err := m.giveTo(dst)
			if given > 0 {
				moved += int64(given)
				progress(given)
			}
			if err != nil {
				return moved, &WriteError{err}
			}
		}
	}
	return moved, nil
}

var (
	buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}
	movers  = sync.Pool{New: func() any {
		m := new(mover)
		m.onReadable, m.onWritable = m.fill, m.drain // bound once: binding allocates
		return m
	}}
)

// mover carries bytes from one socket to another, in a buffer or in a pipe. It has
// one of the two only from the moment the sender has something until it has nothing.
type mover struct {
	onReadable, onWritable func(fd uintptr) bool

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
}

// takeFrom waits until the sender has something and takes it; nothing is held
// afterwards when the sender has ended.
func (m *mover) takeFrom(src syscall.RawConn) error {
	if err := src.Read(m.onReadable); err != nil {
		return err
	}
	return m.err
}

// giveTo offers the receiver what is held and returns how much it took.
func (m *mover) giveTo(dst syscall.RawConn) (given int, err error) {
	before := m.held
	if err := dst.Write(m.onWritable); err != nil {
		return before - m.held, err
	}
	return before - m.held, m.err
}

// fill is a callback of the sender's RawConn.Read: false waits.
func (m *mover) fill(fd uintptr) bool {
	n, errno := m.receive(int(fd))
	switch errno {
	case 0:
		m.held, m.from = n, 0
		if m.left > 0 {
			m.left -= int64(n)
		}
		m.burst += n
		if m.burst >= bulkBytes {
			m.bulk = true
		}
		return true
	case unix.EAGAIN:
		m.release()
		if m.burst > 0 {
			m.bulk = m.bulk && m.burst >= sustainBytes
			m.burst = 0
		}
		return false
	default:
		m.err = os.NewSyscallError("read", errno)
		return true
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
	return receive(fd, m.buffer[:m.want(bufferBytes)])
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
	*m = mover{onReadable: m.onReadable, onWritable: m.onWritable}
	movers.Put(m)
}
