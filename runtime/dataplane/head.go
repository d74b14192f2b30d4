package dataplane

import (
	"math/rand/v2"
	"net/netip"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
)

const (
	maxRequestID = 128
	// via is what we call ourselves in Via (RFC 9110 §7.6.3).
	via = "auditlb"
)

// appendRequestHead appends the head of the request that a member gets over
// HTTP/1.1. Hop-by-hop fields end here (RFC 9110 §7.6.1), as does what claims who
// the client is, unless the peer is trusted.
func (x *exchange) appendRequestHead(dst []byte) []byte {
	req := x.req
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	dst = x.appendTarget(dst)
	dst = append(dst, " HTTP/1.1\r\n"...)
	if x.route != nil && x.route.Host != "" {
		dst = http1.AppendField(dst, "Host", x.route.Host)
	} else {
		dst = http1.AppendField(dst, "Host", req.Host)
	}
	for i := range req.Fields {
		f := &req.Fields[i]
		if !f.Hop && x.passes(f) {
			dst = http1.AppendField(dst, f.Name, f.Value)
		}
	}
	dst = x.appendIdentity(dst)
	if x.route != nil {
		for _, f := range x.route.RequestHeaders.Append {
			dst = http1.AppendField(dst, f.Name, f.Value)
		}
	}
	switch req.Framing {
	case http1.Length:
		dst = http1.AppendContentLength(dst, req.ContentLength)
	case http1.Chunked:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if req.ExpectContinue {
		dst = append(dst, "Expect: 100-continue\r\n"...)
	}
	switch {
	case x.wantsUpgrade():
		dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
	case req.TETrailers:
		dst = append(dst, "TE: trailers\r\nConnection: TE\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// appendTarget appends the target of a member's request.
func (x *exchange) appendTarget(dst []byte) []byte {
	req := x.req
	if x.route != nil && req.Form != http1.AsteriskForm {
		query := req.Query
		if !req.HasQuery {
			query = nil
		} else if query == nil {
			query = []byte{}
		}
		return x.route.AppendTarget(dst, req.Path, query)
	}
	dst = append(dst, req.Path...)
	if req.HasQuery {
		dst = append(dst, '?')
		dst = append(dst, req.Query...)
	}
	return dst
}

// passes reports whether a field of the request goes to the member as it is. The
// others are written anew, or dropped.
func (x *exchange) passes(f *http1.Field) bool {
	switch f.ID {
	case http1.Host, http1.ContentLength, http1.TransferEncoding, http1.Expect, http1.RequestID, http1.Via,
		http1.XForwardedFor, http1.XForwardedProto, http1.XForwardedHost, http1.Forwarded:
		return false
	case http1.XForwarded:
		return x.trusted
	}
	return x.route == nil || !x.route.RequestHeaders.Removes(f.Name)
}

// appendIdentity appends who the client is (RFC 7239), by which way the request came
// and what it is called.
func (x *exchange) appendIdentity(dst []byte) []byte {
	peer := x.conn.client.Addr()
	scheme := "http"
	if x.conn.secure {
		scheme = "https"
	}

	dst = append(dst, "X-Forwarded-For: "...)
	dst = x.appendTrusted(dst, http1.XForwardedFor, ", ")
	dst = peer.AppendTo(dst)

	dst = append(dst, "\r\nX-Forwarded-Proto: "...)
	if n := len(dst); x.trusted {
		if dst = x.appendTrusted(dst, http1.XForwardedProto, ""); len(dst) == n {
			dst = append(dst, scheme...)
		}
	} else {
		dst = append(dst, scheme...)
	}

	dst = append(dst, "\r\nX-Forwarded-Host: "...)
	if n := len(dst); x.trusted {
		if dst = x.appendTrusted(dst, http1.XForwardedHost, ""); len(dst) == n {
			dst = append(dst, x.req.Host...)
		}
	} else {
		dst = append(dst, x.req.Host...)
	}

	dst = append(dst, "\r\nForwarded: "...)
	dst = x.appendTrusted(dst, http1.Forwarded, ", ")
	dst = appendForwardedFor(dst, peer)
	dst = append(dst, ";host=\""...)
	dst = append(dst, x.req.Host...)
	dst = append(dst, "\";proto="...)
	dst = append(dst, scheme...)

	dst = append(dst, "\r\nVia: "...)
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; f.ID == http1.Via {
			dst = append(dst, f.Value...)
			dst = append(dst, ", "...)
		}
	}
	dst = append(dst, x.client.version()...)
	dst = append(dst, " "+via+"\r\n"...)
	if x.route == nil || !x.route.RequestHeaders.Removes(requestIDName) {
		dst = http1.AppendField(dst, "X-Request-Id", x.id)
	}
	return dst
}

var requestIDName = []byte("X-Request-Id")

// appendTrusted appends the values that a trusted peer sent of a field, each
// followed by sep; without sep only the first.
func (x *exchange) appendTrusted(dst []byte, id http1.HeaderID, sep string) []byte {
	if !x.trusted {
		return dst
	}
	for i := range x.req.Fields {
		f := &x.req.Fields[i]
		if f.ID != id || len(f.Value) == 0 {
			continue
		}
		dst = append(dst, f.Value...)
		if sep == "" {
			return dst
		}
		dst = append(dst, sep...)
	}
	return dst
}

// appendForwardedFor appends a node in the form of RFC 7239 §6: IPv6 is quoted.
func appendForwardedFor(dst []byte, a netip.Addr) []byte {
	dst = append(dst, "for="...)
	if a.Is4() {
		return a.AppendTo(dst)
	}
	dst = append(dst, `"[`...)
	dst = a.WithZone("").AppendTo(dst)
	return append(dst, `]"`...)
}

// wantsUpgrade reports whether the request asks for WebSocket. Other protocols, such
// as h2c, would carry requests behind our back that no route has seen.
func (x *exchange) wantsUpgrade() bool {
	return isWebSocket(x.req.Upgrade) && x.req.Framing == http1.NoBody
}

func isWebSocket(protocol []byte) bool {
	return len(protocol) == len("websocket") && equalFold(protocol, "websocket")
}

// identify finds out who the client is, and gives the request an id: the client's own
// if it is printable ASCII of at most maxRequestID bytes, else a new UUID.
func (x *exchange) identify() {
	x.trusted = x.l.trusts(x.conn.client.Addr())
	x.source = x.conn.client.Addr()
	if x.trusted {
		x.source = x.l.sourceOf(x.req, x.source)
	}
	for i := range x.req.Fields {
		if f := &x.req.Fields[i]; f.ID == http1.RequestID {
			if isRequestID(f.Value) {
				x.id = f.Value
				return
			}
			break
		}
	}
	// Unique is enough: a generator for secrets would cost more than the rest.
	var id uuid.UUID
	for i := range 2 {
		n := rand.Uint64()
		for j := range 8 {
			id[8*i+j] = byte(n >> (8 * j))
		}
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	x.id = appendUUID(x.idSpace[:0], id)
}

// appendUUID appends the text of a UUID (RFC 9562 §4) without garbage.
func appendUUID(dst []byte, id uuid.UUID) []byte {
	const digits = "0123456789abcdef"
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

func isRequestID(id []byte) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for _, b := range id {
		if b <= ' ' || b >= 0x7f {
			return false
		}
	}
	return true
}

// respondFields hands the client's half each field of a member's response that goes
// to the client, and those that we add. What frames the body is that half's own.
func (x *exchange) respondFields(h *http1.Response) {
	named := false
	for i := range h.Fields {
		f := &h.Fields[i]
		switch {
		case f.Hop || f.ID == http1.ContentLength || f.ID == http1.TransferEncoding:
			continue
		case f.ID == http1.RequestID:
			named = true
		}
		if x.route == nil || !x.route.ResponseHeaders.Removes(f.Name) {
			x.client.field(f.Name, f.Value)
		}
	}
	if !named {
		x.client.field(requestIDName, x.id)
	}
	if x.setCookie {
		x.client.field(setCookieName, x.affinityCookie())
	}
	if x.route != nil {
		for _, f := range x.route.ResponseHeaders.Append {
			x.client.field([]byte(f.Name), []byte(f.Value))
		}
	}
}

var setCookieName = []byte("Set-Cookie")
