package route

import (
	"bytes"
	"strings"
)

// maxHostLength is more than a name may have (RFC 1035 §2.3.4), in bytes.
const maxHostLength = 256

// canonicalHost returns a Host without port, IPv6 brackets and trailing dot, in lower
// case, written to buf. Of a longer one it returns the end, and false.
func canonicalHost(buf *[maxHostLength]byte, host []byte) (canonical []byte, whole bool) {
	host = bareHost(host)
	whole = len(host) <= maxHostLength
	if !whole {
		host = host[len(host)-maxHostLength:]
	}
	for i, c := range host {
		buf[i] = lower(c)
	}
	return buf[:len(host)], whole
}

// configuredHost returns a host pattern in the form that requests are compared in:
// without "*." if it is a wildcard.
func configuredHost(pattern string) (host string, wildcard bool) {
	host, wildcard = strings.CutPrefix(pattern, "*.")
	return strings.ToLower(string(bareHost([]byte(host)))), wildcard
}

func bareHost(host []byte) []byte {
	host, _ = cutPort(host)
	if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return bytes.TrimSuffix(host, []byte("."))
}

// cutPort takes the port off a Host (RFC 9110 §7.2), which is nil when there is none.
// The host keeps the brackets of an IPv6 address.
func cutPort(hostPort []byte) (host, port []byte) {
	end := 0 // of the brackets
	if len(hostPort) > 0 && hostPort[0] == '[' {
		end = bytes.IndexByte(hostPort, ']') + 1
		if end == 0 || end < len(hostPort) && hostPort[end] != ':' {
			return hostPort, nil
		}
	}
	host, port, found := bytes.Cut(hostPort[end:], []byte(":"))
	if !found || bytes.IndexByte(port, ':') >= 0 { // an IPv6 address without brackets, or nonsense
		return hostPort, nil
	}
	return hostPort[:end+len(host)], port
}

// cutLabel drops the first label of a host; false when there is but one.
func cutLabel(host []byte) (rest []byte, ok bool) {
	dot := bytes.IndexByte(host, '.')
	return host[dot+1:], dot >= 0
}

// canonicalPath is the path in the form that routes are compared in. What does not
// begin with a slash is not a path and stays as it is.
func (r *Request) canonicalPath() ([]byte, error) {
	if isCanonical(r.Path) || r.Path[0] != '/' {
		return r.Path, nil
	}
	var err error
	r.decodedPath, err = appendCanonicalPath(r.decodedPath[:0], r.Path)
	return r.decodedPath, err
}

// configuredPath is a path of the configuration, which is written with
// percent-encoding, in the form that requests are compared in.
func configuredPath(p string) string {
	raw := []byte(p)
	if isCanonical(raw) {
		return p
	}
	canonical, err := appendCanonicalPath(nil, raw)
	if err != nil {
		return p // a request for it is refused
	}
	return string(canonical)
}

// isCanonical reports whether a path certainly means itself. Dotfiles are the only
// paths of which it needlessly says no.
func isCanonical(path []byte) bool {
	return bytes.IndexByte(path, '%') < 0 && !bytes.Contains(path, []byte("//")) && !bytes.Contains(path, []byte("/."))
}

// appendCanonicalPath appends the canonical form of a path as sent, which begins with
// a slash: decoded once, without dot segments, with runs of slashes as one. A slash at
// the end stays: /a and /a/ are two paths. The error is [ErrPathEncoding].
func appendCanonicalPath(dst, path []byte) ([]byte, error) {
	start := len(dst)
	dst, err := appendDecoded(dst, path)
	if err != nil {
		return dst, err
	}
	return dst[:start+len(clean(dst[start:], resolveDots))], nil
}

// appendDecoded appends a path with its percent-encoding decoded (RFC 3986 §2.1).
func appendDecoded(dst, path []byte) ([]byte, error) {
	for {
		at := bytes.IndexByte(path, '%')
		if at < 0 {
			return append(dst, path...), nil
		}
		c, ok := decodedByte(path[at:])
		if !ok {
			return dst, ErrPathEncoding
		}
		dst = append(append(dst, path[:at]...), c)
		path = path[at+3:]
	}
}

// decodedByte decodes the three bytes that s begins with.
func decodedByte(s []byte) (c byte, ok bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	return high<<4 | low, high < 16 && low < 16
}

// unhex is the value of a hexadecimal digit, 16 or more for anything else.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// dotRule is what ".." does: take the segment before it away, or nothing.
type dotRule bool

const (
	resolveDots dotRule = true // RFC 3986 §5.2.4
	dropDots    dotRule = false
)

// clean removes dot segments and repeated slashes from a decoded path in place. The
// path begins with a slash.
func clean(path []byte, dots dotRule) []byte {
	end := 1 // path[:end] is clean and ends with a slash until the last segment is there
	for at := 1; at < len(path); {
		if path[at] == '/' {
			at++
			continue
		}
		segment := path[at:]
		slash := bytes.IndexByte(segment, '/')
		if slash >= 0 {
			segment = segment[:slash]
		}
		at += len(segment) + 1
		switch string(segment) {
		case ".":
		case "..":
			if dots == resolveDots && end > 1 {
				end = bytes.LastIndexByte(path[:end-1], '/') + 1
			}
		default:
			end += copy(path[end:], segment)
			if slash >= 0 {
				path[end] = '/'
				end++
			}
		}
	}
	return path[:end]
}

// hasDotSegments reports whether a decoded path has segments "." or "..".
func hasDotSegments(path []byte) bool {
	for len(path) > 0 {
		var segment []byte
		segment, path = cutSegment(path)
		if string(segment) == "." || string(segment) == ".." {
			return true
		}
	}
	return false
}

// cutSegment splits a path that begins with a slash behind its first segment.
func cutSegment(path []byte) (segment, rest []byte) {
	segment = path[1:]
	if slash := bytes.IndexByte(segment, '/'); slash >= 0 {
		return segment[:slash], segment[slash:]
	}
	return segment, nil
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
