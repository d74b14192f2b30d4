package console

import (
	"bytes"
	"io"
	"net/http"
	"regexp"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

type requestIDKey struct{}

// saneID is an id that can't be a token: each kind has an underscore or a dot.
var saneID = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// requestID keeps a sane id of the caller's or makes one. All calls that a page makes
// have the page's.
func requestID(r *http.Request) string {
	if id := r.Header.Get(api.HeaderRequestID); saneID.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

// inProcess carries a page's calls to the API's handler. They look as if the browser had
// made them: the same address, TLS and client certificate, user agent and request id.
type inProcess struct {
	api  http.Handler
	from *http.Request
	id   string
}

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	t.as(in)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &recorder{header: http.Header{}}
	t.api.ServeHTTP(w, in)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// as makes a call look like the browser's.
func (t inProcess) as(in *http.Request) {
	in.RemoteAddr, in.TLS, in.Host, in.RequestURI = t.from.RemoteAddr, t.from.TLS, t.from.Host, in.URL.RequestURI()
	in.Header.Set("User-Agent", t.from.UserAgent())
	in.Header.Set(api.HeaderRequestID, t.id)
}

// recorder keeps an answer. What is written is bounded by the client that reads it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
