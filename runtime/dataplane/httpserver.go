package dataplane

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// httpSettings are those of a listener that net/http holds for a whole server.
type httpSettings struct {
	header, idle   time.Duration
	maxHeaderBytes int
}

func httpSettingsOf(l *lb.Listener) httpSettings {
	return httpSettings{l.Timeouts.RequestHeader.Std(), l.Timeouts.Idle.Std(), l.Limits.MaxHeaderBytes}
}

// httpServer speaks HTTP over the connections it is given. It is its own
// net.Listener: the socket belongs to the frontend.
type httpServer struct {
	*http.Server
	settings httpSettings
	tls      *tls.Config // nil for plain http
	address  net.Addr
	conns    chan net.Conn
	done     chan struct{}
	once     sync.Once
	open     int // connections; protected by frontend.mu
}

func newHTTPServer(f *frontend, settings httpSettings) *httpServer {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &httpServer{
		Server: &http.Server{
			Handler:           f,
			Protocols:         protocols,
			ReadHeaderTimeout: settings.header, // holds for the TLS handshake too
			IdleTimeout:       settings.idle,
			MaxHeaderBytes:    settings.maxHeaderBytes,
			ErrorLog:          slog.NewLogLogger(f.engine.log.Handler(), slog.LevelDebug),
		},
		settings: settings,
		address:  &net.TCPAddr{},
		conns:    make(chan net.Conn),
		done:     make(chan struct{}),
	}
	if f.config.Protocol == lb.ListenerHTTPS {
		s.tls = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			_, l := f.state()
			return l.tls, nil
		}}
	}
	go func() { _ = s.Serve(listenerOf{s}) }() // it ends when the frontend closes it
	return s
}

// take hands a connection to the server.
func (s *httpServer) take(c net.Conn) {
	accepted := c
	if s.tls != nil {
		accepted = tls.Server(c, s.tls)
	}
	select {
	case s.conns <- accepted:
	case <-s.done:
		c.Close()
	}
}

// listenerOf is the server seen as the net.Listener that it serves.
type listenerOf struct{ *httpServer }

// Accept implements net.Listener.
func (l listenerOf) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l listenerOf) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l listenerOf) Addr() net.Addr { return l.address }
