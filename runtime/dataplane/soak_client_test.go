//go:build linux

package dataplane_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/http2"
)

// soakRequest is one request and what its answer is to be.
type soakRequest struct {
	method, pool           string
	seed                   uint64
	up, down               int64
	upChunked, downChunked bool
	id                     string
	began                  time.Time
}

// soakSizes are those of bodies; those that are there more often are more often.
var soakSizes = []int64{0, 1, 100, 100, 1000, 1000, 4 << 10, 16 << 10, 40 << 10, 100 << 10}

// String tells the request apart.
func (q *soakRequest) String() string {
	return fmt.Sprintf("%s %s, %d bytes up (chunked %t, seed %d), %d down (chunked %t)", q.method, q.pool, q.up, q.upChunked, q.seed, q.down, q.downChunked)
}

// newSoakRequest makes a request up. Few bodies are large, or little else would happen.
func newSoakRequest(r *rand.Rand, pool string) *soakRequest {
	q := &soakRequest{
		method: "GET", pool: pool, seed: uint64(r.Uint32()), down: soakSizes[r.IntN(len(soakSizes))],
		downChunked: r.IntN(3) == 0, id: fmt.Sprintf("%016x", r.Uint64()), began: time.Now(),
	}
	switch n := r.IntN(100); {
	case n < 10:
		q.method = "HEAD"
	case n < 40:
		q.method, q.up, q.upChunked = "POST", soakSizes[r.IntN(len(soakSizes))], r.IntN(3) == 0
	case n < 43:
		q.method, q.up, q.upChunked = "PUT", 1<<20, n == 40
	case n < 46:
		q.down = 1<<20 + r.Int64N(4<<20)
	}
	return q
}

// http returns the request as the library has it; base is such as http://127.0.0.1:80.
func (q *soakRequest) http(base string) *http.Request {
	chunked := ""
	if q.downChunked {
		chunked = "&chunked=1"
	}
	target := fmt.Sprintf("%s/%s?seed=%d&up=%d&down=%d%s", base, q.pool, q.seed, q.up, q.down, chunked)
	r, err := http.NewRequest(q.method, target, nil)
	if err != nil {
		panic(err) // made of numbers and constants
	}
	r.Header.Set("X-Request-Id", q.id)
	if q.up > 0 || q.upChunked {
		r.Body, r.ContentLength = io.NopCloser(&soakReader{content: soakContent{q.seed, q.up}}), q.up
		if q.upChunked {
			r.ContentLength = -1
		}
		if q.seed%8 == 0 && q.up > 1000 {
			r.Header.Set("Expect", "100-continue") // and it does not wait (RFC 9110 §10.1.1)
		}
	}
	return r
}

// soakRefused is an answer other than the member's.
type soakRefused struct {
	status int
	text   string
}

// Error implements error.
func (s soakRefused) Error() string { return fmt.Sprintf("status %d %q", s.status, s.text) }

// check reads an answer.
func (q *soakRequest) check(resp *http.Response) error {
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		text, _ := io.ReadAll(resp.Body)
		return soakRefused{resp.StatusCode, string(text)}
	}
	if got := resp.Header.Get("X-Seed"); got != strconv.FormatUint(q.seed, 10) {
		return fmt.Errorf("%w: the answer is to another request, with seed %s", errSoakCorrupt, got)
	}
	if q.method == "HEAD" {
		return (soakContent{}).check(resp.Body)
	}
	return (soakContent{q.seed + 1, q.down}).check(resp.Body)
}

// soakConn is a client's connection over HTTP/1.1. Unlike the library's it never sends
// anything twice.
type soakConn struct {
	net.Conn
	r    *bufio.Reader
	last *soakRequest // the one before that was answered, nil at first
}

// soakDial opens a connection, over TLS unless config is nil.
func soakDial(address string, config *tls.Config) (*soakConn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	if config != nil {
		conn = tls.Client(conn, config)
	}
	return &soakConn{Conn: conn, r: bufio.NewReader(conn)}, nil
}

// do makes requests one after the other, all of them sent before the first answer is
// read. It stops at the first failure; done are those that were answered in full.
func (c *soakConn) do(base string, last bool, requests ...*soakRequest) (done int, err error) {
	c.SetDeadline(time.Now().Add(3 * patience))
	w := bufio.NewWriter(c)
	var sending error
	for i, q := range requests {
		r := q.http(base)
		r.Close = last && i == len(requests)-1
		if sending = r.Write(w); sending != nil {
			break
		}
	}
	if sending == nil {
		sending = w.Flush()
	}
	// Who can't send may still be told why.
	for i, q := range requests {
		resp, err := http.ReadResponse(c.r, &http.Request{Method: q.method})
		for err == nil && resp.StatusCode == http.StatusContinue {
			resp, err = http.ReadResponse(c.r, &http.Request{Method: q.method})
		}
		if err != nil {
			return i, errors.Join(sending, err)
		}
		if err := q.check(resp); err != nil {
			return i, fmt.Errorf("%w (behind %v)", err, c.last)
		}
		c.last = q
		if resp.Close != (last && i == len(requests)-1) {
			return i, errors.New("the connection is closed unasked, or not although asked for")
		}
	}
	return len(requests), nil
}

// converse sends a content over a connection that echoes it, and ends its half.
func (c *soakConn) converse(content soakContent) error {
	c.SetDeadline(time.Now().Add(3 * patience))
	sent := make(chan error, 1)
	go func() {
		err := content.send(c.Conn)
		if err == nil {
			err = c.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}
		sent <- err
	}()
	err := content.check(c.r)
	if err != nil {
		c.Close()
	}
	return errors.Join(err, <-sent)
}

// upgrade asks for a WebSocket.
func (c *soakConn) upgrade(host, pool string) error {
	c.SetDeadline(time.Now().Add(3 * patience))
	_, err := fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", pool, host)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != 101 {
		return soakRefused{status: resp.StatusCode}
	}
	return nil
}

// soakDialHTTP2 opens one connection over HTTP/2. Requests on it are never sent twice,
// nor over another one.
func soakDialHTTP2(address string, config *tls.Config) (*http2.ClientConn, net.Conn, error) {
	config = config.Clone()
	config.NextProtos = []string{http2.NextProtoTLS}
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, nil, err
	}
	c, err := new(http2.Transport).NewClientConn(conn)
	if err != nil {
		conn.Close()
	}
	return c, conn, err
}

// doHTTP2 makes one request.
func (q *soakRequest) doHTTP2(c *http2.ClientConn, base string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	resp, err := c.RoundTrip(q.http(base).WithContext(ctx))
	if err != nil {
		return err
	}
	return q.check(resp)
}
