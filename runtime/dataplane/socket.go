package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	minBindRetry = 100 * time.Millisecond
	maxBindRetry = 10 * time.Second
)

// bindKey identifies a listener's socket: its address and port. Port 0, which lb
// does not admit but tests use, is a free port, of the listener's own.
func bindKey(name string, l *lb.Listener) string {
	key := fmt.Sprintf("%s port %d", l.Address, l.Port)
	if l.Port == 0 {
		key += " for " + name
	}
	return key
}

// listen binds a listener's socket.
func listen(l *lb.Listener) (*net.TCPListener, error) {
	address, err := netip.ParseAddr(l.Address)
	if err != nil {
		return nil, fmt.Errorf("bind %s: not an IP address", l.Address)
	}
	// "tcp" would take 0.0.0.0 for IPv6 too.
	network := "tcp"
	if address.Is4() {
		network = "tcp4"
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), network, l.BindAddress())
	if err != nil {
		// The cause alone: the address is said once.
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("bind %s: %w", l.BindAddress(), err)
	}
	return ln.(*net.TCPListener), nil
}

// Reserve binds the listener's socket ahead of Apply, so that a change whose address
// can't be bound is refused before it is recorded. The next Apply that has the
// listener takes the socket over; release, which may be called at any time and more
// than once, gives it back if none has.
//
// It is a no-op when the engine holds the socket already: for this listener, or for
// another one that the same change must then remove or move, since a valid
// configuration has no two listeners on one address and port. Where a socket of ours
// that overlaps is in the way (0.0.0.0 and 127.0.0.1 on one port), the bind can't be
// tried before that one goes: it is left to Apply.
//
// The error wraps the system's (syscall.EADDRINUSE, EACCES, EADDRNOTAVAIL) or is
// [ErrShutdown].
func (e *Engine) Reserve(name string, l *lb.Listener) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	nothing := func() {}
	if e.down {
		return nothing, ErrShutdown
	}
	key := bindKey(name, l)
	if e.holds(key) {
		return nothing, nil
	}
	socket, err := listen(l)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) && e.holdsPort(l.Port) {
			return nothing, nil
		}
		return nothing, err
	}
	e.spare[key] = socket
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.spare[key] == socket {
			delete(e.spare, key)
			socket.Close()
		}
	}, nil
}

func (e *Engine) holds(key string) bool {
	if e.spare[key] != nil {
		return true
	}
	for _, f := range e.frontends {
		if f.key == key && f.socket != nil {
			return true
		}
	}
	return false
}

func (e *Engine) holdsPort(port int) bool {
	isOn := func(s *net.TCPListener) bool { return s.Addr().(*net.TCPAddr).Port == port }
	for _, s := range e.spare {
		if isOn(s) {
			return true
		}
	}
	for _, f := range e.frontends {
		if f.socket != nil && isOn(f.socket) {
			return true
		}
	}
	return false
}

// bind gives a frontend its socket, or arranges to try again. The caller holds mu.
func (e *Engine) bind(f *frontend) {
	socket := e.spare[f.key]
	delete(e.spare, f.key)
	if socket == nil {
		var err error
		if socket, err = listen(f.config); err != nil {
			if f.bindErr == nil {
				e.log.Error("listener can't be bound; trying again", "listener", f.name, "error", err)
			}
			f.bindErr = err
			e.bindLater(f)
			return
		}
	}
	f.bindErr = nil
	f.startAccepting(socket)
	e.log.Info("listener accepts connections", "listener", f.name, "address", socket.Addr().String())
}

// bindLater tries again after a wait that doubles. The caller holds mu.
func (e *Engine) bindLater(f *frontend) {
	if f.retrying {
		return
	}
	f.retrying = true
	f.retryAfter = min(max(2*f.retryAfter, minBindRetry), maxBindRetry)
	time.AfterFunc(f.retryAfter, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		f.retrying = false
		// The frontend may be gone, or an Apply may have bound it since.
		if e.frontends[f.name] == f && f.socket == nil {
			e.bind(f)
		}
	})
}
