package route

import (
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func forward(match lb.RouteMatch, priority int) *lb.Route {
	r := lb.NewRoute()
	r.Listener, r.Match, r.Priority = "web", match, priority
	r.Action.Forward = map[string]lb.ForwardTarget{"pool": {Weight: 1}}
	r.Normalize()
	return r
}

func TestRouteOrder(t *testing.T) {
	table := New(map[string]*lb.Route{
		"any":           forward(lb.RouteMatch{}, 0),
		"any-post":      forward(lb.RouteMatch{Methods: []string{"POST"}}, 0),
		"api":           forward(lb.RouteMatch{PathPrefix: "/api"}, 0),
		"api-v1":        forward(lb.RouteMatch{PathPrefix: "/api/v1/"}, 0),
		"api-v1-status": forward(lb.RouteMatch{PathExact: "/api/v1/status"}, 0),
		"exact-host":    forward(lb.RouteMatch{Hosts: []string{"App.example.com"}}, 0),
		"wild":          forward(lb.RouteMatch{Hosts: []string{"*.example.com"}}, 0),
		"wild-deeper":   forward(lb.RouteMatch{Hosts: []string{"*.eu.example.com"}}, 0),
		"twin-a":        forward(lb.RouteMatch{Hosts: []string{"twin.test"}, PathPrefix: "/x"}, 0),
		"twin-b":        forward(lb.RouteMatch{Hosts: []string{"twin.test"}, PathPrefix: "/x"}, 0),
		"twin-c-get":    forward(lb.RouteMatch{Hosts: []string{"twin.test"}, PathPrefix: "/x", Methods: []string{"GET"}}, 0),
		"high":          forward(lb.RouteMatch{PathPrefix: "/admin"}, 10),
		"low-exact":     forward(lb.RouteMatch{Hosts: []string{"app.example.com"}, PathExact: "/low"}, -1),
		"ip":            forward(lb.RouteMatch{Hosts: []string{"::1"}}, 0),
		"encoded":       forward(lb.RouteMatch{PathPrefix: "/caf%C3%A9"}, 0),
	})
	for _, tc := range []struct {
		name, host, path, method, want string
	}{
		{"what is left out matches all", "other.test", "/", "GET", "any"},
		{"methods beat none", "other.test", "/", "POST", "any-post"},
		{"prefix beats any", "other.test", "/api", "GET", "api"},
		{"prefix beats any with methods", "other.test", "/api/x", "POST", "api"},
		{"prefix ends at a segment border", "other.test", "/apis", "GET", "any"},
		{"longer prefix beats shorter", "other.test", "/api/v1/users", "GET", "api-v1"},
		{"a prefix's trailing slash means nothing", "other.test", "/api/v1", "GET", "api-v1"},
		{"exact beats prefix", "other.test", "/api/v1/status", "GET", "api-v1-status"},
		{"exact is exact", "other.test", "/api/v1/status/", "GET", "api-v1"},
		{"exact host beats wildcard and path", "app.example.com", "/api/v1/status", "GET", "exact-host"},
		{"host without case, port and dot", "APP.example.COM.:8443", "/", "GET", "exact-host"},
		{"wildcard beats any", "b.example.com", "/api", "GET", "wild"},
		{"wildcard at any depth", "c.b.example.com", "/", "GET", "wild"},
		{"wildcard is not the domain itself", "example.com", "/", "GET", "any"},
		{"wildcard begins at a label", "badexample.com", "/", "GET", "any"},
		{"longer wildcard beats shorter", "a.eu.example.com", "/", "GET", "wild-deeper"},
		{"first by name", "twin.test", "/x", "PUT", "twin-a"},
		{"methods before name", "twin.test", "/x", "GET", "twin-c-get"},
		{"priority beats host", "app.example.com", "/admin/x", "GET", "high"},
		{"low priority loses to less specific", "app.example.com", "/low", "GET", "exact-host"},
		{"IPv6 host with brackets and port", "[::1]:8080", "/", "GET", "ip"},
		{"percent-encoding is decoded", "other.test", "/café/menu", "GET", "encoded"},
		{"dot segments are resolved", "other.test", "/api/../admin", "GET", "high"},
		{"repeated slashes are one", "other.test", "//admin", "GET", "high"},
		{"a dot segment at the end", "other.test", "/api/v1/status/..", "GET", "api-v1"},
		{"dot segments stop at the root", "other.test", "/../../api", "GET", "api"},
		{"no host at all", "", "/", "GET", "any"},
		{"no path at all", "other.test", "", "GET", "any"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := "none"
			if r := table.Match(tc.host, tc.path, tc.method); r != nil {
				got = r.Name
			}
			if got != tc.want {
				t.Errorf("%s %s%s goes to %s, want %s", tc.method, tc.host, tc.path, got, tc.want)
			}
		})
	}
}

func TestNoRouteMatches(t *testing.T) {
	table := New(map[string]*lb.Route{
		"root":  forward(lb.RouteMatch{Hosts: []string{"a.test"}, PathPrefix: "/"}, 0),
		"posts": forward(lb.RouteMatch{Hosts: []string{"b.test"}, Methods: []string{"POST"}}, 0),
	})
	if table.Match("a.test", "/x", "GET") == nil {
		t.Error("prefix / must match every path")
	}
	if r := table.Match("b.test", "/x", "GET"); r != nil {
		t.Errorf("GET goes to %s, which takes POST only", r.Name)
	}
	if r := table.Match("c.test", "/x", "GET"); r != nil {
		t.Errorf("an unknown host goes to %s", r.Name)
	}
}

func TestPoolsShareARouteByWeight(t *testing.T) {
	config := lb.NewRoute()
	config.Action.Forward = map[string]lb.ForwardTarget{"a": {Weight: 3}, "b": {Weight: 1}, "off": {Weight: 0}}
	r := New(map[string]*lb.Route{"r": config}).Match("", "/", "GET")
	counts := map[string]int{}
	for range 4000 {
		counts[r.Pool()]++
	}
	// 3000 expected; the bounds are seven standard deviations away.
	if counts["a"] < 2800 || counts["a"] > 3200 || counts["a"]+counts["b"] != 4000 {
		t.Errorf("pools of weights 3, 1 and 0 got %v", counts)
	}
}

func TestHostilePathsAndHostsCostNoMoreThanTheirLength(t *testing.T) {
	table := New(map[string]*lb.Route{
		"prefix": forward(lb.RouteMatch{PathPrefix: "/a/b"}, 0),
		"wild":   forward(lb.RouteMatch{Hosts: []string{"*.example.com"}}, 0),
	})
	path, host := strings.Repeat("/a", 500_000), strings.Repeat("a.", 500_000)+"example.com"
	start := time.Now()
	table.Match(host, path, "GET")
	// Looking up every prefix and suffix would hash hundreds of gigabytes.
	if took := time.Since(start); took > time.Second {
		t.Errorf("one lookup took %s", took)
	}
}

func FuzzMatchNeverPanics(f *testing.F) {
	table := New(map[string]*lb.Route{
		"prefix": forward(lb.RouteMatch{PathPrefix: "/a/b"}, 0),
		"wild":   forward(lb.RouteMatch{Hosts: []string{"*.example.com"}, PathExact: "/"}, 0),
	})
	f.Add("a.example.com:80", "/a/b")
	f.Add("[", "..")
	f.Fuzz(func(t *testing.T, host, path string) {
		table.Match(host, path, "GET")
		if p := CanonicalPath(path); strings.HasPrefix(path, "/") && strings.Contains(p+"/", "/../") {
			t.Errorf("%q still has dot segments: %q", path, p)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	table := New(map[string]*lb.Route{
		"any":  forward(lb.RouteMatch{}, 0),
		"api":  forward(lb.RouteMatch{PathPrefix: "/api/v1"}, 0),
		"host": forward(lb.RouteMatch{Hosts: []string{"app.example.com"}, PathPrefix: "/api"}, 0),
	})
	b.ReportAllocs()
	for b.Loop() {
		table.Match("app.example.com", "/api/v1/users/7", "GET")
	}
}
