package http1

// HeaderID names the fields that a proxy treats in a way of its own.
type HeaderID uint8

// The known fields. ProxyAuth is any of Proxy-Authenticate, Proxy-Authorization and
// Proxy-Authentication-Info. XForwarded is any other field that claims who the
// client is: with "_" read as "-", as servers do that make variables of names (RFC
// 3875 §4.1.18), its name begins with x-forwarded or is x-real-ip.
const (
	Other HeaderID = iota
	Host
	ContentLength
	TransferEncoding
	Connection
	KeepAlive
	ProxyConnection
	ProxyAuth
	TE
	Trailer
	Upgrade
	Expect
	Via
	Forwarded
	XForwardedFor
	XForwardedProto
	XForwardedHost
	XForwarded
	RequestID // X-Request-Id
	Traceparent
	Tracestate
	Cookie
	SetCookie
	Date
	Server
	Location
	ContentType
)

// hopByHop has the bit of each field that is never forwarded.
const hopByHop = 1<<Connection | 1<<KeepAlive | 1<<ProxyConnection | 1<<ProxyAuth | 1<<TE | 1<<TransferEncoding | 1<<Upgrade

type knownName struct {
	name string // in lower case
	id   HeaderID
}

// known holds the known names by their length.
var known = func() (byLength [26][]knownName) {
	for _, k := range []knownName{
		{"host", Host},
		{"content-length", ContentLength},
		{"content_length", ContentLength}, // refused, see [signals.read]
		{"transfer-encoding", TransferEncoding},
		{"transfer_encoding", TransferEncoding},
		{"connection", Connection},
		{"keep-alive", KeepAlive},
		{"proxy-connection", ProxyConnection},
		{"proxy-authenticate", ProxyAuth},
		{"proxy-authorization", ProxyAuth},
		{"proxy-authentication-info", ProxyAuth},
		{"te", TE},
		{"trailer", Trailer},
		{"upgrade", Upgrade},
		{"expect", Expect},
		{"via", Via},
		{"forwarded", Forwarded},
		{"x-forwarded-for", XForwardedFor},
		{"x-forwarded-proto", XForwardedProto},
		{"x-forwarded-host", XForwardedHost},
		{"x-request-id", RequestID},
		{"traceparent", Traceparent},
		{"tracestate", Tracestate},
		{"cookie", Cookie},
		{"set-cookie", SetCookie},
		{"date", Date},
		{"server", Server},
		{"location", Location},
		{"content-type", ContentType},
	} {
		byLength[len(k.name)] = append(byLength[len(k.name)], k)
	}
	return byLength
}()

// IDOf returns what a field's name, in any case, is known as. The names
// Content_Length and Transfer_Encoding get the ids of the fields they pose as.
func IDOf[T text](name T) HeaderID {
	if n := len(name); n > 0 && n < len(known) {
		first := lower[name[0]]
		for _, k := range known[n] {
			if k.name[0] == first && equalFold(name, k.name) {
				return k.id
			}
		}
	}
	if claimsClient(name) {
		return XForwarded
	}
	return Other
}

// claimsClient reports whether a name is one of [XForwarded].
func claimsClient[T text](name T) bool {
	const prefix, realIP = "x-forwarded", "x-real-ip"
	n := len(name)
	if n < len(realIP) || lower[name[0]] != 'x' || name[1] != '-' && name[1] != '_' {
		return false
	}
	want := realIP
	if n >= len(prefix) {
		want = prefix
	} else if n > len(realIP) {
		return false
	}
	for i := range len(want) {
		if b := lower[name[i]]; b != want[i] && (b != '_' || want[i] != '-') {
			return false
		}
	}
	return true
}

// vitalNames are the fields, besides those with an id, that others rely on: for
// credentials, caching, conditions, origin checks, and the meaning of content.
// vitalPrefixes begin such names.
var (
	vitalNames = []string{
		"age", "authentication-info", "authorization", "cache-control", "content-disposition", "content-encoding",
		"content-location", "content-range", "content-security-policy", "expires", "max-forwards", "origin", "pragma",
		"range", "referer", "retry-after", "strict-transport-security", "vary", "www-authenticate",
	}
	vitalPrefixes = []string{"access-control-", "if-", "sec-"}
)

// vital reports whether a field must neither be removed because Connection
// nominates it (RFC 9110 §7.6.1) nor be taken from a trailer section (§6.5.1).
func vital(name []byte) bool {
	if IDOf(name) != Other {
		return true
	}
	for _, v := range vitalNames {
		if equalFold(name, v) {
			return true
		}
	}
	for _, p := range vitalPrefixes {
		if hasPrefixFold(name, p) {
			return true
		}
	}
	return false
}
