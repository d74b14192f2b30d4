package route

import (
	"errors"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func forward(match lb.RouteMatch, priority int) *lb.Route {
	r := lb.NewRoute()
	r.Listener, r.Match, r.Priority = "web", match, priority
	r.Action.Forward = map[string]lb.ForwardTarget{"pool": {Weight: 1}}
	r.Normalize()
	return r
}

// fields are field lines: name, value, name, value.
type fields []string

func (f fields) Next(name string, from int) (value []byte, next int) {
	for i := from; i < len(f); i += 2 {
		if strings.EqualFold(f[i], name) {
			return []byte(f[i+1]), i + 2
		}
	}
	return nil, -1
}

// get is a GET request for a host and a target.
func get(host, target string) *Request {
	path, query, _ := strings.Cut(target, "?")
	return &Request{Host: []byte(host), Path: []byte(path), Query: []byte(query), Method: []byte("GET")}
}

// matched names the route of a request, "none" without one.
func matched(t *testing.T, table *Table, r *Request) string {
	t.Helper()
	found, err := table.Match(r)
	if err != nil {
		t.Fatalf("%s %s%s is refused: %s", r.Method, r.Host, r.Path, err)
	}
	if found == nil {
		return "none"
	}
	return found.Name
}

func TestRouteOrder(t *testing.T) {
	table := New(map[string]*lb.Route{
		"any":           forward(lb.RouteMatch{}, 0),
		"any-post":      forward(lb.RouteMatch{Methods: []string{"POST"}}, 0),
		"api":           forward(lb.RouteMatch{PathPrefix: "/api"}, 0),
		"api-v1":        forward(lb.RouteMatch{PathPrefix: "/api/v1/"}, 0),
		"api-v1-status": forward(lb.RouteMatch{PathExact: "/api/v1/status"}, 0),
		"regex-api":     forward(lb.RouteMatch{PathRegex: "/api.*"}, 0),
		"regex-docs":    forward(lb.RouteMatch{PathRegex: "/docs/[a-z]+"}, 0),
		"regex-deeper":  forward(lb.RouteMatch{PathRegex: "/docs/de/[a-z]+"}, 0),
		"regex-all":     forward(lb.RouteMatch{PathRegex: "/docs.*"}, 0),
		"regex-urgent":  forward(lb.RouteMatch{PathRegex: "/docs/urgent[0-9]"}, 3),
		"regex-get":     forward(lb.RouteMatch{PathRegex: "/[a-z]+/guide", Methods: []string{"GET"}}, 0),
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
		"root":          forward(lb.RouteMatch{Hosts: []string{"root.test"}, PathPrefix: "/"}, 0),
		"root-itself":   forward(lb.RouteMatch{Hosts: []string{"root.test"}, PathExact: "/"}, 0),
		"broken":        forward(lb.RouteMatch{PathRegex: "/x(", Hosts: []string{"app.example.com"}}, 99),
		"parentheses":   forward(lb.RouteMatch{PathRegex: "/y)|(?:/z", Hosts: []string{"app.example.com"}}, 99),
	}, nil)
	for _, tc := range []struct {
		name, host, path, method, want string
	}{
		{"what is left out matches all", "other.test", "/", "GET", "any"},
		{"methods beat none", "other.test", "/", "POST", "any-post"},
		{"prefix beats any", "other.test", "/api", "GET", "api"},
		{"prefix beats any with methods", "other.test", "/api/x", "POST", "api"},
		{"prefix beats regex", "other.test", "/api/apix", "GET", "api"},
		{"prefix ends at a segment border", "other.test", "/apis", "GET", "regex-api"},
		{"longer prefix beats shorter", "other.test", "/api/v1/users", "GET", "api-v1"},
		{"a prefix's trailing slash means nothing", "other.test", "/api/v1", "GET", "api-v1"},
		{"exact beats prefix", "other.test", "/api/v1/status", "GET", "api-v1-status"},
		{"exact is exact", "other.test", "/api/v1/status/", "GET", "api-v1"},
		{"prefix / matches all paths", "root.test", "/x", "GET", "root"},
		{"exact / is the root alone", "root.test", "/", "GET", "root-itself"},
		{"regex beats any", "other.test", "/docs", "GET", "regex-all"},
		{"regexes are equal: first by name", "other.test", "/docs/de/intro", "GET", "regex-all"},
		{"regexes with more conditions", "other.test", "/docs/guide", "GET", "regex-get"},
		{"regexes with higher priority", "other.test", "/docs/urgent1", "GET", "regex-urgent"},
		{"regex is for the whole path", "other.test", "/docs/urgent1/x", "GET", "regex-all"},
		{"a regex's dot matches a line feed", "other.test", "/docs/a%0ab", "GET", "regex-all"},
		{"a regex sees the decoded path", "other.test", "/%64ocs/urgent1", "GET", "regex-urgent"},
		{"exact host beats wildcard and path", "app.example.com", "/api/v1/status", "GET", "exact-host"},
		{"host without case, port and dot", "APP.example.COM.:8443", "/", "GET", "exact-host"},
		{"wildcard beats any", "b.example.com", "/api", "GET", "wild"},
		{"wildcard at any depth", "c.b.example.com", "/", "GET", "wild"},
		{"wildcard at a depth beyond names", strings.Repeat("a.", 30_000) + "Example.com", "/", "GET", "wild"},
		{"wildcard is not the domain itself", "example.com", "/", "GET", "any"},
		{"wildcard begins at a label", "badexample.com", "/", "GET", "any"},
		{"longer wildcard beats shorter", "a.eu.example.com", "/", "GET", "wild-deeper"},
		{"first by name", "twin.test", "/x", "PUT", "twin-a"},
		{"methods before name", "twin.test", "/x", "GET", "twin-c-get"},
		{"priority beats host", "app.example.com", "/admin/x", "GET", "high"},
		{"low priority loses to less specific", "app.example.com", "/low", "GET", "exact-host"},
		{"an invalid regex matches nothing", "app.example.com", "/x(", "GET", "exact-host"},
		{"a regex is valid by itself or not at all", "app.example.com", "/y", "GET", "exact-host"},
		{"IPv6 host with brackets and port", "[::1]:8080", "/", "GET", "ip"},
		{"IPv6 host with brackets", "[::1]", "/", "GET", "ip"},
		{"IPv6 host without end", "[::1", "/", "GET", "any"},
		{"percent-encoding is decoded", "other.test", "/caf%c3%A9/menu", "GET", "encoded"},
		{"a decoded path is not decoded again", "other.test", "/%2561dmin", "GET", "any"},
		{"encoded slashes are slashes", "other.test", "/api%2fv1", "GET", "api-v1"},
		{"dot segments are resolved", "other.test", "/api/../admin", "GET", "high"},
		{"also encoded ones", "other.test", "/api/%2e%2e%2Fadmin", "GET", "high"},
		{"repeated slashes are one", "other.test", "//admin", "GET", "high"},
		{"a dot segment at the end", "other.test", "/api/v1/status/..", "GET", "api-v1"},
		{"dot segments stop at the root", "other.test", "/../../api", "GET", "api"},
		{"no host at all", "", "/", "GET", "any"},
		{"no path at all", "other.test", "", "GET", "any"},
		{"a target that is no path", "root.test", "*", "GET", "any"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := get(tc.host, tc.path)
			r.Method = []byte(tc.method)
			if got := matched(t, table, r); got != tc.want {
				t.Errorf("%s %.40s%s goes to %s, want %s", tc.method, tc.host, tc.path, got, tc.want)
			}
		})
	}
}

func TestNoRouteMatches(t *testing.T) {
	table := New(map[string]*lb.Route{
		"root":  forward(lb.RouteMatch{Hosts: []string{"a.test"}, PathPrefix: "/"}, 0),
		"posts": forward(lb.RouteMatch{Hosts: []string{"b.test"}, Methods: []string{"POST"}}, 0),
	}, nil)
	for host, want := range map[string]string{"a.test": "root", "b.test": "none", "c.test": "none"} {
		if got := matched(t, table, get(host, "/x")); got != want {
			t.Errorf("GET %s goes to %s, want %s", host, got, want)
		}
	}
	if got := matched(t, New(nil, nil), get("a.test", "/")); got != "none" {
		t.Errorf("a table without routes finds %s", got)
	}
}

func TestConditionsOnHeadersAndQuery(t *testing.T) {
	header := func(name string, match lb.MatchType, value string) lb.RouteMatch {
		return lb.RouteMatch{Headers: map[string]lb.ValueMatch{name: {Type: match, Value: value}}}
	}
	query := func(name string, match lb.MatchType, value string) lb.RouteMatch {
		return lb.RouteMatch{Query: map[string]lb.ValueMatch{name: {Type: match, Value: value}}}
	}
	for _, tc := range []struct {
		name   string
		match  lb.RouteMatch
		fields fields
		query  string
		want   bool
	}{
		{"header exact", header("X-Env", lb.MatchExact, "test"), fields{"x-env", "test"}, "", true},
		{"header exact by default", header("x-env", "", "test"), fields{"X-ENV", "test"}, "", true},
		{"header exact is whole", header("x-env", lb.MatchExact, "test"), fields{"x-env", "tests"}, "", false},
		{"header value has case", header("x-env", lb.MatchExact, "test"), fields{"x-env", "Test"}, "", false},
		{"header any line", header("x-env", lb.MatchExact, "test"), fields{"x-env", "live", "a", "b", "x-env", "test"}, "", true},
		{"header missing", header("x-env", lb.MatchExact, "test"), nil, "", false},
		{"header prefix", header("x-env", lb.MatchPrefix, "te"), fields{"x-env", "test"}, "", true},
		{"header prefix longer than value", header("x-env", lb.MatchPrefix, "tests"), fields{"x-env", "test"}, "", false},
		{"header regex", header("x-env", lb.MatchRegex, "t.*|x"), fields{"x-env", "test"}, "", true},
		{"header regex is for all of the value", header("x-env", lb.MatchRegex, "es"), fields{"x-env", "test"}, "", false},
		{"header present though empty", header("x-env", lb.MatchPresent, ""), fields{"x-env", ""}, "", true},
		{"header not present", header("x-env", lb.MatchPresent, ""), fields{"x-en", "a"}, "", false},
		{"header absent", header("x-env", lb.MatchAbsent, ""), fields{"x-en", "a"}, "", true},
		{"header not absent", header("x-env", lb.MatchAbsent, ""), fields{"x-env", ""}, "", false},
		{"header of an unknown type", header("x-env", "like", "test"), fields{"x-env", "test"}, "", false},
		{"query exact", query("v", lb.MatchExact, "2"), nil, "a=b&v=2", true},
		{"query decoded", query("a b", lb.MatchExact, "c&d é"), nil, "a+b=c%26d+%C3%A9", true},
		{"query malformed encoding means itself", query("v", lb.MatchExact, "100%"), nil, "v=100%", true},
		{"query name has case", query("v", lb.MatchExact, "2"), nil, "V=2", false},
		{"query any parameter", query("v", lb.MatchExact, "2"), nil, "v=1&&v=2", true},
		{"query value with an equals sign", query("v", lb.MatchExact, "a=b"), nil, "v=a=b", true},
		{"query prefix", query("v", lb.MatchPrefix, "beta-"), nil, "v=beta-7", true},
		{"query regex", query("v", lb.MatchRegex, "[0-9]+"), nil, "v=%31%32", true},
		{"query present without value", query("debug", lb.MatchPresent, ""), nil, "debug", true},
		{"query absent", query("debug", lb.MatchAbsent, ""), nil, "debugger=1", true},
		{"query not absent", query("debug", lb.MatchAbsent, ""), nil, "x=1&%64ebug", false},
		{"query without any", query("v", lb.MatchExact, "2"), nil, "", false},
		{"query names nothing but parameters", query("", lb.MatchPresent, ""), nil, "&&", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := New(map[string]*lb.Route{"r": forward(tc.match, 0)}, nil)
			r := get("a.test", "/?"+tc.query)
			r.Header = tc.fields
			if got := matched(t, table, r) == "r"; got != tc.want {
				t.Errorf("matches: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestARequestWithoutHeaderHasNoFields(t *testing.T) {
	absent := map[string]lb.ValueMatch{"x": {Type: lb.MatchAbsent}}
	table := New(map[string]*lb.Route{"r": forward(lb.RouteMatch{Headers: absent}, 0)}, nil)
	if got := matched(t, table, get("a.test", "/")); got != "r" {
		t.Errorf("goes to %s", got)
	}
}

func TestMoreConditionsComeFirst(t *testing.T) {
	value := func(names ...string) map[string]lb.ValueMatch {
		out := map[string]lb.ValueMatch{}
		for _, name := range names {
			out[name] = lb.ValueMatch{Type: lb.MatchPresent}
		}
		return out
	}
	table := New(map[string]*lb.Route{
		"a-none":    forward(lb.RouteMatch{}, 0),
		"b-methods": forward(lb.RouteMatch{Methods: []string{"GET", "PUT", "POST"}}, 0),
		"c-two":     forward(lb.RouteMatch{Headers: value("x"), Query: value("q")}, 0),
		"d-two":     forward(lb.RouteMatch{Headers: value("x", "y")}, 0),
		"e-three":   forward(lb.RouteMatch{Headers: value("x", "y"), Methods: []string{"GET"}}, 0),
	}, nil)
	for _, tc := range []struct {
		method, query, want string
		fields              fields
	}{
		{"GET", "q", "e-three", fields{"x", "", "y", ""}},
		{"PUT", "q", "c-two", fields{"x", "", "y", ""}},
		{"PUT", "", "d-two", fields{"x", "", "y", ""}},
		{"PUT", "q", "b-methods", fields{"y", ""}},
		{"HEAD", "q", "a-none", fields{"y", ""}},
	} {
		r := get("a.test", "/?"+tc.query)
		r.Method, r.Header = []byte(tc.method), tc.fields
		if got := matched(t, table, r); got != tc.want {
			t.Errorf("%s ?%s with %v goes to %s, want %s", tc.method, tc.query, tc.fields, got, tc.want)
		}
	}
}

func TestWhatCanNotBeJudgedIsRefused(t *testing.T) {
	long := strings.Repeat("x", MaxRegexInput)
	value := map[string]lb.ValueMatch{"v": {Type: lb.MatchRegex, Value: ".*"}}
	table := New(map[string]*lb.Route{
		"any":    forward(lb.RouteMatch{}, 0),
		"regex":  forward(lb.RouteMatch{Hosts: []string{"regex.test"}, PathRegex: "/r/.*"}, 0),
		"post":   forward(lb.RouteMatch{Hosts: []string{"post.test"}, PathRegex: "/.*", Methods: []string{"POST"}}, 0),
		"header": forward(lb.RouteMatch{Hosts: []string{"header.test"}, Headers: value}, 0),
		"query":  forward(lb.RouteMatch{Hosts: []string{"query.test"}, Query: value}, 0),
	}, nil)
	for _, tc := range []struct {
		name, host, target string
		fields             fields
		want               error
	}{
		{"half a percent-encoding", "a.test", "/a%4", nil, ErrPathEncoding},
		{"a lone percent sign", "a.test", "/100%", nil, ErrPathEncoding},
		{"digits that are none", "a.test", "/%zz/..", nil, ErrPathEncoding},
		{"digits with a sign", "a.test", "/%+1", nil, ErrPathEncoding},
		{"a long path without a regex", "a.test", "/r/" + long, nil, nil},
		{"a long path beside all regexes", "regex.test", "/s/" + long, nil, nil},
		{"a long path for another method", "post.test", "/" + long, nil, nil},
		{"a long path for a regex", "regex.test", "/r/" + long, nil, ErrPathTooLong},
		{"a path as long as may be", "regex.test", "/r/" + long[3:], nil, nil},
		{"a long path for a regex, written longer", "regex.test", "/r/" + strings.Repeat("/", MaxRegexInput), nil, nil},
		{"a long header", "header.test", "/", fields{"v", long + "x"}, ErrValueTooLong},
		{"a header as long as may be", "header.test", "/", fields{"v", long}, nil},
		{"a long parameter", "query.test", "/?v=" + long + "x", nil, ErrValueTooLong},
		{"many parameters without conditions", "a.test", "/?" + strings.Repeat("&", MaxQueryParameters), nil, nil},
		{"many parameters", "query.test", "/?" + strings.Repeat("&", MaxQueryParameters), nil, ErrTooManyParameters},
		{"as many parameters as may be", "query.test", "/?" + strings.Repeat("&", MaxQueryParameters-1), nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := get(tc.host, tc.target)
			r.Header = tc.fields
			found, err := table.Match(r)
			if !errors.Is(err, tc.want) || (err != nil) != (tc.want != nil) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if err != nil && found != nil {
				t.Errorf("goes to %s although it is refused", found.Name)
			}
		})
	}
}
