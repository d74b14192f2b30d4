// Package proxyproto speaks the PROXY protocol, by which a proxy tells who the client
// of a connection is (haproxy.org, proxy-protocol.txt; § are its sections). Headers
// are parsed by github.com/pires/go-proxyproto; this package bounds them, knows where
// they end and writes them.
package proxyproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

const (
	// MaxBytes bounds a header with all its TLVs; version 2 would allow 64 KiB.
	MaxBytes = 4 << 10

	// maxV1 is the longest header of version 1 with its CRLF (§2.1).
	maxV1 = 107
	// fixedV2 is what precedes the addresses in version 2 (§2.2).
	fixedV2 = 16
)

var (
	// ErrIncomplete asks for more bytes.
	ErrIncomplete = errors.New("proxy header is incomplete")
	// ErrMalformed says that a connection does not begin with a header, or with one
	// that is not of a TCP connection, or too large.
	ErrMalformed = errors.New("connection does not begin with a valid proxy header")
)

const (
	prefixV1 = "PROXY "
	prefixV2 = "\r\n\r\n\x00\r\nQUIT\n"
)

// Header is what a proxy said.
type Header struct {
	// Proxied is false when the proxy speaks for itself (LOCAL) or does not know
	// (UNKNOWN). Then the addresses of the connection are the ones to go by.
	Proxied bool
	// Client is the client's address, Local the one that it connected to. IPv4
	// addresses are never mapped into IPv6.
	Client, Local netip.AddrPort
}

// Parse reads the header that b begins with, of either version, and returns its
// length. TLVs are passed over. The error is [ErrIncomplete] as long as b may become a
// header, which takes at most [MaxBytes], else it wraps [ErrMalformed].
func Parse(b []byte) (h Header, n int, err error) {
	n, err = length(b)
	if err != nil {
		return Header{}, 0, err
	}
	parsed, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b[:n]), n))
	if err != nil {
		return Header{}, 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if parsed.Command.IsLocal() {
		return Header{}, n, nil
	}
	client, local, ok := parsed.TCPAddrs()
	if !ok {
		return Header{}, 0, fmt.Errorf("%w: not a TCP connection", ErrMalformed)
	}
	return Header{Proxied: true, Client: unmapped(client), Local: unmapped(local)}, n, nil
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// length finds the end of the header in b.
func length(b []byte) (int, error) {
	switch {
	case mayBegin(b, prefixV1):
		line := b[:min(len(b), maxV1)]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return end + 1, nil // the parser sees to the CR
		}
		if len(line) == maxV1 {
			return 0, fmt.Errorf("%w: no end in %d bytes", ErrMalformed, maxV1)
		}
		return 0, ErrIncomplete
	case mayBegin(b, prefixV2):
		if len(b) < fixedV2 {
			return 0, ErrIncomplete
		}
		n := fixedV2 + int(binary.BigEndian.Uint16(b[fixedV2-2:]))
		if n > MaxBytes {
			return 0, fmt.Errorf("%w: %d bytes are too many", ErrMalformed, n)
		}
		if len(b) < n {
			return 0, ErrIncomplete
		}
		return n, nil
	}
	return 0, ErrMalformed
}

// mayBegin reports whether b begins with prefix, as far as it goes.
func mayBegin(b []byte, prefix string) bool {
	n := min(len(b), len(prefix))
	return string(b[:n]) == prefix[:n]
}
