package dataplane

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/balance"
	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/http1"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// choose finds out what the choice of a member goes by: the request's hash key and
// the client's affinity.
func (x *exchange) choose() {
	x.pick = balance.Request{}
	config := x.pool.config
	if a := config.Affinity; a != nil {
		switch a.Type {
		case lb.AffinityCookie:
			if value := x.cookie(a.Name); value != nil {
				x.pick.Prefer, x.pick.Preferred = x.pool.balancer.Lookup(value)
				if !x.pick.Preferred {
					x.decide(CauseAffinity, "the member is gone")
				}
			}
		case lb.AffinityHeader:
			x.hash(x.header(a.Name))
		default:
			x.hashSource()
		}
		return
	}
	if k := config.HashKey; k != nil {
		switch k.Source {
		case lb.HashSourceIP:
			x.hashSource()
		case lb.HashHeader:
			x.hash(x.header(k.Name))
		case lb.HashCookie:
			x.hash(x.cookie(k.Name))
		case lb.HashHost:
			x.hash(x.req.Host)
		case lb.HashPath:
			x.hash(x.req.Path)
		case lb.HashQuery:
			x.hash(queryValue(x.req.Query, k.Name))
		}
	}
}

// hash makes a part of the request what the choice goes by; nil is absent.
func (x *exchange) hash(part []byte) {
	if part != nil {
		x.pick.Hash, x.pick.Hashed = xxhash.Sum64(part), true
	}
}

func (x *exchange) hashSource() { x.pick.Hash, x.pick.Hashed = hashAddr(x.source), true }

func hashAddr(addr netip.Addr) uint64 {
	a := addr.As16()
	return xxhash.Sum64(a[:])
}

// header returns the value of a field, nil when there is none.
func (x *exchange) header(name string) []byte {
	value, next := fieldsOf{x.req}.Next(name, 0)
	if next < 0 {
		return nil
	}
	return value
}

// cookie returns the value of a cookie, nil when there is none (RFC 6265 §4.2.1).
func (x *exchange) cookie(name string) []byte {
	for i := range x.req.Fields {
		f := &x.req.Fields[i]
		if f.ID != http1.Cookie {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var pair []byte
			pair, rest, _ = bytes.Cut(rest, []byte(";"))
			pair = bytes.TrimSpace(pair)
			if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
				return pair[len(name)+1:]
			}
		}
	}
	return nil
}

// queryValue returns the first value of a query parameter as it was sent, nil when
// there is none.
func queryValue(query []byte, name string) []byte {
	for rest := query; len(rest) > 0; {
		var pair []byte
		pair, rest, _ = bytes.Cut(rest, []byte("&"))
		key, value, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name {
			if value == nil {
				value = []byte{}
			}
			return value
		}
	}
	return nil
}

// tie decides whether the client must be told which member it is tied to from now on.
func (x *exchange) tie(chosen int) {
	a := x.pool.config.Affinity
	x.setCookie = a != nil && a.Type == lb.AffinityCookie && (!x.pick.Preferred || x.pick.Prefer != chosen)
}

// affinityCookie is the value of Set-Cookie that ties the client to the member.
func (x *exchange) affinityCookie() []byte {
	a := x.pool.config.Affinity
	out := append([]byte(nil), a.Name...)
	out = append(out, '=')
	out = append(out, x.member.load.Tag()...)
	out = append(out, "; Path=/; HttpOnly; SameSite=Lax"...)
	if x.conn.secure {
		out = append(out, "; Secure"...)
	}
	if a.TTL > 0 {
		out = append(out, "; Max-Age="...)
		out = strconv.AppendInt(out, int64(a.TTL.Std().Seconds()), 10)
	}
	return out
}
