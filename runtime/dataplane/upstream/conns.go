// Package upstream keeps the HTTP/1.1 connections to members.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
)

// MaxIdle bounds the idle connections kept to one member.
const MaxIdle = 1024

// Settings are those of the connections to one member.
type Settings struct {
	Poller *rawconn.Poller
	// Address is host:port.
	Address string
	// TLS is nil for plain connections.
	TLS *tls.Config
	// Connect bounds opening a connection, with its TLS handshake.
	Connect time.Duration
	// Write bounds the wait for the member to take more.
	Write time.Duration
	// Idle is how long an unused connection is kept.
	Idle time.Duration
}

// Conns are the connections to one member. Its methods are safe for concurrent use.
type Conns struct {
	settings Settings
	dialer   net.Dialer

	mu     sync.Mutex // protects what follows
	idle   []*Conn    // the one used last is the last
	closed bool
}

// Conn is one connection to a member.
type Conn struct {
	// Raw is the connection below TLS, for its timeouts and for splice.
	Raw *rawconn.Conn
	// TLS is nil for a plain connection.
	TLS *tls.Conn
	// Reused is whether an earlier request went over it.
	Reused bool

	conns *Conns
	ended func(error) // onEnd, made once
}

// New returns the connections to one member; none is opened.
func New(s Settings) *Conns {
	return &Conns{
		settings: s,
		// Keep-alive probes end connections whose other side is gone, also those that
		// may be silent for long.
		dialer: net.Dialer{Timeout: s.Connect, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9}},
	}
}

// Idle takes an idle connection, or returns nil when there is none. One that the
// member has closed is not given out if that is known; sure has it found out, which
// WriteRead of a plain connection does by itself.
func (s *Conns) Idle(sure bool) *Conn {
	for {
		s.mu.Lock()
		last := len(s.idle) - 1
		if last < 0 {
			s.mu.Unlock()
			return nil
		}
		c := s.idle[last]
		s.idle[last] = nil
		s.idle = s.idle[:last]
		s.mu.Unlock()
		if !c.Raw.Take() {
			continue
		}
		c.Reused = true
		if (sure || c.TLS != nil) && !c.Quiet() {
			c.Close()
			continue
		}
		return c
	}
}

// Open opens a connection; first, which may be empty, is written before all else, TLS
// included. It fails with ctx or after the time for connecting.
func (s *Conns) Open(ctx context.Context, first []byte) (*Conn, error) {
	conn, err := s.dialer.DialContext(ctx, "tcp", s.settings.Address)
	if err != nil {
		return nil, err
	}
	raw, err := s.settings.Poller.Wrap(conn.(*net.TCPConn))
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	c := &Conn{Raw: raw, conns: s}
	c.ended = c.onEnd
	raw.SetWriteTimeout(s.settings.Write)
	if err := c.begin(ctx, first); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) begin(ctx context.Context, first []byte) error {
	if len(first) > 0 {
		if _, err := c.Raw.Write(first); err != nil {
			return err
		}
	}
	if c.conns.settings.TLS == nil {
		return nil
	}
	c.Raw.SetReadTimeout(c.conns.settings.Connect)
	c.TLS = tls.Client(c.Raw, c.conns.settings.TLS)
	return c.TLS.HandshakeContext(ctx)
}

// Keep makes a connection idle whose last response has been read to its end.
func (c *Conn) Keep() {
	s := c.conns
	if !c.Raw.Rest(s.settings.Idle, c.ended) {
		c.Close()
		return
	}
	s.mu.Lock()
	keep := !s.closed && len(s.idle) < MaxIdle
	if keep {
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	if !keep && c.Raw.Take() {
		c.Close()
	}
}

// onEnd closes an idle connection that the member has closed, that said something
// unasked, or that nobody used for long.
func (c *Conn) onEnd(error) {
	s := c.conns
	s.mu.Lock()
	for i, other := range s.idle {
		if other == c {
			last := len(s.idle) - 1
			copy(s.idle[i:], s.idle[i+1:])
			s.idle[last] = nil
			s.idle = s.idle[:last]
			break
		}
	}
	s.mu.Unlock()
	c.Close()
}

// Close closes the connection.
func (c *Conn) Close() {
	if c.TLS != nil {
		_ = c.TLS.Close() // says so to the member, and closes Raw
	}
	_ = c.Raw.Close()
}

// WriteRead sends p and reads some of the answer into what buffer returns. It fails
// with rawconn.ErrNotQuiet, and sends nothing, if the connection was used before and the
// member has said something since, or ended it. Over TLS, Quiet finds that out.
func (c *Conn) WriteRead(p []byte, buffer func() []byte) (int, error) {
	if c.TLS == nil {
		return c.Raw.WriteRead(p, buffer, c.Reused)
	}
	if _, err := c.TLS.Write(p); err != nil {
		return 0, err
	}
	return c.TLS.Read(buffer())
}

// Quiet reports whether a connection that was used before is as it was left. What a
// member says unasked must not become the answer to the next request.
func (c *Conn) Quiet() bool {
	if c.TLS == nil {
		return c.Raw.Fresh()
	}
	quiet := false
	err := c.Raw.Serve(func() bool {
		var b [1]byte
		_, err := c.TLS.Read(b[:]) // takes in what TLS itself has to say
		quiet = errors.Is(err, rawconn.ErrWouldBlock)
		return true
	})
	return quiet && err == nil
}

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	if c.TLS == nil {
		return c.Raw.Read(p)
	}
	return c.TLS.Read(p)
}

// Write writes p and then q.
func (c *Conn) Write(p, q []byte) error {
	if c.TLS == nil {
		return c.Raw.WriteBoth(p, q)
	}
	if len(p) > 0 {
		if _, err := c.TLS.Write(p); err != nil {
			return err
		}
	}
	if len(q) > 0 {
		if _, err := c.TLS.Write(q); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the idle connections; those in use are closed after their use.
func (s *Conns) Close() {
	s.mu.Lock()
	idle := s.idle
	s.idle, s.closed = nil, true
	s.mu.Unlock()
	for _, c := range idle {
		if c.Raw.Take() {
			c.Close()
		}
	}
}
