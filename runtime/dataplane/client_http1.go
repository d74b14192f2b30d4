package dataplane

import (
	"context"
	"crypto/tls"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

// workspace is what a request over HTTP/1.1 needs. It is held from the first byte of
// the request to the last of the response and given back while the connection waits.
type workspace struct {
	in     []byte // what was read: in[:n] of http1Conn
	x      exchange
	req    http1.Request
	body   http1Body
	buffer *[readBufferBytes]byte // of body, when it is read from the connection
}

const (
	// headBufferBytes holds nearly every request head; a larger one grows.
	headBufferBytes = 4 << 10
	// keepBytes is the largest buffer that goes back to the pool.
	keepBytes = 32 << 10
)

var workspaces = sync.Pool{New: func() any {
	return &workspace{in: make([]byte, headBufferBytes), x: exchange{scratch: make([]byte, 0, headBufferBytes)}}
}}

// http1Conn is a client's connection that speaks HTTP/1.1. It implements client for
// the request it is serving.
type http1Conn struct {
	*clientConn
	tls *tls.Conn // nil for plain http

	w       *workspace // nil while waiting for a request
	n       int        // bytes in w.in
	scanned int        // of those, known not to end a head
	head    int        // length of the head being served
	whole   bool       // the body being served was read with the head
	out     []byte     // the response, as far as it is not sent; in w.x.scratch
	chunked bool       // the response's body
	state   http1State
	// last makes the response the last one of the connection; linger says that the
	// client may still be sending.
	last, linger bool
	// idle is how long the connection may wait for its next request; patient says that
	// it could not be parked and is waited on.
	idle    time.Duration
	patient bool
	// headBy is when the head that has begun to arrive must be there.
	headBy time.Time
	// wake and step are made once.
	wake func(error)
	step func() bool
}

// http1State is why a connection's loop left its wait.
type http1State uint8

const (
	http1Waiting http1State = iota
	// http1Outside: a request is to be served for which the client has to be waited for.
	http1Outside
	// http1Preface: the client speaks HTTP/2.
	http1Preface
	http1Ended
)

// body implements client. One that came with the head begins anew each time.
func (c *http1Conn) body() body {
	b := &c.w.body
	if c.whole {
		whole, _ := c.replay()
		b.from, b.buf, b.r, b.w = eof{}, whole, 0, len(whole)
		b.reset(http1.Length, int64(len(whole)))
	}
	if c.w.req.Framing == http1.NoBody {
		return nil
	}
	return b
}

// replay implements client.
func (c *http1Conn) replay() ([]byte, bool) {
	if c.w.req.Framing == http1.NoBody {
		return nil, true
	}
	if c.whole {
		return c.w.in[c.head : c.head+int(c.w.req.ContentLength)], true
	}
	return nil, false
}

// version implements client.
func (c *http1Conn) version() string {
	if c.w.req.Minor == 0 {
		return "1.0"
	}
	return "1.1"
}

// interim implements client. HTTP/1.0 knows no interim responses.
func (c *http1Conn) interim(h *http1.Response) error {
	if c.w.req.Minor == 0 {
		return nil
	}
	out := http1.AppendStatusLine(nil, h.Status, h.Reason)
	for i := range h.Fields {
		if f := &h.Fields[i]; !f.Hop && f.ID != http1.ContentLength && f.ID != http1.TransferEncoding {
			out = http1.AppendField(out, f.Name, f.Value)
		}
	}
	return c.send(append(out, "\r\n"...), nil)
}

// begin implements client.
func (c *http1Conn) begin(h *http1.Response, length int64) error {
	x := &c.w.x
	minor := c.w.req.Minor
	c.out = http1.AppendStatusLine(x.scratch[:0], h.Status, h.Reason)
	x.respondFields(h)
	c.chunked = length == lengthUnknown && minor == 1 && h.Status != 101
	switch {
	case c.chunked:
		c.out = append(c.out, "Transfer-Encoding: chunked\r\n"...)
	case length == lengthUnknown:
		c.last = true // the end of the connection is that of the body
	case length >= 0:
		c.out = http1.AppendContentLength(c.out, length)
	case h.ContentLength >= 0:
		// To HEAD, or 304: the length that a body would have (RFC 9110 §8.6).
		c.out = http1.AppendContentLength(c.out, h.ContentLength)
	}
	if c.front.draining.Load() || !c.bodyRead() {
		c.last = true
	}
	switch {
	case h.Status == 101:
		c.out = append(c.out, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	case c.last:
		c.out = append(c.out, "Connection: close\r\n"...)
	case minor == 0:
		c.out = append(c.out, "Connection: keep-alive\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	x.scratch = c.out[:0]
	return nil
}

// bodyRead reports whether the request's body is out of the way, so that another
// request can follow. One that is still on its way may be abandoned.
func (c *http1Conn) bodyRead() bool {
	return c.whole || c.w.req.Framing == http1.NoBody || c.w.x.up.sending != nil || c.w.body.done
}

// field implements client.
func (c *http1Conn) field(name, value []byte) { c.out = http1.AppendField(c.out, name, value) }

// write implements client.
func (c *http1Conn) write(piece []byte, more bool) error {
	if c.chunked {
		c.out = http1.AppendChunkSize(c.out, len(piece))
		c.out = append(c.out, piece...)
		c.out = append(c.out, "\r\n"...)
		if more && len(c.out) < readBufferBytes {
			return nil
		}
		return c.flush(nil)
	}
	if more && len(piece) <= cap(c.out)-len(c.out) {
		c.out = append(c.out, piece...)
		return nil
	}
	return c.flush(piece)
}

// end implements client.
func (c *http1Conn) end(trailer []http1.Field) error {
	if c.chunked {
		c.out = http1.AppendLastChunk(c.out, trailer)
	}
	return c.flush(nil)
}

// flush sends what has gathered, and then piece.
func (c *http1Conn) flush(piece []byte) error {
	if len(c.out)+len(piece) == 0 {
		return nil
	}
	err := c.send(c.out, piece)
	c.w.x.scratch = c.out[:0]
	c.out = c.out[:0]
	return err
}

func (c *http1Conn) send(p, q []byte) error {
	if c.tls == nil {
		return c.raw.WriteBoth(p, q)
	}
	if len(p) > 0 {
		if _, err := c.tls.Write(p); err != nil {
			return err
		}
	}
	if len(q) > 0 {
		if _, err := c.tls.Write(q); err != nil {
			return err
		}
	}
	return nil
}

// abort implements client.
func (c *http1Conn) abort() {
	c.last = true
	c.broken.Store(true)
}

// interrupt implements client.
func (c *http1Conn) interrupt() {
	if !c.whole { // or nobody reads
		c.raw.Interrupt()
	}
}

// watch implements client.
func (c *http1Conn) watch(member *rawconn.Conn) { member.Watch(c.raw) }

// unwatch implements client.
func (c *http1Conn) unwatch(member *rawconn.Conn) bool {
	member.Watch(nil)
	return !member.Abandoned()
}

// gone implements client.
func (c *http1Conn) gone() bool { return c.broken.Load() }

// Read implements io.Reader: it reads from the client, below the framing.
func (c *http1Conn) Read(p []byte) (int, error) {
	if c.tls == nil {
		return c.raw.Read(p)
	}
	return c.tls.Read(p)
}

// context implements client.
func (c *http1Conn) context() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.front.engine.ending)
	c.raw.OnEnd(cancel)
	return ctx, func() {
		c.raw.OnEnd(nil)
		cancel()
	}
}
