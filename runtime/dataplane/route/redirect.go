package route

import (
	"strconv"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Redirect is an answer with another place.
type Redirect struct {
	Status int

	scheme     string
	host       string // IPv6 with brackets
	port       string
	path       *pathEdit
	stripQuery bool
}

func compileRedirect(to *lb.Redirect, match lb.RouteMatch) *Redirect {
	r := &Redirect{
		Status: to.Status, scheme: to.Scheme, host: to.Host, stripQuery: to.StripQuery,
		path: compilePathEdit(to.Path, to.PathPrefix, match, nil),
	}
	if strings.Contains(r.host, ":") {
		r.host = "[" + r.host + "]"
	}
	if to.Port > 0 {
		r.port = strconv.Itoa(to.Port)
	}
	return r
}

// AppendLocation appends the value of the Location field (RFC 9110 §10.2.2) for a
// request: an absolute URL in which everything that the redirect leaves empty is as
// requested. The requested port stays only while the scheme does, since one port does
// not speak two; a scheme's own port is left out. Secure tells that the client used
// https; host, path and query are as sent, the query nil when there is none.
//
// The client must not be sent elsewhere by what it requested. So the path begins with
// a single slash, backslashes in it are encoded, and without a proper host, requested
// or configured, the location is path and query alone. What is appended holds no
// space, no control character and nothing beyond ASCII. It allocates nothing while
// dst has room.
func (r *Redirect) AppendLocation(dst []byte, secure bool, host, path, query []byte) []byte {
	dst = r.appendOrigin(dst, secure, host)
	if len(path) == 0 || path[0] != '/' {
		path = []byte("/")
	}
	for len(path) > 1 && path[1] == '/' {
		path = path[1:]
	}
	dst = r.path.append(dst, path)
	if r.stripQuery {
		return dst
	}
	return appendQuery(dst, query)
}

// appendOrigin appends scheme, host and port, or nothing.
func (r *Redirect) appendOrigin(dst []byte, secure bool, hostPort []byte) []byte {
	requested := "http"
	if secure {
		requested = "https"
	}
	scheme := requested
	if r.scheme != "" {
		scheme = r.scheme
	}
	host, port := cutPort(hostPort)
	if r.host == "" && !isHost(host) {
		return dst
	}
	dst = append(append(dst, scheme...), "://"...)
	if r.host != "" {
		dst = append(dst, r.host...)
	} else {
		dst = append(dst, host...)
	}
	switch {
	case r.port == "" && (scheme != requested || !isPort(port)):
		return dst
	case r.port == "" && !isDefaultPort(scheme, string(port)):
		return append(append(dst, ':'), port...)
	case r.port != "" && !isDefaultPort(scheme, r.port):
		return append(append(dst, ':'), r.port...)
	}
	return dst
}

func isDefaultPort(scheme, port string) bool {
	return scheme == "http" && port == "80" || scheme == "https" && port == "443"
}

// isHost reports whether a requested host can only be read as a name or an address
// in a URL, or not at all.
func isHost(host []byte) bool {
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		for _, c := range host[1 : n-1] {
			if unhex(c) > 15 && c != ':' && c != '.' {
				return false
			}
		}
		return true
	}
	for _, c := range host {
		if !isWord(c) && c != '-' && c != '.' {
			return false
		}
	}
	return len(host) > 0
}

func isPort(port []byte) bool {
	for _, c := range port {
		if c < '0' || c > '9' {
			return false
		}
	}
	return 0 < len(port) && len(port) <= len("65535")
}
