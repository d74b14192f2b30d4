package client

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
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
	// ClientCertPEM is a client certificate, with the chain up to the authority
	// that the runtime trusts, and ClientKeyPEM its private key, not encrypted:
	// both or neither. Without Token and Login it speaks for the caller, and no
	// other credential is sent. With one of them it is shown where the endpoint
	// asks for one, and the caller is whose the token is.
	ClientCertPEM string
	ClientKeyPEM  api.Secret
	// Token is the bearer token. It is never logged. Required without a Login or
	// a client certificate, and used alone with them.
	Token api.Secret
	// Login gives ID tokens of an identity provider that the runtime trusts. The
	// first call exchanges one for a session, whose secret is the bearer of all
	// calls; it is renewed before it ends and when the API no longer knows it.
	Login TokenSource
	// Ticket is the change ticket that changes and plans name. May be empty.
	Ticket string
	// Run is the run that changes and plans name. It must have been registered
	// by then. May be empty.
	Run string
	// Transport carries the calls in place of the network; nil is the network. What says
	// whom to trust and which certificate to show is not looked at then, and without
	// Token and Login the calls carry no credential but what the transport adds.
	Transport http.RoundTripper
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
	// sessions is nil for a client with a token.
	sessions *sessions
	// checkpoint is the newest that came with an answer.
	checkpoint observed
}

// Errors of [New] that callers tell apart, to point at the setting that caused them.
var (
	ErrEndpoint   = errors.New("endpoint")
	ErrCACert     = errors.New("CA certificate")
	ErrClientCert = errors.New("client certificate")
	ErrClientKey  = errors.New("key of the client certificate")
	ErrToken      = errors.New("token")
)

// New returns a client. It does not connect. Its errors wrap ErrEndpoint,
// ErrCACert, ErrClientCert, ErrClientKey or ErrToken.
func New(cfg Config) (*Client, error) {
	base, err := parseEndpoint(cfg.Endpoint, cfg.InsecureHTTP)
	if err != nil {
		return nil, fmt.Errorf("%w %w", ErrEndpoint, err)
	}
	pair, err := clientPair(cfg.ClientCertPEM, cfg.ClientKeyPEM)
	if err != nil {
		return nil, err
	}
	byCertificate := pair != nil && cfg.Token == "" && cfg.Login == nil
	byTransport := cfg.Transport != nil && cfg.Token == "" && cfg.Login == nil
	if byCertificate && base.Scheme != "https" {
		return nil, fmt.Errorf("%w must be https: a client certificate is shown in TLS only", ErrEndpoint)
	}
	if (cfg.Token != "" || (cfg.Login == nil && !byCertificate && !byTransport)) && !isBearer(cfg.Token) {
		return nil, fmt.Errorf("%w must be printable ASCII without spaces and not empty", ErrToken)
	}
	setDefault(&cfg.Timeout, DefaultTimeout)
	setDefault(&cfg.Attempts, DefaultAttempts)
	setDefault(&cfg.MinWait, DefaultMinWait)
	setDefault(&cfg.MaxWait, DefaultMaxWait)

	transport := cfg.Transport
	if transport == nil {
		if transport, err = network(cfg, pair, byCertificate); err != nil {
			return nil, err
		}
	}
	c := &Client{base: base, cfg: cfg, http: retryablehttp.NewClient()}
	if cfg.Login != nil && cfg.Token == "" {
		c.sessions = &sessions{login: c.login, now: time.Now}
	}
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

// network returns the transport to the endpoint. It shows the client certificate as the
// caller's word, or beside a token where it is asked for.
func network(cfg Config, pair *tls.Certificate, byCertificate bool) (*http.Transport, error) {
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
	switch {
	case byCertificate:
		// Also to who asks for those of other authorities: that is then said in the
		// handshake, where the call would only be told that it lacks a token.
		transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	case pair != nil:
		transport.TLSClientConfig.Certificates = []tls.Certificate{*pair}
	}
	return transport, nil
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
	if u.Scheme == "http" && !insecureHTTP && !lb.IsLoopback(u.Hostname()) {
		return nil, fmt.Errorf("%s would send the token in clear text: use https, or allow it with insecure_http", u.Redacted())
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

// isBearer reports whether a secret can stand in an Authorization field.
func isBearer(secret api.Secret) bool {
	return secret != "" && !strings.ContainsFunc(secret.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// clientPair reads a client certificate and its key; nil without both. What is
// wrong with a key is said without what the parser says of it.
func clientPair(certPEM string, keyPEM api.Secret) (*tls.Certificate, error) {
	switch {
	case certPEM == "" && keyPEM == "":
		return nil, nil
	case certPEM == "":
		return nil, fmt.Errorf("%w is missing: a key alone shows nothing", ErrClientCert)
	case keyPEM == "":
		return nil, fmt.Errorf("%w is missing: the certificate can't be shown without it", ErrClientKey)
	}
	if err := checkChain([]byte(certPEM)); err != nil {
		return nil, fmt.Errorf("%w %w", ErrClientCert, err)
	}
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("%w must be a private key in PEM, not encrypted, and that of the first certificate", ErrClientKey)
	}
	return &pair, nil
}

// checkChain holds a text to certificates in PEM, at least one.
func checkChain(text []byte) error {
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Errorf("can't be read: %w", err)
		}
		found = true
	}
	if !found {
		return errors.New("must be in PEM")
	}
	return nil
}

// IsUnreachable reports whether err is a failure to reach the API at all, as
// against an answer of it. That no ID token could be had is neither.
func IsUnreachable(err error) bool {
	if errors.Is(err, ErrIDToken) {
		return false
	}
	var op *net.OpError
	var dns *net.DNSError
	var urlErr *url.Error
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &urlErr)
}

// IsHandshakeRefused reports whether err is the endpoint's refusal to speak TLS
// with this client, as it is for a client certificate that it doesn't trust.
func IsHandshakeRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
