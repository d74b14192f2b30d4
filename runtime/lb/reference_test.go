package lb

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// testView is a configuration in a map.
type testView map[Address]Object

func (v testView) Lookup(a Address) Object { return v[a] }

func (v testView) All(kind Kind) iter.Seq2[string, Object] {
	return func(yield func(string, Object) bool) {
		for a, obj := range v {
			if a.Kind == kind && !yield(a.Name, obj) {
				return
			}
		}
	}
}

// testConfig has one of everything that refers to something.
func testConfig() testView {
	edge, tcp := validListener(), validListener()
	edge.Certificates = []string{"a"}
	tcp.Protocol, tcp.Certificates, tcp.DefaultPool, tcp.Port = ListenerTCP, nil, "db", 5432
	sni := validListener()
	sni.Protocol, sni.Certificates, sni.DefaultPool, sni.Port = ListenerTLSPassthrough, nil, "", 8443
	route, vault := validRoute(), validRoute()
	route.Action.Forward = map[string]ForwardTarget{"web": {1}, "canary": {1}}
	route.Action.Mirror = &Mirror{"shadow", 100}
	vault.Listener, vault.Match.Hosts, vault.Action.Forward = "sni", []string{"vault.example.com"}, map[string]ForwardTarget{"db": {1}}
	db, secure, tls := validPool(), validPool(), NewUpstreamTLS()
	db.Protocol = PoolTCP
	tls.ClientCertificate = "client"
	secure.UpstreamTLS = &tls
	return testView{
		{KindPool, "web"}: validPool(), {KindPool, "canary"}: validPool(), {KindPool, "db"}: db, {KindPool, "unused"}: validPool(),
		{KindPool, "shadow"}: validPool(), {KindPool, "secure"}: secure,
		{KindCertificate, "a"}: &Certificate{}, {KindCertificate, "client"}: &Certificate{}, {KindCertificate, "unused"}: &Certificate{},
		{KindListener, "edge"}: edge, {KindListener, "tcp"}: tcp, {KindListener, "sni"}: sni, {KindRoute, "shop"}: route, {KindRoute, "vault"}: vault,
	}
}

func TestReferencesThatLeadToNothingOrToTheWrongThing(t *testing.T) {
	listener := func(change func(*Listener)) Object {
		l := validListener()
		l.Certificates = []string{"a"}
		change(l)
		return l
	}
	route := func(change func(*Route)) Object {
		r := validRoute()
		change(r)
		return r
	}
	pool := func(certificate string) Object {
		p, u := validPool(), NewUpstreamTLS()
		u.ClientCertificate = certificate
		p.UpstreamTLS = &u
		return p
	}
	vault := func(change func(*Route)) Object {
		return route(func(r *Route) {
			r.Listener, r.Action.Forward = "sni", map[string]ForwardTarget{"db": {1}}
			change(r)
		})
	}
	tests := []struct {
		name       string
		obj        Object
		missing    string
		unsuitable string
	}{
		{"pool", validPool(), "", ""},
		{"pool that shows no certificate", pool(""), "", ""},
		{"pool's certificate", pool("client"), "", ""},
		{"pool's certificate that is not there", pool("gone"), "/upstream_tls/client_certificate certificate/gone does not exist", ""},
		{"listener that passes TLS on, with a tcp pool", listener(func(l *Listener) { l.Protocol, l.Certificates, l.DefaultPool = ListenerTLSPassthrough, nil, "db" }), "", ""},
		{"listener that passes TLS on, with an http pool", listener(func(l *Listener) { l.Protocol, l.Certificates = ListenerTLSPassthrough, nil }), "", "/default_pool pool/web has protocol http; one with protocol tcp is needed here"},
		{"route of a listener that passes TLS on", vault(func(*Route) {}), "", ""},
		{"route of a listener that passes TLS on, to an http pool", vault(func(r *Route) { r.Action.Forward = map[string]ForwardTarget{"web": {1}} }), "", "/action/forward/web pool/web has protocol http; one with protocol tcp is needed here"},
		{"route of a listener that is not there, to a tcp pool", vault(func(r *Route) { r.Listener = "gone" }), "/listener listener/gone does not exist", "/action/forward/db pool/db has protocol tcp; one with protocol http is needed here"},
		{"route that mirrors", route(func(r *Route) { r.Action.Mirror = &Mirror{"shadow", 1} }), "", ""},
		{"route that mirrors to nowhere", route(func(r *Route) { r.Action.Mirror = &Mirror{"gone", 1} }), "/action/mirror/pool pool/gone does not exist", ""},
		{"route that mirrors to a tcp pool", route(func(r *Route) { r.Action.Mirror = &Mirror{"db", 1} }), "", "/action/mirror/pool pool/db has protocol tcp; one with protocol http is needed here"},
		{"route that forwards nowhere", route(func(r *Route) { r.Action = RouteAction{FixedResponse: &FixedResponse{Status: 200}} }), "", ""},
		{"certificate", &Certificate{}, "", ""},
		{"listener", listener(func(*Listener) {}), "", ""},
		{"listener without a pool", listener(func(l *Listener) { l.DefaultPool = "" }), "", ""},
		{"listener's certificate", listener(func(l *Listener) { l.Certificates = []string{"a", "gone"} }), "/certificates/1 certificate/gone does not exist", ""},
		{"listener's pool", listener(func(l *Listener) { l.DefaultPool = "gone" }), "/default_pool pool/gone does not exist", ""},
		{"http listener with a tcp pool", listener(func(l *Listener) { l.DefaultPool = "db" }), "", "/default_pool pool/db has protocol tcp; one with protocol http is needed here"},
		{"tcp listener with an http pool", listener(func(l *Listener) { l.Protocol, l.Certificates = ListenerTCP, nil }), "", "/default_pool pool/web has protocol http; one with protocol tcp is needed here"},
		{"route", route(func(*Route) {}), "", ""},
		{"route's listener", route(func(r *Route) { r.Listener = "gone" }), "/listener listener/gone does not exist", ""},
		{"route of a tcp listener", route(func(r *Route) { r.Listener = "tcp" }), "", "/listener listener/tcp has protocol tcp; routes belong to http, https and tls_passthrough listeners"},
		{"route's pools", route(func(r *Route) { r.Action.Forward = map[string]ForwardTarget{"x": {}, "w": {}} }), "/action/forward/w pool/w does not exist; /action/forward/x pool/x does not exist", ""},
		{"route to a tcp pool", route(func(r *Route) { r.Action.Forward = map[string]ForwardTarget{"db": {}} }), "", "/action/forward/db pool/db has protocol tcp; one with protocol http is needed here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			missing, unsuitable := CheckReferences(testConfig(), tt.obj)
			if got := Missing(missing).Error(); got != tt.missing {
				t.Errorf("missing %q, want %q", got, tt.missing)
			}
			if got := unsuitable.Error(); got != tt.unsuitable {
				t.Errorf("unsuitable %q, want %q", got, tt.unsuitable)
			}
		})
	}
}

func TestReferents(t *testing.T) {
	for address, want := range map[string]string{
		"pool/web": "[listener/edge route/shop]", "pool/canary": "[route/shop]", "pool/db": "[listener/tcp route/vault]", "pool/unused": "[]",
		"pool/shadow": "[route/shop]", "certificate/a": "[listener/edge]", "certificate/client": "[pool/secure]", "certificate/unused": "[]",
		"listener/edge": "[route/shop]", "listener/sni": "[route/vault]", "listener/tcp": "[]", "route/shop": "[]", "pool/gone": "[]",
	} {
		at, err := ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		got := Referents(testConfig(), at)
		slices.SortFunc(got, func(a, b Address) int { return strings.Compare(a.String(), b.String()) })
		if fmt.Sprint(got) != want {
			t.Errorf("%s is needed by %v, want %s", address, got, want)
		}
	}
}

func TestAChangeOfProtocolHasToSuitTheDependents(t *testing.T) {
	tcpPool, tcpListener, sniListener := validPool(), validListener(), validListener()
	tcpPool.Protocol, tcpListener.Protocol, sniListener.Protocol = PoolTCP, ListenerTCP, ListenerTLSPassthrough
	tests := []struct {
		at   string
		obj  Object
		want []string
	}{
		{"pool/web", validPool(), nil},
		{"pool/web", tcpPool, []string{"listener/edge uses this object, which then has protocol tcp", "route/shop uses this object"}},
		{"pool/unused", tcpPool, nil},
		{"pool/db", validPool(), []string{"listener/tcp uses this object", "route/vault uses this object, which then has protocol http; one with protocol tcp"}},
		{"pool/shadow", tcpPool, []string{"route/shop uses this object"}},
		{"listener/edge", validListener(), nil},
		{"listener/edge", tcpListener, []string{"route/shop uses this object, which then has protocol tcp"}},
		{"listener/edge", sniListener, []string{
			"route/shop uses this object, which then has protocol tls_passthrough and sees no requests; its routes have match.hosts and action.forward, and not action.mirror",
			"route/shop uses this object and pool/canary, which has protocol http; one with protocol tcp is needed here",
			"route/shop uses this object and pool/web", "route/shop uses this object and pool/shadow",
		}},
		{"listener/sni", validListener(), []string{"route/vault uses this object and pool/db, which has protocol tcp; one with protocol http"}},
		{"certificate/client", &Certificate{}, nil},
	}
	for _, tt := range tests {
		at, err := ParseAddress(tt.at)
		if err != nil {
			t.Fatal(err)
		}
		got := CheckDependents(testConfig(), at, tt.obj)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %v, want %q", tt.at, got, tt.want)
			continue
		}
		for i, v := range got {
			if v.Pointer != "/protocol" || !strings.HasPrefix(v.Detail, tt.want[i]) {
				t.Errorf("%s: %v, want %q", tt.at, v, tt.want[i])
			}
		}
	}
}

func TestListenersThatCollide(t *testing.T) {
	tests := []struct {
		name, a, b   string
		portA, portB int
		collide      bool
	}{
		{"same", "10.0.0.1", "10.0.0.1", 80, 80, true},
		{"other port", "10.0.0.1", "10.0.0.1", 80, 81, false},
		{"other address", "10.0.0.1", "10.0.0.2", 80, 80, false},
		{"every IPv4 address", "10.0.0.1", "0.0.0.0", 80, 80, true},
		{"every address", "::", "10.0.0.1", 80, 80, true},
		{"every IPv4 and every address", "0.0.0.0", "::", 80, 80, true},
		{"another spelling", "::1", "0:0:0:0:0:0:0:1", 80, 80, true},
		{"IPv4 written as IPv6", "127.0.0.1", "::ffff:127.0.0.1", 80, 80, true},
		{"every address, other port", "::", "10.0.0.1", 80, 81, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, swap := range []bool{false, true} {
				a, b := &Listener{Address: tt.a, Port: tt.portA}, &Listener{Address: tt.b, Port: tt.portB}
				if swap {
					a, b = b, a
				}
				other := CheckOverlap(testView{{KindListener, "other"}: b}, "mine", a)
				if (other == "other") != tt.collide {
					t.Errorf("%s:%d and %s:%d: collides with %q, want %t", a.Address, a.Port, b.Address, b.Port, other, tt.collide)
				}
			}
		})
	}
	l := &Listener{Address: "10.0.0.1", Port: 80}
	if other := CheckOverlap(testView{{KindListener, "mine"}: l}, "mine", l); other != "" {
		t.Errorf("collides with itself: %q", other)
	}
}

// A listener that passes TLS on sees a name and bytes. Whatever else a route has
// is named, so that none of it is silently left out.
func TestNothingOfARouteIsLeftOutWhereThereAreNoRequests(t *testing.T) {
	passthrough := &Listener{Protocol: ListenerTLSPassthrough}
	fresh := func() *Route {
		r := NewRoute()
		r.Normalize()
		return r
	}
	for _, path := range jsonPaths(reflect.TypeFor[Route](), "") {
		top, _, _ := strings.Cut(path, ".")
		if strings.Contains(path, "*") || slices.Contains([]string{"owner", "labels", "listener", "priority"}, top) {
			continue
		}
		r := fresh()
		if !fill(reflect.ValueOf(r).Elem(), strings.Split(path, ".")) {
			continue // within what a pointer leads to, or not a value of its own
		}
		why := r.suitsListener(nil, passthrough)
		if path == "match.hosts" || path == "action.forward" {
			if why != "" {
				t.Errorf("with %s: %s", path, why)
			}
			continue
		}
		_, named, _ := strings.Cut(why, " and not ")
		if named == "" || !strings.HasPrefix(path, named) {
			t.Errorf("with %s: %q", path, why)
		}
	}
}

// fill gives the field at a path of JSON names some value. It does not look
// behind pointers, and reports false for structs.
func fill(v reflect.Value, path []string) bool {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != path[0] {
			continue
		}
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct && len(path) > 1:
			return fill(f, path[1:])
		case len(path) > 1 || f.Kind() == reflect.Struct:
			return false
		case f.Kind() == reflect.String:
			f.SetString("x")
		case f.CanInt():
			f.SetInt(1)
		case f.Kind() == reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		case f.Kind() == reflect.Map:
			f.SetMapIndex(reflect.ValueOf("x"), reflect.Zero(f.Type().Elem()))
		case f.Kind() == reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
		default:
			return false
		}
		return true
	}
	return false
}
