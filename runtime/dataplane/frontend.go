package dataplane

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// backlogGrace is how long a socket that is about to be closed still accepts:
	// connections that the kernel has completed would be reset.
	backlogGrace = 5 * time.Millisecond
	// idleGrace is how long connections that drain may stay idle: those in use end
	// with their next response, which says so, and no request meets a closed one.
	idleGrace = 200 * time.Millisecond
	// acceptRetry is the wait after a failed accept, such as for want of descriptors.
	acceptRetry = 20 * time.Millisecond
)

// frontend is the live side of a listener: its accept loop and its connections. It
// belongs to one name, address, port and protocol.
type frontend struct {
	engine *Engine
	name   string
	key    string // see bindKey
	config *lb.Listener
	stats  *listenerStats
	// retired is the last state that had the listener, once it is gone.
	retired atomic.Pointer[state]
	// draining makes each response the last of its connection.
	draining atomic.Bool

	// Protected by Engine.mu.
	socket     *net.TCPListener
	bindErr    error
	retrying   bool
	retryAfter time.Duration

	mu       sync.Mutex // protects what follows
	changed  *sync.Cond // on mu; told of every change to what follows
	limit    int
	conns    map[*clientConn]struct{}
	stopping bool          // no new connections once accept has nothing at hand
	running  bool          // the accept loop
	servers  []*httpServer // the last one takes new connections; none for tcp
}

func (e *Engine) newFrontend(name string, l *listener) *frontend {
	f := &frontend{engine: e, name: name, key: bindKey(name, l.config), config: l.config, stats: l.stats, conns: map[*clientConn]struct{}{}}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// fits reports whether the frontend can go on under a new version of its listener.
func (f *frontend) fits(config *lb.Listener) bool {
	return f.key == bindKey(f.name, config) && f.config.Protocol == config.Protocol
}

// configure takes over the settings that hold for connections. The caller holds Engine.mu.
func (f *frontend) configure(config *lb.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.config = config
	if f.limit != config.Limits.MaxConnections {
		f.limit = config.Limits.MaxConnections
		f.changed.Broadcast()
	}
	if config.Protocol == lb.ListenerTCP {
		return
	}
	// Connections stay with the server that accepted them until they end.
	settings := httpSettingsOf(config)
	if n := len(f.servers); n == 0 || f.servers[n-1].settings != settings {
		f.servers = append(f.servers, newHTTPServer(f, settings))
	}
	f.dropUnused()
}

// dropUnused closes earlier servers whose connections have all ended. The caller
// holds mu.
func (f *frontend) dropUnused() {
	kept := f.servers[:0:0]
	for i, s := range f.servers {
		if i == len(f.servers)-1 || s.open > 0 {
			kept = append(kept, s)
		} else {
			go s.Close()
		}
	}
	f.servers = kept
}

// state is what a request runs under. Invariant: it has a listener of the frontend's
// name. Retired is looked at last and set first, so a current state that lacks the
// listener is never returned.
func (f *frontend) state() (*state, *listener) {
	st := f.engine.current.Load()
	if last := f.retired.Load(); last != nil {
		st = last
	}
	return st, st.listeners[f.name]
}

// startAccepting begins to take connections from a socket. The caller holds Engine.mu.
func (f *frontend) startAccepting(socket *net.TCPListener) {
	socket.SetDeadline(time.Time{})
	f.socket = socket
	f.mu.Lock()
	f.running = true
	f.mu.Unlock()
	go f.acceptLoop(socket)
}

// stopAccepting ends the accept loop; afterwards no connection is added. The socket
// is closed, or kept open for another frontend. The caller holds Engine.mu.
func (f *frontend) stopAccepting(keep bool) {
	f.mu.Lock()
	f.stopping = true
	f.changed.Broadcast()
	f.mu.Unlock()
	if f.socket == nil {
		return
	}
	if keep {
		f.socket.SetDeadline(time.Unix(1, 0))
	} else {
		f.socket.SetDeadline(time.Now().Add(backlogGrace))
	}
	f.mu.Lock()
	for f.running {
		f.changed.Wait()
	}
	f.mu.Unlock()
	if !keep {
		f.socket.Close()
	}
}

func (f *frontend) acceptLoop(socket *net.TCPListener) {
	failing := false
	for f.hasRoom() {
		conn, err := socket.Accept()
		if err == nil {
			failing = false
			f.serve(conn)
			continue
		}
		f.mu.Lock()
		stopping := f.stopping
		f.mu.Unlock()
		if stopping || errors.Is(err, net.ErrClosed) {
			break
		}
		if !failing {
			f.engine.log.Warn("listener can't accept connections", "listener", f.name, "error", err)
		}
		failing = true
		time.Sleep(acceptRetry)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running = false
	f.changed.Broadcast()
}

// hasRoom waits until there is room for a connection; false ends the accept loop.
func (f *frontend) hasRoom() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.conns) >= f.limit && !f.stopping {
		f.changed.Wait()
	}
	return len(f.conns) < f.limit
}

// serve takes a connection in and hands it to what speaks the protocol.
func (f *frontend) serve(conn net.Conn) {
	f.mu.Lock()
	c := &clientConn{pacedConn: pacedConn{Conn: conn}, frontend: f}
	if n := len(f.servers); n > 0 {
		c.server = f.servers[n-1]
		c.server.open++
		c.pace = c.server.settings.idle
	}
	f.conns[c] = struct{}{}
	f.stats.open.Add(1)
	f.mu.Unlock()
	if c.server != nil {
		c.server.take(c)
	} else {
		go f.relay(c)
	}
}

// drain waits until every connection has ended, or closes them when ctx ends; it
// returns how many it closed. The accept loop has ended before.
func (f *frontend) drain(ctx context.Context) int {
	f.draining.Store(true)
	f.mu.Lock()
	servers := f.servers
	f.mu.Unlock()
	defer context.AfterFunc(ctx, func() {
		f.mu.Lock() // or the wake-up could fall between the check and the wait below
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})()
	drained := make(chan struct{})
	defer close(drained)
	go closeIdle(servers, drained)

	f.mu.Lock()
	for len(f.conns) > 0 && ctx.Err() == nil {
		f.changed.Wait()
	}
	left := make([]*clientConn, 0, len(f.conns))
	for c := range f.conns {
		left = append(left, c)
	}
	f.mu.Unlock()
	for _, c := range left {
		c.Close()
	}
	for _, s := range servers {
		s.Close()
	}
	return len(left)
}

// closeIdle closes connections that are idle after a grace, until done. It does not
// use http.Server.Shutdown, which drops requests whose header is just arriving.
func closeIdle(servers []*httpServer, done <-chan struct{}) {
	ticker := time.NewTicker(idleGrace)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, s := range servers {
				s.SetKeepAlivesEnabled(false)
			}
		case <-done:
			return
		}
	}
}

// clientConn is a client's connection; it is counted until it is closed.
type clientConn struct {
	pacedConn
	frontend *frontend
	server   *httpServer // nil for tcp
	closed   atomic.Bool
}

// Close implements net.Conn.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) {
		f := c.frontend
		f.stats.open.Add(-1)
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.conns, c)
		if c.server != nil {
			c.server.open--
		}
		f.changed.Broadcast()
	}
	return err
}

// reset closes the connection so that the client sees a failure and not an end.
func (c *clientConn) reset() {
	c.Conn.(*net.TCPConn).SetLinger(0)
	c.Close()
}
