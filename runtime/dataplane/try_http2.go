package dataplane

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/upstream"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// http2Try is a try with a member over HTTP/2. It implements response.
type http2Try struct {
	x      *exchange
	resp   *http.Response
	as     http1.Response
	cancel context.CancelFunc
	// clock ends the try when the member, or the rest of its response, takes too long.
	clock *time.Timer
	quiet time.Duration // how long the member may be silent within its response
	late  *lateness
	sent  *http2Upload
	buf   *[readBufferBytes]byte
	done  bool
}

// errStatus is what the library lets pass: it takes any number for a status.
var errStatus = errors.New("member's status is not one of HTTP's")

// lateness tells a try that ran out of time from one that failed.
type lateness struct {
	mu            sync.Mutex // protects what follows
	ran, answered bool
}

// answer says that the response has begun, and with it another time.
func (l *lateness) answer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = true
}

// unlessAnswered does something that must not be done once the response has begun.
func (l *lateness) unlessAnswered(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered {
		do()
	}
}

func (l *lateness) set() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ran = true
}

func (l *lateness) is() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ran
}

// tryHTTP2 sends the request and waits for the head of the response. The library
// sends it again by itself if the member says that it was not looked at (RFC 9113
// §8.7).
func (x *exchange) tryHTTP2() (response, *failure) {
	ctx, cancel := x.client.context()
	t := &http2Try{x: x, cancel: cancel, late: new(lateness), quiet: x.pool.config.Timeouts.Idle.Std()}
	r, err := t.request(ctx)
	if err != nil {
		cancel()
		return nil, &failure{client: 400, err: err}
	}
	limit := x.responseTimeout()
	t.clock = time.AfterFunc(limit, func() {
		t.late.set()
		cancel()
	})
	if t.sent != nil {
		t.sent.whole = func() { t.late.unlessAnswered(func() { t.clock.Reset(limit) }) }
		if x.deadline.IsZero() {
			t.clock.Stop() // it begins when the body has been sent
		}
	}
	t.resp, err = x.member.http2.RoundTrip(r) //nolint:bodyclose // release closes it
	if err != nil {
		defer t.release()
		return nil, t.failed(err)
	}
	if status := t.resp.StatusCode; status < 200 || status > 599 {
		defer t.release()
		return nil, &failure{err: errStatus}
	}
	t.convert()
	t.late.answer()
	t.clock.Reset(t.quiet)
	return t, nil
}

// request is the request in the library's form. Its head is made once, in the form of
// HTTP/1.1, so that there is one place that says what a member gets.
func (t *http2Try) request(ctx context.Context) (*http.Request, error) {
	x := t.x
	head := x.appendRequestHead(x.scratch[:0])
	x.scratch = head[:0]
	var out http1.Request
	if err := out.Parse(head, http1.Limits{MaxHeadBytes: len(head), MaxFields: len(x.req.Fields) + 64}); err != nil {
		return nil, err
	}
	target, err := url.ParseRequestURI(string(out.Target))
	if err != nil && out.Form != http1.AsteriskForm {
		return nil, err
	}
	if out.Form == http1.AsteriskForm {
		target = &url.URL{Opaque: "*"}
	}
	target.Scheme, target.Host = x.member.scheme, x.member.address
	r := &http.Request{
		Method: string(out.Method), URL: target, Host: string(out.Host), Header: make(http.Header, len(out.Fields)),
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}
	for i := range out.Fields {
		f := &out.Fields[i]
		switch {
		case f.ID == http1.TE:
			r.Header["Te"] = []string{"trailers"}
		case f.Hop || f.ID == http1.Host || f.ID == http1.ContentLength || f.ID == http1.Expect:
		case f.ID == http1.Trailer:
			if r.Trailer == nil {
				r.Trailer = http.Header{}
			}
			for name := range strings.SplitSeq(string(f.Value), ",") {
				r.Trailer[http.CanonicalHeaderKey(strings.TrimSpace(name))] = nil
			}
		default:
			key := http.CanonicalHeaderKey(string(f.Name))
			r.Header[key] = append(r.Header[key], string(f.Value))
		}
	}
	if _, ok := r.Header["User-Agent"]; !ok {
		r.Header["User-Agent"] = nil // none of the library's
	}
	if b := x.client.body(); b != nil {
		t.sent = &http2Upload{x: x, body: b, trailer: r.Trailer}
		r.Body, r.ContentLength = t.sent, x.req.ContentLength
	}
	return r.WithContext(ctx), nil
}

// http2Upload is the request's body on its way to a member over HTTP/2. It is read on
// a goroutine of the library's.
type http2Upload struct {
	x       *exchange
	trailer http.Header
	whole   func()

	mu     sync.Mutex // held while the body is read
	body   body
	begun  bool
	rest   []byte
	closed bool
	err    error // why it could not be read
}

// Read implements io.Reader.
func (u *http2Upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	if !u.begun {
		u.begun = true
		if u.x.req.ExpectContinue {
			if err := u.x.client.interim(&continueResponse); err != nil {
				return 0, err
			}
		}
	}
	if len(u.rest) == 0 {
		piece, err := u.body.next()
		if err != nil {
			if err == io.EOF { //nolint:errorlint // as io.Reader has it
				for _, f := range u.body.trailer() {
					if key := http.CanonicalHeaderKey(string(f.Name)); u.trailer != nil {
						u.trailer[key] = append(u.trailer[key], string(f.Value))
					}
				}
				u.whole()
			} else {
				u.err = err
			}
			return 0, err
		}
		u.rest = piece
		u.x.bytesIn += int64(len(piece))
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (u *http2Upload) Close() error { return nil }

// stop waits until the body is not read any more.
func (u *http2Upload) stop() error {
	if !u.mu.TryLock() {
		u.x.client.interrupt()
		u.mu.Lock()
	}
	defer u.mu.Unlock()
	u.closed = true
	return u.err
}

// failed says what an error of the library means.
func (t *http2Try) failed(err error) *failure {
	if t.sent != nil {
		if cause := t.sent.stop(); cause != nil {
			return &failure{client: clientStatus(cause), err: cause}
		}
	}
	var dial *upstream.DialError
	switch {
	case errors.As(err, &dial):
		return &failure{cause: lb.RetryConnectFailure, again: t.sent == nil || !t.sent.begun, err: err}
	case t.late.is() || t.x.expired():
		return &failure{cause: lb.RetryTimeout, err: err}
	}
	return &failure{cause: lb.RetryReset, err: err}
}

// convert brings the head into the form that exchanges know.
func (t *http2Try) convert() {
	h := t.resp
	t.as = http1.Response{Minor: 1, Status: h.StatusCode, ContentLength: -1, KeepAlive: true, Framing: http1.UntilClose}
	if len(h.Header["Content-Length"]) > 0 {
		t.as.ContentLength = h.ContentLength // the library makes 0 of an end without it
	}
	for name, values := range h.Header {
		id := http1.IDOf(name)
		for _, v := range values {
			t.as.Fields = append(t.as.Fields, http1.Field{Name: []byte(name), Value: []byte(v), ID: id})
		}
	}
}

// head implements response.
func (t *http2Try) head() *http1.Response { return &t.as }

// length implements response.
func (t *http2Try) length() int64 {
	status := t.resp.StatusCode
	switch {
	case string(t.x.req.Method) == "HEAD" || status == 204 || status == 304:
		return noBody
	case t.as.ContentLength >= 0 && len(t.resp.Trailer) == 0: // HTTP/1.1 has trailers only behind chunks
		return t.as.ContentLength
	}
	return lengthUnknown
}

// next implements body.
func (t *http2Try) next() ([]byte, error) {
	if t.done {
		return nil, io.EOF
	}
	if t.buf == nil {
		t.buf = readBuffers.Get().(*[readBufferBytes]byte)
	}
	t.clock.Reset(t.quiet)
	n, err := t.resp.Body.Read(t.buf[:])
	if err != nil {
		t.done = err == io.EOF
		if n == 0 {
			return nil, err
		}
	}
	return t.buf[:n], nil
}

// ready implements body.
func (t *http2Try) ready() bool { return t.done }

// within implements response.
func (t *http2Try) within(left time.Duration) {
	t.quiet = min(left, t.x.pool.config.Timeouts.Idle.Std())
}

// trailer implements body.
func (t *http2Try) trailer() []http1.Field {
	var out []http1.Field
	for name, values := range t.resp.Trailer {
		for _, v := range values {
			out = append(out, http1.Field{Name: []byte(name), Value: []byte(v), ID: http1.IDOf(name)})
		}
	}
	return out
}

// release implements response.
func (t *http2Try) release() {
	t.clock.Stop()
	t.cancel()
	if t.resp != nil {
		_ = t.resp.Body.Close()
		t.resp = nil
	}
	if t.sent != nil {
		_ = t.sent.stop()
	}
	if t.buf != nil {
		readBuffers.Put(t.buf)
		t.buf = nil
	}
}
