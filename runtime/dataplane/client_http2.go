package dataplane

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

// http2Stream is one request over HTTP/2. It implements client.
type http2Stream struct {
	conn    *clientConn
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	header  http.Header
	x       exchange
	req     http1.Request
	content http2Body
	// pace bounds each wait for the client: to send more, or to take more.
	sendPace, takePace time.Duration
	aborted            bool
	watching           func() (stopped bool) // see watch
}

var http2Streams = sync.Pool{New: func() any { return new(http2Stream) }}

// serveStream serves one request; it is an http.HandlerFunc.
func (c *clientConn) serveStream(w http.ResponseWriter, r *http.Request) {
	s := http2Streams.Get().(*http2Stream)
	st, l := c.front.state()
	s.conn, s.w, s.r, s.header, s.aborted = c, w, r, w.Header(), false
	s.control = http.NewResponseController(w)
	s.sendPace, s.takePace = l.config.Timeouts.RequestBody.Std(), l.config.Timeouts.Idle.Std()
	wellFormed := s.read()
	s.content = http2Body{stream: s, limit: -1, buf: s.content.buf}
	if n := l.config.Limits.MaxBodyBytes; n > 0 {
		s.content.limit = int64(n)
	}
	s.x.begin(c, st, l, s, &s.req)
	if wellFormed {
		s.x.serve()
	} else {
		s.x.identify()
		s.x.refuseMalformed(errMalformedStream)
		s.x.finish()
	}
	aborted := s.aborted
	s.w, s.r, s.control, s.header, s.content.stream = nil, nil, nil, nil, nil
	http2Streams.Put(s)
	if aborted {
		panic(http.ErrAbortHandler) // resets the stream
	}
}

// bytesOf is a string's bytes, which must not be written to.
func bytesOf(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // only read, and no longer than the request lives
}

var errMalformedStream = &http1.ParseError{Status: 400, Detail: "malformed method, path, authority or length"}

// read brings the request into the form that exchanges know. The library has checked
// names and values, and that there are no fields of connections (RFC 9113 §8.2). False
// says that the request is not one that HTTP/1.1 could carry, in which it might become
// another: the library lets spaces pass where they would end a part of the request line.
func (s *http2Stream) read() (wellFormed bool) {
	r := s.r
	req := &s.req
	*req = http1.Request{
		Method: bytesOf(r.Method), Target: bytesOf(r.RequestURI), Minor: 1, Fields: req.Fields[:0],
		Host: bytesOf(r.Host), Form: http1.OriginForm, KeepAlive: true,
	}
	wellFormed = true
	path, query, hasQuery := strings.Cut(r.RequestURI, "?")
	req.Path, req.Query, req.HasQuery = bytesOf(path), bytesOf(query), hasQuery
	switch {
	case r.Method == http.MethodConnect:
		req.Form = http1.AuthorityForm
	case path == "*":
		req.Form = http1.AsteriskForm
		wellFormed = r.Method == http.MethodOptions && !hasQuery
	}
	wellFormed = wellFormed && http1.ValidFieldName(r.Method) && isTarget(r.RequestURI) && http1.ValidAuthority(r.Host)
	for name, values := range r.Header {
		id := http1.IDOf(name)
		switch id {
		case http1.Expect:
			continue // the library answers it
		case http1.TE:
			req.TETrailers = true
			continue
		case http1.ContentLength:
			wellFormed = wellFormed && len(values) == 1 && isNumber(values[0])
			continue
		}
		for _, v := range values {
			req.Fields = append(req.Fields, http1.Field{Name: bytesOf(name), Value: bytesOf(v), ID: id})
		}
	}
	for name := range r.Trailer { // taken out of Header by the library
		req.Fields = append(req.Fields, http1.Field{Name: []byte("Trailer"), Value: bytesOf(name), ID: http1.Trailer})
	}
	switch {
	case r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0:
		req.Framing = http1.NoBody
	case r.ContentLength > 0:
		req.Framing, req.ContentLength = http1.Length, r.ContentLength
	default:
		req.Framing, req.ContentLength = http1.Chunked, -1
	}
	return wellFormed
}

// isTarget reports whether a path and query can be a part of a request line (RFC 9112
// §3.2).
func isTarget(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// isNumber reports whether a length is one (RFC 9110 §8.6).
func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// http2Body is the body of a request over HTTP/2. It implements body.
type http2Body struct {
	stream *http2Stream
	buf    []byte
	limit  int64
	done   bool
}

// next implements body.
func (b *http2Body) next() ([]byte, error) {
	if b.done {
		return nil, io.EOF
	}
	if b.buf == nil {
		b.buf = make([]byte, readBufferBytes)
	}
	_ = b.stream.control.SetReadDeadline(time.Now().Add(b.stream.sendPace))
	n, err := b.stream.r.Body.Read(b.buf)
	if b.limit >= 0 {
		if b.limit -= int64(n); b.limit < 0 {
			return nil, errBodyTooLarge
		}
	}
	if n > 0 {
		return b.buf[:n], nil
	}
	if err == io.EOF {
		b.done = true
	}
	return nil, err
}

// ready implements body.
func (b *http2Body) ready() bool { return b.done }

// trailer implements body.
func (b *http2Body) trailer() []http1.Field {
	var out []http1.Field
	for name, values := range b.stream.r.Trailer {
		for _, v := range values {
			out = append(out, http1.Field{Name: []byte(name), Value: []byte(v), ID: http1.IDOf(name)})
		}
	}
	return out
}

// body implements client.
func (s *http2Stream) body() body {
	if s.req.Framing == http1.NoBody {
		return nil
	}
	return &s.content
}

// replay implements client.
func (s *http2Stream) replay() ([]byte, bool) { return nil, s.req.Framing == http1.NoBody }

// version implements client.
func (s *http2Stream) version() string { return "2.0" }

// interim implements client. The library itself tells the client to continue.
func (s *http2Stream) interim(h *http1.Response) error {
	if h.Status == 100 {
		return nil
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; !f.Hop {
			s.field(f.Name, f.Value)
		}
	}
	s.w.WriteHeader(h.Status)
	clear(s.header)
	return nil
}

// begin implements client.
func (s *http2Stream) begin(h *http1.Response, length int64) error {
	// A key without values: the library must not guess a type the member did not give.
	s.header["Content-Type"] = nil
	s.x.respondFields(h)
	if length < 0 {
		length = h.ContentLength
	}
	if length >= 0 && h.Status != 204 {
		s.header.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.takePace))
	s.w.WriteHeader(h.Status)
	return nil
}

// field implements client.
func (s *http2Stream) field(name, value []byte) {
	key := http.CanonicalHeaderKey(string(name))
	s.header[key] = append(s.header[key], string(value))
}

// write implements client.
func (s *http2Stream) write(piece []byte, more bool) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.takePace))
	if _, err := s.w.Write(piece); err != nil {
		return err
	}
	if !more {
		return s.control.Flush()
	}
	return nil
}

// end implements client.
func (s *http2Stream) end(trailer []http1.Field) error {
	for _, f := range trailer {
		s.field(append([]byte(http.TrailerPrefix), f.Name...), f.Value)
	}
	return nil
}

// abort implements client.
func (s *http2Stream) abort() { s.aborted = true }

// interrupt implements client.
func (s *http2Stream) interrupt() { _ = s.r.Body.Close() }

// watch implements client.
func (s *http2Stream) watch(member *rawconn.Conn) {
	s.watching = context.AfterFunc(s.r.Context(), member.Abandon)
}

// unwatch implements client.
func (s *http2Stream) unwatch(*rawconn.Conn) bool {
	stop := s.watching
	s.watching = nil
	return stop == nil || stop()
}

// gone implements client.
func (s *http2Stream) gone() bool { return s.r.Context().Err() != nil }

// context implements client.
func (s *http2Stream) context() (context.Context, context.CancelFunc) {
	return context.WithCancel(s.r.Context())
}
