package lb

import (
	"fmt"
	"iter"
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
	route := validRoute()
	route.Action.Forward = map[string]ForwardTarget{"web": {1}, "canary": {1}}
	db := validPool()
	db.Protocol = PoolTCP
	return testView{
		{KindPool, "web"}: validPool(), {KindPool, "canary"}: validPool(), {KindPool, "db"}: db, {KindPool, "unused"}: validPool(),
		{KindCertificate, "a"}: &Certificate{}, {KindCertificate, "unused"}: &Certificate{},
		{KindListener, "edge"}: edge, {KindListener, "tcp"}: tcp, {KindRoute, "shop"}: route,
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
	tests := []struct {
		name       string
		obj        Object
		missing    string
		unsuitable string
	}{
		{"pool", validPool(), "", ""},
		{"certificate", &Certificate{}, "", ""},
		{"listener", listener(func(*Listener) {}), "", ""},
		{"listener without a pool", listener(func(l *Listener) { l.DefaultPool = "" }), "", ""},
		{"listener's certificate", listener(func(l *Listener) { l.Certificates = []string{"a", "gone"} }), "/certificates/1 certificate/gone does not exist", ""},
		{"listener's pool", listener(func(l *Listener) { l.DefaultPool = "gone" }), "/default_pool pool/gone does not exist", ""},
		{"http listener with a tcp pool", listener(func(l *Listener) { l.DefaultPool = "db" }), "", "/default_pool pool/db has protocol tcp; one with protocol http is needed here"},
		{"tcp listener with an http pool", listener(func(l *Listener) { l.Protocol, l.Certificates = ListenerTCP, nil }), "", "/default_pool pool/web has protocol http; one with protocol tcp is needed here"},
		{"route", route(func(*Route) {}), "", ""},
		{"route's listener", route(func(r *Route) { r.Listener = "gone" }), "/listener listener/gone does not exist", ""},
		{"route of a tcp listener", route(func(r *Route) { r.Listener = "tcp" }), "", "/listener listener/tcp has protocol tcp; routes belong to http and https listeners"},
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
		"pool/web": "[listener/edge route/shop]", "pool/canary": "[route/shop]", "pool/db": "[listener/tcp]", "pool/unused": "[]",
		"certificate/a": "[listener/edge]", "certificate/unused": "[]",
		"listener/edge": "[route/shop]", "listener/tcp": "[]", "route/shop": "[]", "pool/gone": "[]",
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
	tcpPool, tcpListener := validPool(), validListener()
	tcpPool.Protocol, tcpListener.Protocol = PoolTCP, ListenerTCP
	tests := []struct {
		at   string
		obj  Object
		want []string
	}{
		{"pool/web", validPool(), nil},
		{"pool/web", tcpPool, []string{"listener/edge uses this object, which then has protocol tcp", "route/shop uses this object"}},
		{"pool/unused", tcpPool, nil},
		{"pool/db", validPool(), []string{"listener/tcp uses this object"}},
		{"listener/edge", tcpListener, []string{"route/shop uses this object, which then has protocol tcp"}},
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
