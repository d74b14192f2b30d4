package dataplane

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/limit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/tlsconfig"
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
	// tls asks for the configuration of each handshake; nil unless https.
	tls *tls.Config
	// perClient counts connections by client address.
	perClient *limit.Connections
	// retired is the last state that had the listener, once it is gone.
	retired atomic.Pointer[state]
	// draining makes each response the last of its connection.
	draining atomic.Bool
	http2    http2Servers

	// Protected by Engine.mu.
	socket     *net.TCPListener
	bindErr    error
	retrying   bool
	retryAfter time.Duration

	mu       sync.Mutex // protects what follows
	changed  *sync.Cond // on mu; told of every change to what follows
	limit    int
	conns    map[*clientConn]struct{}
	stopping bool // no new connections once accept has nothing at hand
	running  bool // the accept loop
}

func (e *Engine) newFrontend(name string, l *listener) *frontend {
	f := &frontend{
		engine: e, name: name, key: bindKey(name, l.config), config: l.config, stats: l.live.stats,
		perClient: limit.NewConnections(), conns: map[*clientConn]struct{}{},
	}
	f.changed = sync.NewCond(&f.mu)
	if l.config.Protocol == lb.ListenerHTTPS {
		f.tls = tlsconfig.Latest(func() *tls.Config {
			_, l := f.state()
			return l.tls
		})
	}
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
		conn, err := socket.AcceptTCP()
		if err == nil {
			failing = false
			f.accept(conn)
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

// accept takes a connection in and begins to serve it.
func (f *frontend) accept(conn *net.TCPConn) {
	raw, err := f.engine.poller.Wrap(conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	c := &clientConn{front: f, raw: raw}
	f.mu.Lock()
	f.conns[c] = struct{}{}
	f.mu.Unlock()
	f.stats.open.Add(1)
	f.stats.accepted.Add(1)
	go c.run()
}

// remove forgets a connection that has ended.
func (f *frontend) remove(c *clientConn) {
	f.stats.open.Add(-1)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	f.changed.Broadcast()
}

// drain waits until every connection has ended, or closes them when ctx ends; it
// returns how many it closed. The accept loop has ended before.
func (f *frontend) drain(ctx context.Context) int {
	f.draining.Store(true)
	f.http2.shutDown()
	defer context.AfterFunc(ctx, func() {
		f.mu.Lock() // or the wake-up could fall between the check and the wait below
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})()
	drained := make(chan struct{})
	defer close(drained)
	go f.closeIdle(drained)

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
		c.raw.Abort()
	}
	return len(left)
}

// closeIdle closes connections that are idle after a grace, until done.
func (f *frontend) closeIdle(done <-chan struct{}) {
	ticker := time.NewTicker(idleGrace)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.mu.Lock()
			conns := make([]*clientConn, 0, len(f.conns))
			for c := range f.conns {
				conns = append(conns, c)
			}
			f.mu.Unlock()
			for _, c := range conns {
				c.leave()
			}
		case <-done:
			return
		}
	}
}
