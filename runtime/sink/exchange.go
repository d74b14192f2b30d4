package sink

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

const (
	// MaxRetryAfter bounds how long a receiver can ask to be left alone.
	MaxRetryAfter = 15 * time.Minute
	// maxAnswerBytes bounds what is read of an answer.
	maxAnswerBytes = 64 << 10

	userAgent = "auditlb"
)

// errSlow is the cause of a context that our own timeout ended.
var errSlow = errors.New("slow")

// exchange posts to one URL.
type exchange struct {
	url     string
	client  *http.Client
	headers map[string]Secret
	timeout time.Duration
}

// reply is what is believed of an answer.
type reply struct {
	status     int
	body       []byte
	retryAfter time.Duration
	// cut is why the body was not read to its end; an answer that breaks off, or is longer
	// than any should be, has said what matters.
	cut error
}

func newExchange(target string, cfg HTTPConfig) *exchange {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = 1
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if len(cfg.CAPEM) > 0 {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(cfg.CAPEM)
	}
	return &exchange{
		url: target, headers: cfg.Headers, timeout: cfg.Timeout,
		client: &http.Client{
			Transport: transport,
			// A redirect would carry the log, and credentials, to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// post sends a body and returns the answer, whatever its status.
func (x *exchange) post(ctx context.Context, header http.Header, body []byte) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, x.timeout, errSlow)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url, bytes.NewReader(body))
	if err != nil {
		return reply{}, failed(codeUnreachable, "its URL is malformed")
	}
	req.Header = header
	req.Header.Set("User-Agent", userAgent)
	for name, secret := range x.headers {
		text, err := secret.header()
		if err != nil {
			return reply{}, failed(codeCredentials, "our field %s can't be read from its file", name)
		}
		req.Header.Set(name, text)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return reply{}, x.failed(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	r := reply{status: resp.StatusCode, body: answer, retryAfter: retryAfter(resp.Header, time.Now())}
	if err != nil && ctx.Err() != nil {
		r.cut = x.failed(ctx, err)
	}
	return r, nil
}

// failed says why a request got no answer. Texts of the network's errors can have the URL
// or bytes of the answer in them, so none is repeated.
func (x *exchange) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if !errors.Is(context.Cause(ctx), errSlow) {
			return failed(codeClosed, "broken off, as auditlb is stopping")
		}
		return failed(codeTimeout, "it took longer than %s", x.timeout)
	}
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &dns):
		return failed(codeUnreachable, "its name can't be resolved")
	case errors.As(err, &certificate), errors.As(err, &unknown):
		return failed(codeCertificate, "its certificate is not trusted")
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(codeUnreachable, "it refuses connections")
	case errors.As(err, &timeout) && timeout.Timeout():
		return failed(codeTimeout, "it can't be reached in time")
	}
	return failed(codeUnreachable, "the connection failed")
}

//nolint:unparam // a target's
func (x *exchange) close() error {
	x.client.CloseIdleConnections()
	return nil
}

// answered is a failure with a receiver's status.
func (r reply) answered(code, why string) *failure {
	return &failure{code: code, detail: fmt.Sprintf("it answered %d%s", r.status, why), retryAfter: r.retryAfter}
}

// retryAfter reads Retry-After, in seconds or as a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	var wait time.Duration
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}

// shown is the part of a URL that may be seen: its path or query may be a secret.
func shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "?"
	}
	return u.Scheme + "://" + u.Host
}
