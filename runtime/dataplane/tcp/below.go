package tcp

import (
	"net"
	"syscall"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
)

// raw returns the socket that carries a connection's very bytes, or nil.
func raw(c net.Conn) syscall.RawConn {
	if below, ok := c.(interface{ TCP() *net.TCPConn }); ok {
		c = below.TCP()
	}
	socket, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	conn, err := socket.SyscallConn()
	if err != nil {
		return nil // it is closed; reading it says so
	}
	return conn
}

// underTLS returns the connection that TLS runs over, or c itself without TLS.
func underTLS(c net.Conn) net.Conn {
	if layer, ok := c.(interface{ NetConn() net.Conn }); ok {
		return layer.NetConn()
	}
	return c
}

// abort closes a connection with a reset, so that its peer sees a failure. TLS would
// announce an orderly end, so what is under it is closed first.
func abort(c net.Conn) {
	c = underTLS(c)
	if tcp, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // fails when it is closed already
	} else if below, ok := c.(interface{ TCP() *net.TCPConn }); ok {
		_ = below.TCP().SetLinger(0)
	}
	c.Close()
}

// untilGone waits until a connection whose peer has ended its half is reset or
// closed, which nobody else would notice. Where it can't, it returns nil at once: then
// it is noticed when something is written to it, or by the idle timeout.
func untilGone(c net.Conn) error {
	socket := raw(underTLS(c))
	if socket == nil || !splice.Supported() {
		return nil
	}
	var reset error
	closed := socket.Read(func(uintptr) bool {
		reset = splice.Failed(socket)
		return reset != nil
	})
	if closed != nil {
		return closed
	}
	return reset
}
