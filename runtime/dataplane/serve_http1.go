package dataplane

import (
	"bytes"
	"crypto/tls"
	"errors"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

const (
	// lingerTime and lingerBytes bound what is read of a client that is still sending
	// when its last response has been sent: closing at once would reset the
	// connection, and the response with it (RFC 9112 §9.6).
	lingerTime  = time.Second
	lingerBytes = 256 << 10
)

// preface begins a connection on which a client speaks HTTP/2 with prior knowledge
// (RFC 9113 §3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// serveHTTP1 serves a connection until it ends, or until it is parked; then serving
// goes on when it wakes.
func (c *clientConn) serveHTTP1(secured *tls.Conn) {
	h := &http1Conn{clientConn: c, tls: secured}
	h.step, h.wake = h.serveOnce, h.woken
	_, l := c.front.state()
	// The first request must come at once, as it does from whoever means to send one.
	h.headBy = time.Now().Add(l.config.Timeouts.RequestHeader.Std())
	h.loop()
}

// woken goes on with a connection that was parked.
func (c *http1Conn) woken(why error) {
	if why != nil {
		c.close()
		return
	}
	c.loop()
}

func (c *http1Conn) loop() {
	for {
		c.state = http1Waiting
		var err error
		// What came with the request before is served before more is waited for.
		if c.n == 0 || !c.serveRead() {
			err = c.raw.Serve(c.step)
		}
		switch {
		case err != nil && c.state == http1Waiting:
			if rawconn.IsTimeout(err) && c.n == 0 && c.headBy.IsZero() {
				if c.park() {
					return
				}
				continue
			}
			c.giveUp(err)
			return
		case c.state == http1Outside:
			c.serveRequest()
			if c.last {
				c.close()
				return
			}
		case c.state == http1Preface:
			c.becomeHTTP2()
			return
		default:
			c.close()
			return
		}
	}
}

// park gives up this goroutine until the client sends something; false means that
// the connection is to be waited on as before.
func (c *http1Conn) park() bool {
	switch {
	case c.patient || c.idle <= rawconn.ParkAfter || c.raw.Recover() != nil:
		c.close()
		return true
	case c.raw.Park(c.idle-rawconn.ParkAfter, c.wake):
		return true
	}
	c.patient = true
	return false
}

// serveOnce is the step of the connection's loop: it reads what there is and serves
// the requests in it. False waits for more.
func (c *http1Conn) serveOnce() bool {
	for {
		if c.w == nil {
			c.w = workspaces.Get().(*workspace)
		}
		n, err := c.Read(c.w.in[c.n:])
		if err == rawconn.ErrWouldBlock || errors.Is(err, rawconn.ErrWouldBlock) { //nolint:errorlint // the common case first
			if c.n == 0 {
				c.rest()
			}
			return false
		}
		if err != nil {
			c.state = http1Ended
			c.last = true
			return true
		}
		c.n += n
		// Then there may be more, of which nobody will tell. TLS, too, may hold more,
		// or have left some behind.
		mayHaveMore := c.n == len(c.w.in) || c.tls != nil
		if done := c.serveRead(); done {
			return true
		}
		if c.n == 0 && !mayHaveMore {
			c.rest()
			return false
		}
	}
}

// rest makes a connection wait for its next request: what a request needs is given
// back.
func (c *http1Conn) rest() {
	c.giveBack()
	wait := min(c.idle, rawconn.ParkAfter)
	switch {
	case !c.headBy.IsZero(): // nothing of the first request has come yet
		wait = max(time.Until(c.headBy), time.Millisecond)
	case c.patient:
		wait = c.idle
	}
	c.raw.SetReadTimeout(wait)
	c.busy.CompareAndSwap(busyServing, busyWaiting)
}

func (c *http1Conn) giveBack() {
	w := c.w
	c.w = nil
	if w == nil {
		return
	}
	if len(w.in) > keepBytes {
		w.in = make([]byte, headBufferBytes)
	}
	if cap(w.x.scratch) > keepBytes {
		w.x.scratch = make([]byte, 0, headBufferBytes)
	}
	workspaces.Put(w)
}

// serveRead serves the requests that have been read; false wants more to be read.
func (c *http1Conn) serveRead() (done bool) {
	if !c.busy.CompareAndSwap(busyWaiting, busyServing) && c.busy.Load() == busyLeaving {
		c.last = true
		return true
	}
	for c.n > 0 {
		w := c.w
		_, l := c.front.state()
		end := http1.HeadEnd(w.in[:c.n], c.scanned)
		if end < 0 {
			if l.config.HTTP2.PriorKnowledge && c.tls == nil && bytes.HasPrefix(preface, w.in[:min(c.n, len(preface))]) {
				if c.n >= len(preface) {
					c.state = http1Preface
					return true
				}
			}
			return c.awaitHead(l)
		}
		limits := http1.Limits{MaxHeadBytes: l.config.Limits.MaxHeaderBytes, MaxFields: http1.DefaultMaxFields}
		if l.config.HTTP2.PriorKnowledge && c.tls == nil && bytes.HasPrefix(w.in[:c.n], preface[:18]) {
			if c.n < len(preface) {
				return c.awaitHead(l)
			}
			c.state = http1Preface
			return true
		}
		if err := w.req.Parse(w.in[:end], limits); err != nil {
			c.refuseHead(err)
			return true
		}
		c.head, c.scanned = end, 0
		c.headBy = time.Time{}
		c.whole = w.req.Framing == http1.Length && int64(c.n-end) >= w.req.ContentLength
		if w.req.Framing != http1.NoBody && !c.whole || w.req.Upgrade != nil {
			c.state = http1Outside
			return true
		}
		c.serveRequest()
		if c.last {
			c.state = http1Ended
			return true
		}
	}
	return false
}

// awaitHead wants the rest of a head; true gives the connection up.
func (c *http1Conn) awaitHead(l *listener) bool {
	w := c.w
	c.scanned = max(0, c.n-3)
	if limit := l.config.Limits.MaxHeaderBytes; c.n >= limit {
		c.refuseHead(http1.TooLarge(w.in[:c.n]))
		return true
	}
	if c.n == len(w.in) {
		larger := make([]byte, min(2*len(w.in), l.config.Limits.MaxHeaderBytes+1))
		copy(larger, w.in[:c.n])
		w.in = larger
	}
	if c.headBy.IsZero() {
		c.headBy = time.Now().Add(l.config.Timeouts.RequestHeader.Std())
	}
	c.raw.SetReadTimeout(max(time.Until(c.headBy), time.Millisecond))
	return false
}

// serveRequest serves the request whose head has been read, and moves on behind it.
func (c *http1Conn) serveRequest() {
	w := c.w
	x := &w.x
	st, l := c.front.state()
	// What follows a CONNECT may be meant for the tunnel, and is no request.
	c.last = !w.req.KeepAlive || w.req.Form == http1.AuthorityForm
	c.patient, c.idle = false, l.config.Timeouts.Idle.Std()
	c.out = x.scratch[:0]
	x.begin(c.clientConn, st, l, c, &w.req)
	rest := c.head
	switch {
	case c.whole:
		rest += int(w.req.ContentLength)
	case w.req.Framing != http1.NoBody:
		c.beginBody(l)
	}
	x.serve()
	if w.req.Framing != http1.NoBody && !c.whole {
		c.endBody()
		return
	}
	c.n = copy(w.in, w.in[rest:c.n])
}

// beginBody prepares to read a body that is still on its way.
func (c *http1Conn) beginBody(l *listener) {
	w := c.w
	w.buffer = readBuffers.Get().(*[readBufferBytes]byte)
	b := &w.body
	b.from, b.buf, b.greedy = c, w.buffer[:], false
	b.reset(w.req.Framing, w.req.ContentLength)
	// What came with the head comes first. It fits unless heads may be large.
	rest := w.in[c.head:c.n]
	if len(rest) > len(b.buf) {
		b.buf = bytes.Clone(rest)
	}
	b.r, b.w = 0, copy(b.buf, rest)
	if n := l.config.Limits.MaxBodyBytes; n > 0 {
		b.limit = int64(n)
	}
	c.raw.SetReadTimeout(l.config.Timeouts.RequestBody.Std())
}

// endBody ends a request whose body was read from the connection: what follows it is
// the next request; one that was not read to its end makes the connection unusable.
func (c *http1Conn) endBody() {
	w := c.w
	if w.body.done {
		rest := w.body.rest()
		if len(rest) > len(w.in) {
			w.in = make([]byte, len(rest))
		}
		c.n = copy(w.in, rest)
	} else {
		c.n = 0
		c.linger = !c.last || !c.broken.Load()
		c.last = true
	}
	readBuffers.Put(w.buffer)
	w.buffer = nil
	w.body.buf = nil
}

// refuseHead answers a head that can't be understood, and ends the connection: where
// the next request would begin is anybody's guess.
func (c *http1Conn) refuseHead(err error) {
	w := c.w
	x := &w.x
	st, l := c.front.state()
	c.last, c.linger, c.whole = true, true, true
	c.state = http1Ended
	w.req = http1.Request{Minor: 1, Fields: w.req.Fields[:0], Framing: http1.NoBody}
	c.out = x.scratch[:0]
	x.begin(c.clientConn, st, l, c, &w.req)
	x.identify()
	x.refuseMalformed(err)
	x.finish()
}

// giveUp ends a connection whose wait failed.
func (c *http1Conn) giveUp(err error) {
	if rawconn.IsTimeout(err) && c.n > 0 {
		c.refuseHead(errSlowHead)
	}
	c.close()
}

var errSlowHead = &http1.ParseError{Status: 408, Detail: "the request's head did not arrive in time"}

// becomeHTTP2 hands the connection over with what has been read.
func (c *http1Conn) becomeHTTP2() {
	c.raw.Unread(bytes.Clone(c.w.in[:c.n]))
	c.giveBack()
	c.raw.SetReadTimeout(0)
	c.serveHTTP2(c.raw)
}

// close ends the connection.
func (c *http1Conn) close() {
	if c.linger && !c.broken.Load() {
		c.lingerOn()
	}
	c.giveBack()
	if c.broken.Load() {
		c.raw.Failing()
	} else if c.tls != nil {
		_ = c.tls.Close() // says so to the client
	}
	c.clientConn.close()
}

// lingerOn takes in what a client is still sending, for a while.
func (c *http1Conn) lingerOn() {
	if c.raw.Recover() != nil || c.tls != nil && c.tls.CloseWrite() != nil {
		return
	}
	if c.raw.CloseWrite() != nil {
		return
	}
	buf := readBuffers.Get().(*[readBufferBytes]byte)
	defer readBuffers.Put(buf)
	until := time.Now().Add(lingerTime)
	for read := 0; read < lingerBytes; {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		c.raw.SetReadTimeout(left)
		n, err := c.raw.Read(buf[:])
		if err != nil {
			return
		}
		read += n
	}
}
