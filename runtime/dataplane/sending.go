package dataplane

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/upstream"
)

// sending is a request's body on its way to a member over HTTP/1.1, while the
// response may already come back.
type sending struct {
	t    *http1Try
	done chan struct{}

	mu     sync.Mutex // protects what follows
	client error      // why the body could not be read
	whole  atomic.Bool
}

// send begins to send the request's body. The time for the response begins when all
// of it has been sent.
func (t *http1Try) send() {
	s := &sending{t: t, done: make(chan struct{})}
	t.sending = s
	if t.x.deadline.IsZero() {
		t.conn.Raw.SetReadTimeout(0)
	}
	go s.run(t.x, t.conn)
}

// run sends over the connection of the try, which may have ended before run begins.
func (s *sending) run(x *exchange, conn *upstream.Conn) {
	defer close(s.done)
	b := x.client.body()
	chunked := x.req.Framing != http1.Length
	var chunk []byte
	for {
		piece, err := b.next()
		if err != nil && endOfBody(err) != nil {
			s.mu.Lock()
			s.client = err
			s.mu.Unlock()
			conn.Close() // wakes whoever waits for the response
			return
		}
		if err != nil {
			break
		}
		if !x.deadline.IsZero() && time.Now().After(x.deadline) {
			conn.Close()
			return
		}
		x.bytesIn += int64(len(piece))
		if chunked {
			chunk = http1.AppendChunkSize(chunk[:0], len(piece))
			chunk = append(chunk, piece...)
			chunk = append(chunk, "\r\n"...)
			piece = chunk
		}
		if err := conn.Write(piece, nil); err != nil {
			conn.Raw.LimitRead(timeAfter(err, x.responseTimeout()))
			return
		}
	}
	if chunked {
		chunk = http1.AppendLastChunk(chunk[:0], b.trailer())
		if err := conn.Write(chunk, nil); err != nil {
			conn.Raw.LimitRead(timeAfter(err, x.responseTimeout()))
			return
		}
	}
	s.whole.Store(true)
	conn.Raw.LimitRead(x.responseTimeout())
}

// timeAfter is how long the response is waited for when the body can't be sent. It may
// be on its way and say why, unless the member has not even taken the body in time.
func timeAfter(err error, limit time.Duration) time.Duration {
	if rawconn.IsTimeout(err) {
		return time.Millisecond
	}
	return limit
}

// await gives the member its time to answer, which begins when all has been sent,
// anew. It is the reader's to call.
func (s *sending) await() {
	x, raw := s.t.x, s.t.conn.Raw
	if !x.deadline.IsZero() {
		raw.SetReadTimeout(x.responseTimeout())
		return
	}
	raw.SetReadTimeout(0)
	if s.whole.Load() { // else run sets the limit later
		raw.LimitRead(x.responseTimeout())
	}
}

// outlasts reports whether the wait for the response has only ended because the body
// takes longer, which it may within the time for the whole exchange; then the wait
// begins anew.
func (s *sending) outlasts(err error) bool {
	if s == nil || !rawconn.IsTimeout(err) || !time.Now().Before(s.t.x.deadline) {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
	}
	raw := s.t.conn.Raw
	if raw.Abandoned() || raw.Recover() != nil {
		return false
	}
	s.await()
	return true
}

// clientError is why the body could not be read, if that is why it was not sent.
func (s *sending) clientError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// bodyGrace is how long the rest of a body may take whose response is complete: it
// is often on its way already, and both connections are worth keeping.
const bodyGrace = 100 * time.Millisecond

// settle waits for the rest of the body for a moment, and reports whether all of it
// was sent.
func (s *sending) settle() bool {
	if !s.whole.Load() {
		select {
		case <-s.done:
		case <-time.After(bodyGrace):
		}
	}
	return s.whole.Load()
}

// stop ends sending; unless all was sent, the member's connection is closed by now.
func (s *sending) stop() {
	if !s.whole.Load() {
		s.t.x.client.interrupt()
	}
	<-s.done
}
