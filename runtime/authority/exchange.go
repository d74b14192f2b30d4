package authority

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// MaxResponseBytes bounds one answer of an authority.
	MaxResponseBytes = 1 << 20
	// MaxRetryAfter bounds how long an authority can ask to be left alone.
	MaxRetryAfter = time.Hour
	// defaultRateLimit is the wait when an authority says "too many" but not for how
	// long; GitHub asks for a minute at least.
	defaultRateLimit = time.Minute

	userAgent = "auditlb"
)

// errSlow is the cause of a context that our own timeout ended.
var errSlow = errors.New("slow")

// exchange sends requests to one authority and reads bounded JSON back.
type exchange struct {
	authority string
	client    *http.Client
	timeout   time.Duration
	accept    string
	header    http.Header
	user      string
	password  Secret
	token     Secret
	now       func() time.Time
}

func newExchange(cfg *Config, client *http.Client) *exchange {
	transport := http.DefaultTransport
	if client != nil && client.Transport != nil {
		transport = client.Transport
	}
	return &exchange{
		authority: cfg.Name, timeout: cfg.Timeout, accept: "application/json", header: http.Header{},
		user: cfg.User, password: cfg.Password, token: cfg.Token, now: time.Now,
		client: &http.Client{
			Transport: transport,
			// A redirect would carry the credentials to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// get reads the JSON at a URL.
func (x *exchange) get(ctx context.Context, url string, into any) error {
	_, err := x.getPage(ctx, url, into)
	return err
}

// getPage reads the JSON at a URL and reports whether there is a page after it
// (RFC 8288).
func (x *exchange) getPage(ctx context.Context, url string, into any) (more bool, err error) {
	body, header, err := x.send(ctx, http.MethodGet, url, nil, true)
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return false, x.ofTicket("its answer can't be understood")
	}
	return strings.Contains(header.Get("Link"), `rel="next"`), nil
}

// put sends JSON with a method, and cares for nothing but that it was accepted.
func (x *exchange) put(ctx context.Context, method, url string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return x.ofTicket("the comment can't be written as JSON")
	}
	_, _, err = x.send(ctx, method, url, body, false)
	return err
}

func (x *exchange) send(ctx context.Context, method, url string, content []byte, wantJSON bool) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return nil, nil, x.ofTicket("its URL is malformed")
	}
	for name, values := range x.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", x.accept)
	req.Header.Set("User-Agent", userAgent)
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := x.authorize(req); err != nil {
		return nil, nil, err
	}
	resp, err := x.client.Do(req)
	if err != nil {
		return nil, nil, x.failed(ctx, err)
	}
	defer resp.Body.Close()
	if err := x.checkStatus(resp); err != nil {
		return nil, nil, err
	}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); wantJSON &&
		(err != nil || media != "application/json" && !strings.HasSuffix(media, "+json")) {
		return nil, nil, x.unavailable("it answered with something other than JSON")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxResponseBytes+1))
	switch {
	case !wantJSON:
		return nil, nil, nil
	case err != nil && ctx.Err() == nil && errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil, x.unavailable("its answer broke off")
	case err != nil:
		return nil, nil, x.failed(ctx, err)
	case len(body) > MaxResponseBytes:
		return nil, nil, x.ofTicket(fmt.Sprintf("its answer is larger than %d KiB", MaxResponseBytes>>10))
	}
	return body, resp.Header, nil
}

func (x *exchange) authorize(req *http.Request) error {
	secret := x.token
	if x.user != "" {
		secret = x.password
	}
	if secret.IsZero() {
		return nil
	}
	text, sendable := secret.text()
	if !sendable {
		return x.unavailable("our credentials are empty or not fit to be sent")
	}
	if x.user != "" {
		req.SetBasicAuth(x.user, text)
	} else {
		req.Header.Set("Authorization", "Bearer "+text)
	}
	return nil
}

// checkStatus returns why a response is none that can be used, or nil.
func (x *exchange) checkStatus(resp *http.Response) error {
	code := resp.StatusCode
	wait := retryAfter(resp.Header, x.now())
	// Jira answers as if to a stranger, with 200 or 404, when it does not accept
	// credentials, and says so only here.
	switch resp.Header.Get("X-Seraph-LoginReason") {
	case "AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED":
		return x.unavailable("it refuses our credentials")
	}
	switch {
	case code >= 200 && code <= 299:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return ErrNotFound
	case code == http.StatusTooManyRequests || code == http.StatusForbidden && wait > 0:
		if wait == 0 {
			wait = defaultRateLimit
		}
		return &Unavailable{Authority: x.authority, Reason: fmt.Sprintf("it asks for fewer requests (%d)", code), RetryAfter: wait}
	case code == http.StatusUnauthorized:
		return x.unavailable("it refuses our credentials (401)")
	case code == http.StatusForbidden:
		return x.unavailable("our account may not do this (403)")
	case code >= 300 && code <= 399:
		return x.unavailable(fmt.Sprintf("it redirects elsewhere (%d), where credentials are not sent: correct its URL", code))
	case code >= 500:
		return &Unavailable{Authority: x.authority, Reason: fmt.Sprintf("it answered %d", code), RetryAfter: wait}
	}
	return x.ofTicket(fmt.Sprintf("it answered %d", code))
}

// failed says why a request got no answer. Texts of the network's errors can have
// bytes of the answer in them, so none is repeated.
func (x *exchange) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); !errors.Is(cause, errSlow) {
			return fmt.Errorf("authority %q: %w", x.authority, cause)
		}
		return x.unavailable(fmt.Sprintf("it took longer than %s", x.timeout))
	}
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &dns):
		return x.unavailable("its name can't be resolved")
	case errors.As(err, &certificate), errors.As(err, &unknown):
		return x.unavailable("its certificate is not trusted")
	case errors.Is(err, syscall.ECONNREFUSED):
		return x.unavailable("it refuses connections")
	case errors.As(err, &timeout) && timeout.Timeout():
		return x.unavailable("it can't be reached in time")
	}
	return x.unavailable("the connection failed")
}

func (x *exchange) unavailable(reason string) error {
	return &Unavailable{Authority: x.authority, Reason: reason}
}

// ofTicket is for failures that need not concern other tickets.
func (x *exchange) ofTicket(reason string) error {
	return &Unavailable{Authority: x.authority, Reason: reason, ticketOnly: true}
}

// retryAfter reads how long to wait: Retry-After in seconds or as a date (RFC 9110,
// section 10.2.3), or the reset that GitHub and others give when nothing remains,
// in seconds since 1970.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var wait time.Duration
	if text := h.Get("Retry-After"); text != "" {
		if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
			wait = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(text); err == nil {
			wait = at.Sub(now)
		}
	} else if h.Get("X-RateLimit-Remaining") == "0" {
		if at, err := strconv.ParseUint(h.Get("X-RateLimit-Reset"), 10, 32); err == nil {
			wait = time.Unix(int64(at), 0).Sub(now)
		}
	}
	return min(max(wait, 0), MaxRetryAfter)
}
