package dataplane

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"github.com/google/uuid"
)

const (
	headerRequestID = "X-Request-Id"
	maxRequestID    = 128
)

// rewrite turns a client's request into the one the member gets. ReverseProxy has
// removed hop-by-hop headers (RFC 9110 §7.6.1).
func rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	out := pr.Out
	out.URL.Scheme = "http"
	out.URL.Host = x.member.address
	// As it came: ReverseProxy drops parameters it can't parse.
	out.URL.RawQuery = pr.In.URL.RawQuery
	for name := range out.Header {
		if claimsClient(name) {
			delete(out.Header, name)
		}
	}
	pr.SetXForwarded()
	out.Header.Set(headerRequestID, x.id)
	// Another protocol behind our back, such as h2c, would carry requests that no
	// route has seen.
	if upgrade := out.Header.Get("Upgrade"); upgrade != "" && !strings.EqualFold(upgrade, "websocket") {
		out.Header.Del("Upgrade")
		out.Header.Del("Connection")
	}
}

// claimsClient reports whether a header tells a member who the client is, which
// only we may say. Servers that map headers to variables (RFC 3875 §4.1.18) can't
// tell "-" from "_".
func claimsClient(name string) bool {
	if len(name) < len("Forwarded") || name[0] != 'X' && name[0] != 'F' && name[0] != 'x' && name[0] != 'f' {
		return false
	}
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return strings.HasPrefix(name, "x-forwarded") || name == "forwarded" || name == "x-real-ip"
}

// requestID returns the client's request id if it is printable ASCII of at most
// maxRequestID bytes, else a new UUID.
func requestID(h http.Header) string {
	id := h.Get(headerRequestID)
	if id == "" || len(id) > maxRequestID {
		return uuid.NewString()
	}
	for _, b := range []byte(id) {
		if b <= ' ' || b >= 0x7f {
			return uuid.NewString()
		}
	}
	return id
}
