package sni

import (
	"encoding/binary"
	"net/netip"
)

const (
	randomBytes = 32

	extensionServerName = 0
	extensionALPN       = 16

	nameTypeHost = 0
)

// parseHello parses the body of a ClientHello (RFC 8446 §4.1.2; RFC 5246 §7.4.1.2).
func parseHello(body []byte) (Hello, error) {
	b := cursor{rest: body}
	b.take(2 + randomBytes) // the legacy version comes first
	session, suites, compression := b.vector8(), b.vector16(), b.vector8()
	if b.bad || len(session) > 32 || len(suites) == 0 || len(suites)%2 != 0 || len(compression) == 0 {
		return Hello{}, ErrMalformed
	}
	if len(b.rest) == 0 {
		return Hello{}, nil // before TLS 1.3 extensions may be missing
	}
	extensions := cursor{rest: b.vector16()}
	if !b.done() {
		return Hello{}, ErrMalformed
	}
	var hello Hello
	var named, offered bool
	for len(extensions.rest) > 0 {
		kind, data := extensions.uint16(), extensions.vector16()
		if extensions.bad {
			return Hello{}, ErrMalformed
		}
		// Either twice would let us and the member read different ones.
		var err error
		switch kind {
		case extensionServerName:
			if named {
				return Hello{}, ErrMalformed
			}
			named = true
			hello.ServerName, err = parseServerName(data)
		case extensionALPN:
			if offered {
				return Hello{}, ErrMalformed
			}
			offered = true
			hello.ALPN, err = parseALPN(data)
		}
		if err != nil {
			return Hello{}, err
		}
	}
	return hello, nil
}

// parseServerName parses a list of names, at most one of each type (RFC 6066 §3). Those
// that are not hosts', of which there are none to this day, are passed over.
func parseServerName(data []byte) (string, error) {
	b := cursor{rest: data}
	names := cursor{rest: b.vector16()}
	if !b.done() || len(names.rest) == 0 {
		return "", ErrMalformed
	}
	host := ""
	for len(names.rest) > 0 {
		kind, name := names.uint8(), names.vector16()
		if names.bad || len(name) == 0 || kind == nameTypeHost && host != "" {
			return "", ErrMalformed
		}
		if kind != nameTypeHost {
			continue
		}
		var ok bool
		if host, ok = dnsName(name); !ok {
			return "", ErrBadName
		}
	}
	return host, nil
}

// parseALPN parses a list of protocol names (RFC 7301 §3.1).
func parseALPN(data []byte) ([]string, error) {
	b := cursor{rest: data}
	names := cursor{rest: b.vector16()}
	if !b.done() {
		return nil, ErrMalformed
	}
	var protocols []string
	for len(names.rest) > 0 {
		name := names.vector8()
		if names.bad || len(name) == 0 {
			return nil, ErrMalformed
		}
		protocols = append(protocols, string(name))
	}
	if protocols == nil {
		return nil, ErrMalformed
	}
	return protocols, nil
}

// dnsName returns a host name in lower case, if it is one: labels of letters, digits,
// hyphens that are not at an edge, and underscores, which DNS does not forbid.
func dnsName(name []byte) (string, bool) {
	const maxName, maxLabel = 253, 63
	if len(name) > maxName {
		return "", false
	}
	var buf [maxName]byte
	label := 0 // where the current one begins
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
		first := i == label
		last := i+1 == len(name) || name[i+1] == '.'
		switch {
		case c == '.' && !first && i+1 < len(name):
			label = i + 1
		case c == '-' && !first && !last, c == '_', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			if i-label >= maxLabel {
				return "", false
			}
		default:
			return "", false
		}
	}
	host := string(buf[:len(name)])
	if _, err := netip.ParseAddr(host); err == nil {
		return "", false
	}
	return host, true
}

// cursor reads values from the front of a slice. Once something is missing it is bad
// and yields zeros and nils.
type cursor struct {
	rest []byte
	bad  bool
}

// done reports whether everything was there and nothing is left.
func (c *cursor) done() bool { return !c.bad && len(c.rest) == 0 }

func (c *cursor) take(n int) []byte {
	if c.bad || len(c.rest) < n {
		c.rest, c.bad = nil, true
		return nil
	}
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) uint8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// vector8 reads bytes that are preceded by their number in one byte.
func (c *cursor) vector8() []byte { return c.take(int(c.uint8())) }

// vector16 reads bytes that are preceded by their number in two bytes.
func (c *cursor) vector16() []byte { return c.take(int(c.uint16())) }
