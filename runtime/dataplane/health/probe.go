package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// maxCauseBytes bounds the text of a failure: parts of it may be the member's.
	maxCauseBytes = 256
	// partingTime is how long a member may take to end its side of a connection.
	partingTime = 100 * time.Millisecond

	userAgent = "auditlb-health/1"
)

var (
	errTimeout = errors.New("timed out")
	errClosed  = errors.New("closed the connection without an answer")
)

// dialer leaves out TCP keep-alive: connections don't live long enough.
var dialer = net.Dialer{KeepAlive: -1}

// PROXY protocol headers for connections that are nobody's but ours.
var proxyHeaders = map[lb.ProxyProtocol][]byte{
	lb.ProxyV1: []byte("PROXY UNKNOWN\r\n"),
	// Signature, version 2 and LOCAL, no address family, no bytes to follow.
	lb.ProxyV2: []byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"),
}

// probe returns why the member did not pass, or nil.
func probe(ctx context.Context, w *Watch) error {
	err := w.connect(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
		return fmt.Errorf("%w after %s", errTimeout, w.target.Check.Timeout)
	case len(err.Error()) > maxCauseBytes:
		return errors.New(err.Error()[:maxCauseBytes] + "…")
	}
	return err
}

// connect opens a connection, has the member examined over it and closes it.
func (w *Watch) connect(ctx context.Context) error {
	conn, err := dialer.DialContext(ctx, "tcp", w.target.Address)
	if err != nil {
		return err
	}
	// One timer, that of ctx, holds for all that follows.
	over := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	parted, err := w.examine(conn)
	over()
	if !parted {
		// The side that ends a connection first keeps it for minutes (TIME_WAIT, RFC 9293
		// §3.6); thousands of probes a second would add up. There is nothing left that
		// has to arrive, so a reset ends it for both sides at once.
		conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
	return err
}

// examine does over a connection what the check asks for. Parted says that the
// member has ended its side.
func (w *Watch) examine(conn net.Conn) (parted bool, err error) {
	if header := proxyHeaders[w.target.ProxyProtocol]; header != nil {
		if _, err := conn.Write(header); err != nil {
			return false, err
		}
	}
	protocol := w.target.protocol()
	if w.target.TLS != nil {
		secure := tls.Client(conn, w.target.TLS)
		if err := secure.Handshake(); err != nil {
			return false, err
		}
		if got := secure.ConnectionState().NegotiatedProtocol; protocol == lb.ALPNHTTP2 && got != protocol {
			return false, errors.New("does not offer HTTP/2 over TLS")
		}
		conn = secure
	}
	switch {
	case w.target.Check.Type == lb.HealthTCP:
		return false, nil
	case w.target.Check.Type == lb.HealthGRPC:
		return false, w.askGRPC(conn)
	case protocol == lb.ALPNHTTP2:
		return false, w.askHTTP2(conn)
	}
	return w.askHTTP1(conn)
}

// judge holds the status of an answer to those expected. Redirects are not followed:
// where they lead says nothing about the member.
func (w *Watch) judge(status int) error {
	for _, r := range w.statuses {
		if r.Contains(status) {
			return nil
		}
	}
	return fmt.Errorf("answered status %d", status)
}

// host is what requests are for.
func (w *Watch) host() string {
	if h := w.target.Check.Host; h != "" {
		return h
	}
	return w.target.Address
}
