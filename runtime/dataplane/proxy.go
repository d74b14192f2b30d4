package dataplane

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// statusClientGone is what a request counts as whose client went away before there
// was an answer. It is never sent; the number is nginx's.
const statusClientGone = 499

// exchange is what the engine knows of one request.
type exchange struct {
	frontend *frontend
	id       string
	member   *member
	body     *requestBody // nil without body
	status   int          // of the response
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// ServeHTTP serves one request of an http or https listener.
func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	st, l := f.state()
	x := &exchange{frontend: f, id: requestID(r.Header)}
	poolName := ""
	defer func() { // also when the proxy aborts the response with a panic
		if x.status != http.StatusSwitchingProtocols {
			l.observe(poolName, x.status, time.Since(began))
		}
	}()
	if r.Method == http.MethodConnect {
		x.refuse(w, http.StatusMethodNotAllowed, "CONNECT is not supported")
		return
	}
	poolName = l.pool(r.Host, r.URL.Path, r.Method)
	if poolName == "" {
		x.refuse(w, http.StatusNotFound, "no route for this request")
		return
	}
	if p := st.pools[poolName]; p != nil {
		x.member = p.acquire()
	}
	if x.member == nil {
		x.refuse(w, http.StatusServiceUnavailable, "no healthy member")
		return
	}
	defer x.member.load.Release()

	if r.Body != nil && r.Body != http.NoBody {
		x.body = &requestBody{ReadCloser: r.Body, control: http.NewResponseController(w), pace: l.config.Timeouts.Idle.Std()}
		r.Body = x.body
	}
	// A key without values: net/http must not guess a type the member did not give.
	w.Header()["Content-Type"] = nil
	f.engine.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
}

// refuse answers a request that no member has answered.
func (x *exchange) refuse(w http.ResponseWriter, status int, text string) {
	x.status = status
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	x.mark(h)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may have gone
}

// mark adds to a response what the engine itself has to tell the client.
func (x *exchange) mark(h http.Header) {
	if h.Get(headerRequestID) == "" {
		h.Set(headerRequestID, x.id)
	}
	if x.frontend.draining.Load() && x.status != http.StatusSwitchingProtocols {
		h.Set("Connection", "close")
	}
}

// newProxy returns the one proxy of the engine. Everything about a single request
// travels in its exchange.
func (e *Engine) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:    rewrite,
		Transport:  memberTransport{},
		BufferPool: &bufferPool{},
		ErrorLog:   slog.NewLogLogger(e.log.Handler(), slog.LevelDebug),
		ModifyResponse: func(resp *http.Response) error {
			x := exchangeOf(resp.Request.Context())
			x.status = resp.StatusCode
			x.mark(resp.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			x := exchangeOf(r.Context())
			status, text := x.classify(r.Context(), err)
			e.log.Debug("request failed", "status", status, "member", x.member.key, "request", x.id, "error", err)
			if status == statusClientGone {
				x.status = status
				panic(http.ErrAbortHandler) // nobody is there to be answered
			}
			x.refuse(w, status, text)
		},
	}
}

// classify says whose fault it is that there is no response.
func (x *exchange) classify(ctx context.Context, err error) (status int, text string) {
	if x.body != nil {
		switch bodyErr := x.body.failure(); {
		case isTimeout(bodyErr):
			return http.StatusRequestTimeout, "the request's body did not arrive in time"
		case bodyErr != nil && ctx.Err() == nil:
			return http.StatusBadRequest, "the request's body can't be read"
		}
	}
	if ctx.Err() != nil {
		return statusClientGone, ""
	}
	var op *net.OpError
	if dialing := errors.As(err, &op) && op.Op == "dial"; isTimeout(err) && !dialing {
		return http.StatusGatewayTimeout, "the member did not answer in time"
	}
	return http.StatusBadGateway, "the member failed"
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// memberTransport sends a request to the member of its exchange.
type memberTransport struct{}

// RoundTrip implements http.RoundTripper.
func (memberTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return exchangeOf(r.Context()).member.transport.RoundTrip(r)
}

const copyBufferBytes = 32 << 10

// bufferPool implements httputil.BufferPool.
type bufferPool struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[copyBufferBytes]byte); ok {
		return b[:]
	}
	return make([]byte, copyBufferBytes)
}

// Put implements httputil.BufferPool.
func (p *bufferPool) Put(b []byte) { p.pool.Put((*[copyBufferBytes]byte)(b)) }
