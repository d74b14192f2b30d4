package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"golang.org/x/net/http2"
)

const (
	// MaxHeaderBytes bounds a response head that a member may make us hold.
	MaxHeaderBytes = 256 << 10
	// pingAfter is how long an HTTP/2 connection may be silent before it is asked
	// whether it is alive, and pingWithin how long it may take to say so.
	pingAfter, pingWithin = 15 * time.Second, 15 * time.Second
)

// DialError is that a connection could not be opened: nothing was sent.
type DialError struct{ Err error }

// Error implements error.
func (e *DialError) Error() string { return "open a connection: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

var errNoHTTP2 = errors.New("member does not speak HTTP/2 (ALPN)")

// NewHTTP2 returns the HTTP/2 connections to one member. Over plain TCP it speaks
// with prior knowledge (RFC 9113 §3.3).
func NewHTTP2(s Settings) *http2.Transport {
	plain := New(s).dialer
	return &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, _, _ string, _ *tls.Config) (net.Conn, error) {
			conn, err := openHTTP2(ctx, &plain, s)
			if err != nil {
				return nil, &DialError{err}
			}
			return conn, nil
		},
		DisableCompression: true, // bodies pass as they are
		MaxHeaderListSize:  MaxHeaderBytes,
		IdleConnTimeout:    s.Idle,
		ReadIdleTimeout:    pingAfter,
		PingTimeout:        pingWithin,
		WriteByteTimeout:   s.Write,
	}
}

func openHTTP2(ctx context.Context, dialer *net.Dialer, s Settings) (net.Conn, error) {
	conn, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil || s.TLS == nil {
		return conn, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Connect)
	defer cancel()
	secured := tls.Client(conn, s.TLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	if secured.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		_ = secured.Close()
		return nil, errNoHTTP2
	}
	return secured, nil
}
