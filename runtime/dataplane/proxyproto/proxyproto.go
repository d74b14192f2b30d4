// Package proxyproto speaks the PROXY protocol, by which a proxy tells who the client
// of a connection is (haproxy.org, proxy-protocol.txt). Headers themselves are read
// and written by github.com/pires/go-proxyproto; this package bounds them and knows
// where they end.
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

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// maxV1 is the longest header of version 1 (§2.1), with its CRLF.
	maxV1 = 107
	// v2Fixed precedes the addresses of version 2 (§2.2).
	v2Fixed = 16
	// MaxBytes bounds a header of version 2: its addresses and TLVs could take 64 KiB.
	MaxBytes = 4 << 10
)

var (
	// ErrIncomplete says that more must be read.
	ErrIncomplete = errors.New("proxy header is not complete")
	// ErrMalformed says that the connection does not begin with a header.
	ErrMalformed = errors.New("connection does not begin with a valid PROXY header")
)

var (
	v1Prefix = []byte("PROXY ")
	v2Prefix = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Header is what a proxy said.
type Header struct {
	// Proxied is false when the proxy speaks for itself (LOCAL) or does not know
	// (UNKNOWN): then the addresses of the connection count.
	Proxied bool
	// Client is where the client is, Local the address that it connected to.
	Client, Local netip.AddrPort
}

// Parse reads the header that b begins with and returns its length.
func Parse(b []byte) (h Header, n int, err error) {
	n, err = length(b)
	if err != nil {
		return Header{}, 0, err
	}
	parsed, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(b[:n]), n))
	if err != nil {
		return Header{}, 0, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if parsed.Command.IsLocal() || parsed.TransportProtocol == proxyproto.UNSPEC {
		return Header{}, n, nil
	}
	client, ok1 := parsed.SourceAddr.(*net.TCPAddr)
	local, ok2 := parsed.DestinationAddr.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return Header{}, 0, fmt.Errorf("%w: not a TCP connection", ErrMalformed)
	}
	return Header{Proxied: true, Client: unmapped(client), Local: unmapped(local)}, n, nil
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// length is that of the header in b.
func length(b []byte) (int, error) {
	switch {
	case begins(b, v1Prefix):
		end := bytes.Index(b[:min(len(b), maxV1)], []byte("\r\n"))
		if end >= 0 {
			return end + 2, nil
		}
		if len(b) >= maxV1 || bytes.IndexByte(b, '\n') >= 0 {
			return 0, ErrMalformed
		}
		return 0, ErrIncomplete
	case begins(b, v2Prefix):
		if len(b) < v2Fixed {
			return 0, ErrIncomplete
		}
		n := v2Fixed + int(binary.BigEndian.Uint16(b[14:]))
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

// begins reports whether b begins with prefix, as far as it goes.
func begins(b, prefix []byte) bool {
	n := min(len(b), len(prefix))
	return bytes.Equal(b[:n], prefix[:n])
}

// Append appends the header that tells a member who the client is. Version is v1 or v2.
func Append(dst []byte, version lb.ProxyProtocol, client, local netip.AddrPort) []byte {
	// Both ends must be of one family.
	if client.Addr().Is4() != local.Addr().Is4() {
		client = netip.AddrPortFrom(netip.AddrFrom16(client.Addr().As16()), client.Port())
		local = netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), local.Port())
	}
	transport := proxyproto.TCPv4
	if !client.Addr().Is4() {
		transport = proxyproto.TCPv6
	}
	return appendHeader(dst, version, &proxyproto.Header{
		Command: proxyproto.PROXY, TransportProtocol: transport,
		SourceAddr: net.TCPAddrFromAddrPort(client), DestinationAddr: net.TCPAddrFromAddrPort(local),
	})
}

// AppendLocal appends the header of a connection of our own, such as a health check.
func AppendLocal(dst []byte, version lb.ProxyProtocol) []byte {
	if version == lb.ProxyV1 {
		return append(dst, "PROXY UNKNOWN\r\n"...)
	}
	return appendHeader(dst, version, &proxyproto.Header{Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC})
}

func appendHeader(dst []byte, version lb.ProxyProtocol, h *proxyproto.Header) []byte {
	h.Version = 2
	if version == lb.ProxyV1 {
		h.Version = 1
	}
	b, err := h.Format()
	if err != nil {
		return dst // addresses of TCP always have a form
	}
	return append(dst, b...)
}
