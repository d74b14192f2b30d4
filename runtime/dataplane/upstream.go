package dataplane

import (
	"context"
	"net"
	"net/http"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// maxIdleConns bounds the idle connections kept to one member.
	maxIdleConns = 1024
	// maxResponseHeaderBytes bounds what a member may make us hold.
	maxResponseHeaderBytes = 256 << 10
	// continueTimeout is how long a member may think about Expect: 100-continue
	// before the body is sent anyway (RFC 9110 §10.1.1).
	continueTimeout = time.Second
)

// newTransport returns the connection pool to one member. There is one for each
// member and not one for the whole pool, so that the idle connections of a removed
// member can be closed alone.
func newTransport(t lb.PoolTimeouts) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer(t).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &pacedConn{conn, t.Response.Std()}, nil
		},
		Protocols:              protocols,
		DisableCompression:     true, // bodies pass as they are
		MaxIdleConnsPerHost:    maxIdleConns,
		IdleConnTimeout:        t.Idle.Std(),
		ResponseHeaderTimeout:  t.Response.Std(),
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxResponseHeaderBytes,
	}
}

// dialer connects to members. It keeps TCP keep-alive on, as listeners do: that
// ends connections whose other side is gone, also those that may be silent.
func dialer(t lb.PoolTimeouts) *net.Dialer { return &net.Dialer{Timeout: t.Connect.Std()} }

// pacedConn gives each write a time to be taken by the other side, so that one
// that stops reading does not hold a request forever.
type pacedConn struct {
	net.Conn
	pace time.Duration // 0: no bound
}

func (c *pacedConn) Write(b []byte) (int, error) {
	if c.pace > 0 {
		c.SetWriteDeadline(time.Now().Add(c.pace))
	}
	return c.Conn.Write(b)
}

// CloseWrite ends our half of the connection.
func (c *pacedConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }
