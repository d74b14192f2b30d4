package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Defaults and bounds of a client.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultAttempts = 5
	DefaultMinWait  = 250 * time.Millisecond
	DefaultMaxWait  = 10 * time.Second

	// MaxResponseBytes bounds what is read of one response.
	MaxResponseBytes = 64 << 20
)

// Config is how a client finds the management API and what it says there.
type Config struct {
	// Endpoint is the API's base URL, such as https://lb.example.com:8443. It
	// carries no credentials, query or fragment. Required.
	Endpoint string
	// InsecureHTTP admits http:// endpoints that aren't on loopback. The token
	// then crosses the network in clear text.
	InsecureHTTP bool
	// CACertPEM holds the authorities that may vouch for the endpoint, in
	// place of the system's. Empty: the system's.
	CACertPEM string
	// Token is the bearer token. It is never logged.
	Token api.Secret
	// Ticket is the change ticket that changes and plans name. May be empty.
	Ticket string
	// Run is the run that changes and plans name. It must have been registered
	// by then. May be empty.
	Run string
	// UserAgent names the program that calls.
	UserAgent string
	// Timeout bounds one attempt, response included. 0: DefaultTimeout.
	Timeout time.Duration
	// Attempts is how often a call is tried in all. 0: DefaultAttempts.
	Attempts int
	// MinWait and MaxWait bound the wait between attempts, a Retry-After of the
	// server's included. 0: DefaultMinWait and DefaultMaxWait.
	MinWait, MaxWait time.Duration
}

// Client calls the management API. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *retryablehttp.Client
	cfg  Config
}

// Errors of [New] that callers tell apart, to point at the setting that caused them.
var (
	ErrEndpoint = errors.New("endpoint")
	ErrCACert   = errors.New("CA certificate")
	ErrToken    = errors.New("token")
)

// New returns a client. It does not connect. Its errors wrap ErrEndpoint,
// ErrCACert or ErrToken.
func New(cfg Config) (*Client, error) {
	base, err := parseEndpoint(cfg.Endpoint, cfg.InsecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("%w %w", ErrEndpoint, err)
	}
	if cfg.Token == "" || strings.ContainsFunc(cfg.Token.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("%w must be printable ASCII without spaces and not empty", ErrToken)
	}
	setDefault(&cfg.Timeout, DefaultTimeout)
	setDefault(&cfg.Attempts, DefaultAttempts)
	setDefault(&cfg.MinWait, DefaultMinWait)
	setDefault(&cfg.MaxWait, DefaultMaxWait)

	transport := cleanhttp.DefaultPooledTransport()
	transport.MaxIdleConnsPerHost = 32
	transport.ResponseHeaderTimeout = cfg.Timeout
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CACertPEM != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(cfg.CACertPEM)) {
			return nil, fmt.Errorf("%w: holds no certificate in PEM", ErrCACert)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	c := &Client{base: base, cfg: cfg, http: retryablehttp.NewClient()}
	c.http.HTTPClient = &http.Client{
		Transport: transport,
		Timeout:   cfg.Timeout,
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	c.http.Logger = nil
	c.http.RetryMax = cfg.Attempts - 1
	c.http.RetryWaitMin = cfg.MinWait
	c.http.RetryWaitMax = cfg.MaxWait
	c.http.CheckRetry = checkRetry
	c.http.Backoff = backoff
	c.http.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return c, nil
}

// Endpoint returns the base URL of the API.
func (c *Client) Endpoint() string { return c.base.String() }

// RunID returns the id of the run that changes name, or "".
func (c *Client) RunID() string { return c.cfg.Run }

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// parseEndpoint holds an endpoint to a form that can't leak the token: https,
// or http to the machine itself.
func parseEndpoint(endpoint string, insecureHTTP bool) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("must be a URL such as https://lb.example.com:8443")
	}
	if u.User != nil {
		return nil, errors.New("must not carry credentials; use the token")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("must not carry a query or fragment")
	}
	if u.Scheme == "http" && !insecureHTTP && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%s would send the token in clear text: use https, or allow it with insecure_http", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// IsUnreachable reports whether err is a failure to reach the API at all, as
// against an answer of it.
func IsUnreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var urlErr *url.Error
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &urlErr)
}
