package dataplane

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// requestBody gives the client a time to send the next part of its body; net/http
// knows a time for the whole body only.
type requestBody struct {
	io.ReadCloser
	control *http.ResponseController
	pace    time.Duration

	mu     sync.Mutex // protects what follows
	closed bool
	err    error
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	if err := b.setDeadline(time.Now().Add(b.pace)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		if err == io.EOF {
			// net/http now watches the connection for its end, which has no deadline.
			_ = b.setDeadline(time.Time{})
		} else {
			b.mu.Lock()
			if !b.closed { // else the error is that we closed it
				b.err = err
			}
			b.mu.Unlock()
		}
	}
	return n, err
}

// setDeadline sets the connection's read deadline unless the body is closed. The
// transport may read a body after its handler has returned, when the connection's
// deadline is no longer ours: the proxy closes the body before that.
func (b *requestBody) setDeadline(t time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return http.ErrBodyReadAfterClose
	}
	return b.control.SetReadDeadline(t)
}

// Close implements io.Closer.
func (b *requestBody) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	return b.ReadCloser.Close()
}

// failure is why the body could not be read, or nil.
func (b *requestBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}
