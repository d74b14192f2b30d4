package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
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

// closeAgain is how often connections in use are looked at whose member is gone.
const closeAgain = time.Second

// HTTP2 are the HTTP/2 connections to one member.
type HTTP2 struct {
	http2.Transport
	open   atomic.Int64 // connections
	closed atomic.Bool
}

// NewHTTP2 returns the HTTP/2 connections to one member; none is opened. Over plain
// TCP it speaks with prior knowledge (RFC 9113 §3.3).
func NewHTTP2(s Settings) *HTTP2 {
	plain := New(s).dialer
	h := new(HTTP2)
	h.Transport = http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, _, _ string, _ *tls.Config) (net.Conn, error) {
			conn, err := h.dial(ctx, &plain, s)
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
	return h
}

// Close closes the idle connections; those in use are closed soon after their use.
func (h *HTTP2) Close() {
	h.closed.Store(true)
	h.CloseIdleConnections()
	if h.open.Load() > 0 {
		time.AfterFunc(closeAgain, h.Close)
	}
}

func (h *HTTP2) dial(ctx context.Context, dialer *net.Dialer, s Settings) (net.Conn, error) {
	raw, err := dialer.DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, err
	}
	conn := h.count(raw)
	if s.TLS == nil {
		return conn, nil
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

// count counts a connection until it is closed. A request that began before Close may
// open one after it.
func (h *HTTP2) count(conn net.Conn) net.Conn {
	h.open.Add(1)
	if h.closed.Load() {
		time.AfterFunc(closeAgain, h.Close)
	}
	return &counted{conn, sync.OnceFunc(func() { h.open.Add(-1) })}
}

// counted says when it is closed.
type counted struct {
	net.Conn
	ended func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.ended()
	return c.Conn.Close()
}
