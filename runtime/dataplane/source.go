package dataplane

import (
	"bytes"
	"net/netip"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
)

// networks is a set of addresses.
type networks []netip.Prefix

// parseNetworks reads prefixes that lb has validated; nil for none.
func parseNetworks(cidrs []string) networks {
	var out networks
	for _, s := range cidrs {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

func (n networks) contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range n {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// trusts reports whether a peer's word on who the client is counts.
func (l *listener) trusts(a netip.Addr) bool { return l.trusted != nil && l.trusted.contains(a) }

// sourceOf finds the client behind trusted proxies: the last address of
// X-Forwarded-For that is not itself a trusted proxy. What stands before it is
// hearsay.
func (l *listener) sourceOf(req *http1.Request, peer netip.Addr) netip.Addr {
	source := peer
	for i := len(req.Fields) - 1; i >= 0; i-- {
		f := &req.Fields[i]
		if f.ID != http1.XForwardedFor {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var last []byte
			if comma := bytes.LastIndexByte(rest, ','); comma >= 0 {
				last, rest = rest[comma+1:], rest[:comma]
			} else {
				last, rest = rest, nil
			}
			a, err := netip.ParseAddr(string(bytes.TrimSpace(last)))
			if err != nil {
				return source
			}
			if source = a.Unmap(); !l.trusts(source) {
				return source
			}
		}
	}
	return source
}
