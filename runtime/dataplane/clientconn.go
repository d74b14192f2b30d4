package dataplane

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/rawconn"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// What a client's connection is doing, as far as draining is concerned.
const (
	busyServing int32 = iota // or about to
	busyWaiting              // for a request
	busyLeaving              // it was closed while it waited
)

// clientConn is a client's connection; it is counted until it is closed.
type clientConn struct {
	front *frontend
	raw   *rawconn.Conn
	// client is where the client is: the peer, or who a trusted peer's PROXY header
	// says. Local is the address that the client connected to.
	client, local netip.AddrPort
	peer          netip.AddrPort
	secure        bool // TLS

	busy   atomic.Int32
	broken atomic.Bool // closed so that the client sees a failure
	closed atomic.Bool
	// counted is set while the connection counts for its client's address.
	counted bool
}

// run serves a connection that was accepted.
func (c *clientConn) run() {
	st, l := c.front.state()
	if !c.admit(l) {
		c.reset()
		return
	}
	switch l.config.Protocol {
	case lb.ListenerHTTP:
		c.serveHTTP1(nil)
	case lb.ListenerHTTPS:
		c.serveTLS(l)
	case lb.ListenerTLSPassthrough:
		c.passThrough(st, l)
	default:
		c.relayTo(st, l, l.config.DefaultPool, nil)
	}
}

// admit looks at where the connection comes from; false refuses it.
func (c *clientConn) admit(l *listener) bool {
	c.client, c.peer = addrPort(c.raw.RemoteAddr()), addrPort(c.raw.RemoteAddr())
	c.local = addrPort(c.raw.LocalAddr())
	c.raw.SetWriteTimeout(l.config.Timeouts.Idle.Std())
	if l.config.ProxyProtocol {
		if !l.trusts(c.peer.Addr()) {
			c.decide(l, CauseDenied, "peer is not a trusted proxy")
			return false
		}
		if err := c.readProxyHeader(l.config.Timeouts.RequestHeader.Std()); err != nil {
			c.decide(l, CauseBadRequest, err.Error())
			return false
		}
	}
	// From a trusted proxy, each request says who the client is.
	if l.allowed != nil && !l.allowed.contains(c.client.Addr()) && !l.trusts(c.client.Addr()) {
		c.decide(l, CauseDenied, "address is not allowed")
		return false
	}
	if most := l.config.Limits.MaxConnectionsPerClient; most > 0 {
		if !c.front.perClient.Acquire(c.client.Addr(), most) {
			c.decide(l, CauseLimit, "connections of the client")
			return false
		}
		c.counted = true
	}
	if l.config.Limits.RequestRate > 0 && (l.config.Protocol == lb.ListenerTCP || l.config.Protocol == lb.ListenerTLSPassthrough) {
		if ok, _ := l.live.rates.Allow(c.client.Addr(), l.rate, time.Now()); !ok {
			c.decide(l, CauseLimit, "connection rate of the client")
			return false
		}
	}
	return true
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// serveTLS does the handshake of an https listener and serves what was agreed on.
func (c *clientConn) serveTLS(l *listener) {
	c.secure = true
	secured := tls.Server(c.raw, c.front.tls)
	c.raw.SetReadTimeout(l.config.Timeouts.RequestHeader.Std())
	// One time for the whole handshake, however it is cut into pieces.
	if c.raw.SetDeadline(time.Now().Add(l.config.Timeouts.RequestHeader.Std())) != nil {
		c.close()
		return
	}
	if err := secured.HandshakeContext(c.front.engine.ending); err != nil {
		c.front.engine.log.Debug("tls handshake failed", "listener", c.front.name, "client", c.client.Addr(), "error", err)
		c.close()
		return
	}
	if c.raw.SetDeadline(time.Time{}) != nil {
		c.close()
		return
	}
	agreed := secured.ConnectionState()
	if name := agreed.ServerName; name != "" && !l.certified(name) {
		c.decide(l, CauseDefaultCertificate, name)
	}
	if agreed.NegotiatedProtocol == lb.ALPNHTTP2 {
		c.raw.SetReadTimeout(0)
		c.serveHTTP2(secured)
		return
	}
	c.serveHTTP1(secured)
}

// decide leaves the record of a decision about a connection.
func (c *clientConn) decide(l *listener, cause Cause, detail string) {
	e := c.front.engine
	e.metrics.decided(cause)
	if rec := e.options.Recorder; rec != nil {
		rec.Decision(&Record{
			Time: time.Now(), Revision: e.current.Load().revision, Cause: cause, Listener: c.front.name,
			Client: c.client.Addr(), Pool: l.config.DefaultPool, Detail: []byte(detail),
		})
	}
}

// leave closes the connection if it waits for a request.
func (c *clientConn) leave() {
	if c.busy.CompareAndSwap(busyWaiting, busyLeaving) {
		_ = c.raw.Close()
	}
}

// close ends the connection and is called by whoever serves it.
func (c *clientConn) close() {
	_ = c.raw.Close()
	if c.closed.CompareAndSwap(false, true) {
		if c.counted {
			c.front.perClient.Release(c.client.Addr())
		}
		c.front.remove(c)
	}
}

// reset closes the connection so that the client sees a failure and not an end.
func (c *clientConn) reset() {
	c.broken.Store(true)
	c.raw.Failing()
	c.close()
}
