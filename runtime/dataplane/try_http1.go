package dataplane

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/proxyproto"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/upstream"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// continueTimeout is how long a member may think about Expect: 100-continue
	// before the body is sent anyway (RFC 9110 §10.1.1).
	continueTimeout = time.Second
	// maxInterim bounds the interim responses to one request.
	maxInterim = 64
)

var (
	errUnaskedUpgrade = errors.New("member switched protocols unasked")
	errTooManyInterim = errors.New("member sent too many interim responses")
	errHeadTooLarge   = errors.New("member's response head is too large")
)

// http1Try is a try with a member over HTTP/1.1. It implements response.
type http1Try struct {
	http1Body
	x    *exchange
	conn *upstream.Conn
	resp http1.Response
	// answered: something of a response has come.
	answered bool
	// expecting: the client waits to be told to send the body (RFC 9110 §10.1.1).
	expecting bool
	// sending is the request's body on its way; nil when all of it was sent with the head.
	sending *sending
	small   *[readBufferBytes]byte // from readBuffers; buf is this, or larger
	fresh   func() []byte          // buffer, made once
	spliced func(int)              // onSpliced, made once
}

// tryHTTP1 sends the request and reads the head of the response. A connection that
// was used before may turn out to have been closed by the member: then the request
// goes out once more, on a new one, if that is safe, and that is no try of its own.
func (x *exchange) tryHTTP1() (response, *failure) {
	t := &x.up
	if t.x = x; t.fresh == nil {
		t.fresh = t.buffer
	}
	whole, replayable := x.client.replay()
	safe := replayable && isIdempotent(x.req.Method)
	for {
		if t.conn = x.member.conns.Idle(!replayable); t.conn == nil {
			var err error
			if t.conn, err = x.member.conns.Open(x.front.engine.ending, x.proxyHeader()); err != nil {
				return nil, &failure{cause: lb.RetryConnectFailure, again: true, err: err}
			}
		}
		t.from = t.conn
		fail := t.exchange(whole, replayable)
		if fail == nil {
			return t, nil
		}
		stale := t.conn.Reused && !t.answered && fail.cause == lb.RetryReset && fail.client == 0
		notSent := errors.Is(fail.err, rawconn.ErrNotQuiet)
		t.discard()
		if !notSent && (!stale || !safe) || x.client.gone() {
			return nil, fail
		}
	}
}

// proxyHeader is the PROXY header that begins a new connection, if the pool wants one.
func (x *exchange) proxyHeader() []byte {
	if version := x.pool.config.ProxyProtocol; version != lb.ProxyOff {
		return proxyproto.Append(nil, version, x.conn.client, x.conn.local)
	}
	return nil
}

// exchange sends the request, with its body if that is at hand, and reads the head
// of the response.
func (t *http1Try) exchange(whole []byte, replayable bool) *failure {
	x := t.x
	t.w, t.r, t.buf, t.greedy, t.answered = 0, 0, nil, true, false
	t.expecting = x.req.ExpectContinue && !replayable
	out := x.appendRequestHead(x.scratch[:0])
	x.scratch = out[:0]
	raw := t.conn.Raw
	raw.SetReadTimeout(x.responseTimeout())
	x.client.watch(raw)
	var n int
	var err error
	switch {
	case replayable:
		out = append(out, whole...)
		x.scratch = out[:0]
		x.bytesIn = int64(len(whole))
		n, err = t.conn.WriteRead(out, t.fresh)
	case t.expecting:
		raw.SetReadTimeout(min(continueTimeout, x.responseTimeout()))
		if n, err = t.conn.WriteRead(out, t.fresh); rawconn.IsTimeout(err) {
			if err = raw.Recover(); err == nil {
				raw.SetReadTimeout(x.responseTimeout())
				err = t.sendExpected(false)
			}
			if err != nil {
				return &failure{client: statusClientGone, err: err}
			}
			n, err = t.conn.Read(t.buffer())
		}
	default:
		if err = t.conn.Write(out, nil); err == nil {
			t.send()
			n, err = t.conn.Read(t.buffer())
		}
	}
	return t.readHead(n, err)
}

var continueResponse = http1.Response{Minor: 1, Status: 100}

// readHead reads the head of the final response. The first read has brought n and err.
func (t *http1Try) readHead(n int, err error) *failure {
	scanned := 0
	var by time.Time // when a head that has begun to arrive must be there
	for interims := 0; ; {
		if err != nil && by.IsZero() && t.sending.outlasts(err) {
			n, err = t.readMore()
			continue
		}
		if err != nil {
			return t.failed(err)
		}
		t.w += n
		t.answered = t.answered || n > 0
		end := http1.HeadEnd(t.buf[t.r:t.w], scanned)
		if end < 0 {
			scanned = max(0, t.w-t.r-3)
			if by.IsZero() {
				by = time.Now().Add(t.x.responseTimeout())
			}
			t.conn.Raw.SetReadTimeout(max(time.Until(by), time.Millisecond))
			if n, err = t.readMore(); err == nil && n == 0 {
				return &failure{cause: lb.RetryReset, err: errHeadTooLarge}
			}
			continue
		}
		if err := t.resp.Parse(t.buf[t.r:t.r+end], t.x.req.Method, responseLimits); err != nil {
			return &failure{err: err}
		}
		t.r, scanned = t.r+end, 0
		status := t.resp.Status
		if status == 101 && (!t.x.wantsUpgrade() || !isWebSocket(t.resp.Upgrade)) {
			return &failure{err: errUnaskedUpgrade}
		}
		if status >= 200 || status == 101 {
			if t.reset(t.resp.Framing, t.resp.ContentLength); t.resp.Framing == http1.NoBody {
				t.resp.ContentLength = announcedLength(&t.resp)
			}
			if status != 101 {
				t.conn.Raw.SetReadTimeout(t.x.pool.config.Timeouts.Idle.Std())
			}
			return nil
		}
		if interims++; interims > maxInterim {
			return &failure{err: errTooManyInterim}
		}
		if err := t.x.client.interim(&t.resp); err != nil {
			return &failure{client: statusClientGone, err: err}
		}
		by = time.Time{}
		if err := t.goOn(status); err != nil {
			return &failure{client: statusClientGone, err: err}
		}
		n, err = 0, nil
		if t.r == t.w {
			n, err = t.readMore()
		}
	}
}

// announcedLength is the length that the content would have of a response that comes
// without (RFC 9110 §8.6), -1 if that is not said. The parser has checked the digits.
func announcedLength(h *http1.Response) (n int64) {
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == http1.ContentLength && !f.Hop {
			for _, digit := range f.Value {
				n = n*10 + int64(digit-'0')
			}
			return n
		}
	}
	return -1
}

// goOn gives the member its time anew after an interim response. A client that waits
// to be told to send its body is told now, whatever the response was.
func (t *http1Try) goOn(status int) error {
	switch {
	case t.expecting:
		t.conn.Raw.SetReadTimeout(t.x.responseTimeout())
		return t.sendExpected(status == 100)
	case t.sending != nil:
		t.sending.await()
	default:
		t.conn.Raw.SetReadTimeout(t.x.responseTimeout())
	}
	return nil
}

// sendExpected sends a body that the client holds back, and tells it to go on unless
// it has been told.
func (t *http1Try) sendExpected(told bool) error {
	t.expecting = false
	if !told {
		if err := t.x.client.interim(&continueResponse); err != nil {
			return err
		}
	}
	t.send()
	return nil
}

var responseLimits = http1.Limits{MaxHeadBytes: upstream.MaxHeaderBytes, MaxFields: http1.DefaultMaxFields}

// readMore reads further bytes of a head, behind those that are there; (0, nil) says
// that it is too large.
func (t *http1Try) readMore() (int, error) {
	if t.r > 0 {
		t.w = copy(t.buf, t.buf[t.r:t.w])
		t.r = 0
	}
	if t.w == len(t.buf) {
		if len(t.buf) >= upstream.MaxHeaderBytes {
			return 0, nil
		}
		larger := make([]byte, 2*len(t.buf))
		copy(larger, t.buf)
		t.buf = larger
	}
	return t.conn.Read(t.buf[t.w:])
}

// failed says what an error of the member's connection means.
func (t *http1Try) failed(err error) *failure {
	if s := t.sending; s != nil {
		// The cause may be that the request could not be sent to its end.
		if cause := s.clientError(); cause != nil {
			return &failure{client: clientStatus(cause), err: cause}
		}
	}
	if t.conn.Raw.Abandoned() {
		return &failure{client: statusClientGone, err: err}
	}
	if rawconn.IsTimeout(err) {
		return &failure{cause: lb.RetryTimeout, err: err}
	}
	return &failure{cause: lb.RetryReset, err: err}
}

// clientStatus is the answer to a client whose body can't be read.
func clientStatus(err error) int {
	switch {
	case errors.Is(err, errBodyTooLarge):
		return 413
	case rawconn.IsTimeout(err):
		return 408
	case errors.Is(err, errCutShort):
		return statusClientGone
	}
	var malformed *http1.ParseError
	if errors.As(err, &malformed) {
		return malformed.Status
	}
	return statusClientGone
}

// head implements response.
func (t *http1Try) head() *http1.Response { return &t.resp }

// length implements response.
func (t *http1Try) length() int64 {
	switch t.framing {
	case http1.NoBody:
		return noBody
	case http1.Length:
		return t.left
	}
	return lengthUnknown
}

// within implements response.
func (t *http1Try) within(left time.Duration) {
	t.conn.Raw.SetReadTimeout(min(left, t.x.pool.config.Timeouts.Idle.Std()))
}

// release implements response.
func (t *http1Try) release() {
	clean := t.done && !t.expecting && t.r == t.w && t.resp.KeepAlive && t.framing != http1.UntilClose && t.resp.Status != 101
	if clean && t.sending != nil {
		clean = t.sending.settle()
	}
	if !t.x.client.unwatch(t.conn.Raw) {
		clean = false
	}
	if clean && t.x.pool.config.ProxyProtocol == lb.ProxyOff && t.conn.Raw.Disarm() {
		t.conn.Keep()
		t.conn = nil
	}
	t.discard()
}

// discard gives back what the try has.
func (t *http1Try) discard() {
	if t.conn != nil {
		t.x.client.unwatch(t.conn.Raw)
		t.conn.Close()
		t.conn = nil
	}
	if t.sending != nil {
		t.sending.stop()
		t.sending = nil
	}
	t.giveBuffer()
}

// giveBuffer gives back what the response was read into.
func (t *http1Try) giveBuffer() {
	if t.small != nil {
		readBuffers.Put(t.small)
		t.small = nil
	}
	t.buf, t.r, t.w = nil, 0, 0
}

// buffer returns where to read to.
func (t *http1Try) buffer() []byte {
	if t.small == nil {
		t.small = readBuffers.Get().(*[readBufferBytes]byte)
	}
	t.buf = t.small[:]
	return t.buf
}

// readBufferBytes holds a response head and what comes with it. What does not fit is
// better spliced than copied.
const readBufferBytes = 16 << 10

var readBuffers = sync.Pool{New: func() any { return new([readBufferBytes]byte) }}

// endOfBody makes io.EOF nil.
func endOfBody(err error) error {
	if err == io.EOF { //nolint:errorlint // as io.Reader has it
		return nil
	}
	return err
}
