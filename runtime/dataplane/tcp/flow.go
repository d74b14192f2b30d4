package tcp

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
)

// flow is one direction of a relay.
type flow struct {
	from  Side
	moved int64 // written by the goroutine that runs the flow, and read when it has ended
	sent  *atomic.Int64

	// What the watch goes by. They are written only when they change: both
	// directions' share a cache line.
	active  atomic.Bool // something moved since the watch last looked
	blocked atomic.Bool // the receiver is waited for
	since   time.Time   // when the watch last found it active; the watch's own
}

// progress is told of every move and, with 0, of every wait for the receiver.
func (f *flow) progress(moved int) {
	if moved > 0 && f.sent != nil {
		f.sent.Add(int64(moved))
	}
	// Active first: whoever sees blocked has seen or will see that something came.
	if !f.active.Load() {
		f.active.Store(true)
	}
	if blocked := moved == 0; f.blocked.Load() != blocked {
		f.blocked.Store(blocked)
	}
}

const (
	// smallBytes is what a silent connection holds that can't be waited for
	// without a buffer.
	smallBytes = 4 << 10
	largeBytes = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBytes]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBytes]byte) }}
)

// pump moves bytes through Read and Write.
func (f *flow) pump(from, to net.Conn) error {
	large := false
	for {
		n, err := f.once(from, to, large)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		large = n >= smallBytes
	}
}

// once reads once and delivers what came.
func (f *flow) once(from, to net.Conn, large bool) (int, error) {
	var buf []byte
	if large {
		b := largeBuffers.Get().(*[largeBytes]byte)
		defer largeBuffers.Put(b)
		buf = b[:]
	} else {
		b := smallBuffers.Get().(*[smallBytes]byte)
		defer smallBuffers.Put(b)
		buf = b[:]
	}
	n, err := from.Read(buf)
	if n > 0 {
		if werr := f.write(to, buf[:n]); werr != nil {
			return n, werr
		}
	}
	return n, err
}

// write is told apart from waiting for the sender, so that a receiver that takes
// nothing is noticed.
func (f *flow) write(to net.Conn, b []byte) error {
	f.progress(0)
	n, err := to.Write(b)
	f.moved += int64(n)
	if n > 0 {
		f.progress(n)
	}
	if err != nil {
		return &splice.WriteError{Err: err}
	}
	return nil
}

func closeWrite(c net.Conn) error {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return &splice.WriteError{Err: errors.New("connection has no halves to close")}
	}
	if err := half.CloseWrite(); err != nil {
		return &splice.WriteError{Err: err}
	}
	return nil
}
