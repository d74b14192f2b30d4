package dataplane

import (
	"context"
	"net/netip"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
)

// client is the client's half of an exchange, in HTTP/1.1 or HTTP/2.
type client interface {
	// body is the request's body, nil when it has none.
	body() body
	// replay is the whole body if it has arrived already and may be sent more than once.
	replay() (whole []byte, ok bool)
	// interim passes an interim response on (RFC 9110 §15.2).
	interim(h *http1.Response) error
	// begin begins the response. Length is that of the body, or lengthUnknown, or noBody.
	// Fields are [exchange.respondFields].
	begin(h *http1.Response, length int64) error
	// field takes one field of the response; called by begin.
	field(name, value []byte)
	// write sends a piece of the body. Unless more follows at once it is sent on.
	write(piece []byte, more bool) error
	// end ends the response.
	end(trailer []http1.Field) error
	// abort ends the connection or stream so that the client knows that the response
	// is not whole.
	abort()
	// interrupt ends a read of the body that is under way.
	interrupt()
	// gone reports whether the client has ended the exchange.
	gone() bool
	// watch makes reads of a member's connection fail when the client has left.
	// Unwatch ends that; false means that it has failed one, or is about to.
	watch(member *rawconn.Conn)
	unwatch(member *rawconn.Conn) bool
	// context ends when the client is known to have left, or the engine ends, or by
	// cancel.
	context() (ctx context.Context, cancel context.CancelFunc)
	// version is that of the request, as Via has it.
	version() string
}

// Lengths of a body that are none.
const (
	lengthUnknown = -1
	noBody        = -2
)

// statusClientGone is what a request counts as whose client went away before there
// was an answer. It is never sent; the number is nginx's.
const statusClientGone = 499

// exchange is one request and its response. It is used by one goroutine at a time.
type exchange struct {
	front  *frontend
	st     *state
	l      *listener
	conn   *clientConn
	client client
	req    *http1.Request
	began  time.Time

	// source is the client's address, as far as it is known; trusted says that the
	// peer's word on who the client is counts.
	source  netip.Addr
	trusted bool
	id      []byte // the request id
	idSpace [36]byte
	// scratch is a buffer for what is about to be sent.
	scratch []byte

	match    route.Request
	route    *route.Route
	poolName string
	pool     *pool
	member   *member // that of the try under way, or the last one
	pick     balance.Request
	tried    [maxTries]int
	tries    int
	waited   bool
	// deadline is when a route's time for the whole exchange ends; zero: never.
	deadline time.Time

	up        http1Try
	status    int
	bytesIn   int64
	bytesOut  int64
	setCookie bool // tell the client which member it is tied to
	upgraded  bool
	quiet     bool // a copy, of which nothing is counted or recorded
}

// begin prepares an exchange for a request; what it keeps of an earlier one is memory.
func (x *exchange) begin(conn *clientConn, st *state, l *listener, side client, req *http1.Request) {
	*x = exchange{
		front: conn.front, st: st, l: l, conn: conn, client: side, req: req, began: time.Now(),
		scratch: x.scratch[:0], match: x.match,
		up: http1Try{resp: http1.Response{Fields: x.up.resp.Fields[:0]}, fresh: x.up.fresh, spliced: x.up.spliced},
	}
}

// serve does all of an exchange. The client's half has been told everything when it
// returns, and whoever called decides about the connection.
func (x *exchange) serve() {
	x.identify()
	if x.admit() {
		x.act()
		x.l.live.inFlight.Add(-1)
	}
	x.finish()
}

// admit decides whether the request is looked at; if not it is answered.
func (x *exchange) admit() bool {
	l := x.l
	if l.allowed != nil && x.trusted && !l.allowed.contains(x.source) {
		x.refuse(403, CauseDenied, "clients from this address are not allowed")
		return false
	}
	if l.config.Limits.RequestRate > 0 {
		if ok, after := l.live.rates.Allow(x.source, l.rate, x.began); !ok {
			x.refuseFor(429, CauseLimit, "too many requests from this address", after)
			return false
		}
	}
	if n := l.config.Limits.MaxBodyBytes; n > 0 && x.req.ContentLength > int64(n) {
		x.refuse(413, CauseLimit, "the request's body is too large")
		return false
	}
	if x.req.Form == http1.AuthorityForm {
		x.refuse(405, CauseBadRequest, "CONNECT is not supported")
		return false
	}
	if l.live.inFlight.Add(1) > int64(l.config.Limits.MaxRequests) {
		l.live.inFlight.Add(-1)
		x.refuseFor(503, CauseLimit, "too many requests at once", time.Second)
		return false
	}
	return true
}

// act does what the request's route says.
func (x *exchange) act() {
	m := &x.match
	m.Host, m.Path, m.Query, m.Method, m.Header = x.req.Host, x.req.Path, x.req.Query, x.req.Method, fieldsOf{x.req}
	var err error
	if x.route, err = x.l.routes.Match(m); err != nil {
		x.refuseMalformed(err)
		return
	}
	switch {
	case x.route == nil:
		if x.poolName = x.l.config.DefaultPool; x.poolName == "" {
			x.refuse(404, CauseNoRoute, "no route for this request")
			return
		}
	case x.route.Redirect != nil:
		x.redirect(x.route.Redirect)
		return
	case x.route.FixedResponse != nil:
		x.answerFixed(x.route.FixedResponse)
		return
	default:
		if x.poolName = x.route.Pool(); x.poolName == "" {
			x.refuse(404, CauseNoRoute, "no route for this request")
			return
		}
	}
	if x.route != nil {
		if copies := x.route.MirrorPool(); copies != "" {
			x.mirror(copies)
		}
	}
	x.forward()
}

// fieldsOf implements route.Header.
type fieldsOf struct{ req *http1.Request }

// Next implements route.Header.
func (h fieldsOf) Next(name string, from int) (value []byte, next int) {
	for i := from; i < len(h.req.Fields); i++ {
		if f := &h.req.Fields[i]; len(f.Name) == len(name) && equalFold(f.Name, name) {
			return f.Value, i + 1
		}
	}
	return nil, -1
}

// equalFold compares a field's name with one in lower case of the same length.
func equalFold(name []byte, lower string) bool {
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// finish counts the exchange and leaves its records.
func (x *exchange) finish() {
	took := time.Since(x.began)
	if !x.upgraded {
		x.l.observe(x.poolName, x.status, took)
	}
	if x.bytesIn > 0 {
		x.l.live.stats.bytesIn.Add(x.bytesIn)
	}
	if x.bytesOut > 0 {
		x.l.live.stats.bytesOut.Add(x.bytesOut)
	}
	if rec := x.front.engine.options.Recorder; rec != nil && recordsAccess(x.l.config.AccessRecords, x.status) {
		r := x.record(CauseNone, took)
		rec.Access(&r)
	}
}

// decide leaves the record of a decision.
func (x *exchange) decide(cause Cause, detail string) {
	if x.quiet {
		return
	}
	x.front.engine.metrics.decided(cause)
	if rec := x.front.engine.options.Recorder; rec != nil {
		r := x.record(cause, time.Since(x.began))
		r.Detail = []byte(detail)
		rec.Decision(&r)
	}
}

func (x *exchange) record(cause Cause, took time.Duration) Record {
	r := Record{
		Time: x.began, Revision: x.st.revision, Cause: cause, Listener: x.front.name, Pool: x.poolName,
		Client: x.source, Method: x.req.Method, Host: x.req.Host, Path: x.req.Path, Status: x.status,
		Latency: took, BytesIn: x.bytesIn, BytesOut: x.bytesOut, Tries: x.tries, RequestID: x.id,
	}
	if x.route != nil {
		r.Route = x.route.Name
	}
	if x.member != nil {
		r.Member = x.member.key
	}
	for i := range x.req.Fields {
		if x.req.Fields[i].ID == http1.Traceparent {
			r.TraceParent = x.req.Fields[i].Value
		}
	}
	return r
}
