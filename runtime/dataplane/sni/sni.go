// Package sni finds out which server a TLS client asks for, without taking part in
// the handshake. The client's hello is read by crypto/tls itself, so what it means to
// us is what it means to a server made of it.
package sni

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// MaxBytes bounds what a client may send before its hello is complete: a hello with
// post-quantum key shares takes two kilobytes, the largest handshake message that TLS
// servers take is of this size.
const MaxBytes = 64 << 10

var (
	// ErrNotTLS says that the client does not speak TLS.
	ErrNotTLS = errors.New("client does not begin with a TLS hello")
	// ErrTooLarge says that the client's hello is larger than MaxBytes.
	ErrTooLarge = errors.New("client's TLS hello is too large")
)

// Hello is what a client asks for.
type Hello struct {
	// ServerName in lower case and without a trailing dot; empty when the client asks
	// for none. It is a DNS name: addresses are no names (RFC 6066 §3).
	ServerName string
	// ALPN lists the protocols that the client offers (RFC 7301).
	ALPN []string
}

// Peek reads a client's hello from conn until a deadline. It returns all that was
// read, which is to be handed to the server first.
func Peek(conn net.Conn, deadline time.Time) (Hello, []byte, error) {
	if err := conn.SetReadDeadline(deadline); err != nil {
		return Hello{}, nil, err
	}
	hello, read, err := from(conn)
	if err != nil {
		return Hello{}, nil, err
	}
	return hello, read, conn.SetReadDeadline(time.Time{})
}

// handshakeType is the first byte of a TLS record that carries a handshake (RFC 8446
// §5.1).
const handshakeType = 22

// errSeen ends the handshake once the hello has been seen.
var errSeen = errors.New("seen")

func from(r io.Reader) (hello Hello, read []byte, err error) {
	tap := &tap{from: r}
	seen := false
	err = tls.Server(tap, &tls.Config{
		MinVersion: tls.VersionTLS10, //nolint:gosec // the member decides what it speaks
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			hello = Hello{ServerName: canonical(h.ServerName), ALPN: h.SupportedProtos}
			seen = true
			return nil, errSeen
		},
	}).HandshakeContext(context.Background())
	switch {
	case seen:
		return hello, tap.read.Bytes(), nil
	case tap.err != nil && !errors.Is(tap.err, io.EOF):
		return Hello{}, nil, tap.err
	case tap.read.Len() == 0:
		return Hello{}, nil, io.ErrUnexpectedEOF
	}
	return Hello{}, nil, fmt.Errorf("%w: %w", ErrNotTLS, err)
}

func canonical(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if net.ParseIP(name) != nil {
		return ""
	}
	return name
}

// tap is the connection that crypto/tls sees: it keeps what is read and says nothing.
type tap struct {
	from io.Reader
	read bytes.Buffer
	err  error // why reading ended
}

// Read implements io.Reader.
func (t *tap) Read(p []byte) (int, error) {
	if t.read.Len() >= MaxBytes {
		t.err = ErrTooLarge
		return 0, t.err
	}
	n, err := t.from.Read(p[:min(len(p), MaxBytes-t.read.Len())])
	t.read.Write(p[:n])
	if t.read.Len() > 0 && t.read.Bytes()[0] != handshakeType {
		err = ErrNotTLS
	}
	if err != nil {
		t.err = err
	}
	return n, err
}

// Write implements io.Writer: alerts are the member's to send.
func (*tap) Write(p []byte) (int, error) { return len(p), nil }

func (*tap) Close() error                     { return nil }
func (*tap) LocalAddr() net.Addr              { return nil }
func (*tap) RemoteAddr() net.Addr             { return nil }
func (*tap) SetDeadline(time.Time) error      { return nil }
func (*tap) SetReadDeadline(time.Time) error  { return nil }
func (*tap) SetWriteDeadline(time.Time) error { return nil }
