package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// exchangeTimeout bounds a connection's set-up, and a request with its response.
const exchangeTimeout = 10 * time.Second

// target is a server to connect to.
type target struct {
	address string
	tls     *tls.Config // nil without TLS
	request []byte
}

// newTarget prepares requests for a URL; config is used if its scheme is https.
// Clients share nothing but this: no session is resumed.
func newTarget(rawURL string, config *tls.Config, header string) (*target, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, err
	}
	t := &target{
		address: u.Host,
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", u.RequestURI(), u.Host, header),
	}
	if u.Scheme == "https" {
		t.tls = config.Clone()
		t.tls.ServerName = u.Hostname()
	}
	return t, nil
}

// dial connects, with a full handshake over TLS.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", t.address)
	if err != nil || t.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, t.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", t.address, err)
	}
	return secure, nil
}

// exchange sends the request and reads the whole response. It tells whether the
// server keeps the connection.
func (t *target) exchange(conn net.Conn, in *bufio.Reader) (kept bool, err error) {
	if err := conn.SetDeadline(time.Now().Add(exchangeTimeout)); err != nil {
		return false, err
	}
	if _, err := conn.Write(t.request); err != nil {
		return false, err
	}
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return false, err
	}
	if response.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s answered %s", t.address, response.Status)
	}
	return !response.Close, nil
}
