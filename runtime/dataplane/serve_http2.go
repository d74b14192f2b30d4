package dataplane

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// What one HTTP/2 connection may make us buffer: for all its streams, and for one.
	http2ConnBuffer   = 1 << 20
	http2StreamBuffer = 256 << 10
	// http2FrameBuffer holds one frame of a client, and is kept for the connection. It
	// is the least that RFC 9113 §4.2 allows.
	http2FrameBuffer = 16 << 10
	// http2PingAfter is how long a client may be silent before it is asked whether it
	// is there; http2PingWithin is how long it may take to say so.
	http2PingAfter, http2PingWithin = 30 * time.Second, 15 * time.Second
)

// http2Settings are those of a listener that hold for a whole connection.
type http2Settings struct {
	streams, headerBytes int
	idle                 time.Duration
}

func http2SettingsOf(l *lb.Listener) http2Settings {
	return http2Settings{l.HTTP2.MaxConcurrentStreams, l.Limits.MaxHeaderBytes, l.Timeouts.Idle.Std()}
}

// http2Servers speak HTTP/2 with the clients of a frontend: one for each of the
// settings that its connections have begun under.
type http2Servers struct {
	mu       sync.Mutex // protects what follows
	down     bool
	settings http2Settings
	current  *http2Server
	earlier  []*http2Server
}

type http2Server struct {
	http2.Server
	base *http.Server
}

// get returns the server for new connections.
func (s *http2Servers) get(settings http2Settings, log *slog.Logger) *http2Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.settings == settings {
		return s.current
	}
	if s.current != nil {
		s.earlier = append(s.earlier, s.current)
	}
	n := &http2Server{
		base: &http.Server{
			ReadHeaderTimeout: settings.idle, // of HTTP/1.1, which it does not speak
			IdleTimeout:       settings.idle, MaxHeaderBytes: settings.headerBytes,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		Server: http2.Server{
			MaxConcurrentStreams:         uint32(settings.streams),
			IdleTimeout:                  settings.idle,
			ReadIdleTimeout:              http2PingAfter,
			PingTimeout:                  http2PingWithin,
			WriteByteTimeout:             settings.idle,
			MaxUploadBufferPerConnection: http2ConnBuffer,
			MaxUploadBufferPerStream:     http2StreamBuffer,
			MaxReadFrameSize:             http2FrameBuffer,
		},
	}
	// It makes the connections of n hear of base.Shutdown. It fails for cipher suites
	// that are set wrong; none is set.
	_ = http2.ConfigureServer(n.base, &n.Server)
	s.settings, s.current = settings, n
	if s.down {
		_ = n.base.Shutdown(closedContext())
	}
	return n
}

// shutDown lets connections finish the streams they have (GOAWAY, RFC 9113 §6.8).
func (s *http2Servers) shutDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	for _, n := range append(s.earlier, s.current) {
		if n != nil {
			_ = n.base.Shutdown(closedContext())
		}
	}
}

// closedContext makes Shutdown return once it has told the connections.
func closedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// serveHTTP2 serves a connection, TLS or not, until it ends.
func (c *clientConn) serveHTTP2(conn net.Conn) {
	_, l := c.front.state()
	server := c.front.http2.get(http2SettingsOf(l.config), c.front.engine.log)
	server.ServeConn(conn, &http2.ServeConnOpts{
		Context:    c.front.engine.ending,
		BaseConfig: server.base,
		Handler:    http.HandlerFunc(c.serveStream),
	})
	c.close()
}
