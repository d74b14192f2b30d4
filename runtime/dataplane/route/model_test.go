package route

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// The model is the order of the package's documentation, taken literally: every route
// is asked whether it matches and how specific it is, and the first of them wins.

type modelCandidate struct {
	name                             string
	priority, host, path, conditions int
}

// modelMatch names the route of a request, "none" without one.
func modelMatch(routes map[string]*lb.Route, r *Request) string {
	host := strings.ToLower(string(r.Host))
	host, _, _ = strings.Cut(host, ":")
	path := modelPath(string(r.Path))
	var found []modelCandidate
	for name, config := range routes {
		c := modelCandidate{name: name, priority: config.Priority}
		c.host = modelHost(config.Match.Hosts, host)
		c.path = modelPathRank(config.Match, path)
		c.conditions = modelConditions(config.Match, r)
		if c.host >= 0 && c.path >= 0 && c.conditions >= 0 {
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return "none"
	}
	return slices.MinFunc(found, func(a, b modelCandidate) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(b.host, a.host),
			cmp.Compare(b.path, a.path), cmp.Compare(b.conditions, a.conditions), cmp.Compare(a.name, b.name))
	}).name
}

// modelHost is -1 without a match.
func modelHost(patterns []string, host string) int {
	if len(patterns) == 0 {
		return 0
	}
	best := -1
	for _, pattern := range patterns {
		suffix, wildcard := strings.CutPrefix(pattern, "*")
		switch {
		case pattern == host:
			best = max(best, 1_000)
		case wildcard && strings.HasSuffix(host, suffix):
			best = max(best, len(suffix))
		}
	}
	return best
}

func modelPath(sent string) string {
	decoded, err := url.PathUnescape(sent)
	if err != nil {
		panic(err)
	}
	var kept []string
	segments := strings.Split(decoded, "/")[1:]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "..":
			kept = kept[:max(0, len(kept)-1)]
		case segment != "" && segment != ".":
			kept = append(kept, "/"+segment)
		}
		if last && (segment == "" || segment == "." || segment == "..") {
			kept = append(kept, "/")
		}
	}
	return strings.Join(kept, "")
}

func modelPathRank(m lb.RouteMatch, path string) int {
	switch {
	case m.PathExact != "":
		if modelPath(m.PathExact) == path {
			return 10_000
		}
		return -1
	case m.PathPrefix != "":
		prefix := strings.TrimSuffix(modelPath(m.PathPrefix), "/")
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return 2 + len(prefix)
		}
		return -1
	case m.PathRegex != "":
		if modelRegex(m.PathRegex).MatchString(path) {
			return 1
		}
		return -1
	}
	return 0
}

var modelRegexes = map[string]*regexp.Regexp{} // for speed; tests here are not parallel

func modelRegex(expr string) *regexp.Regexp {
	if modelRegexes[expr] == nil {
		modelRegexes[expr] = regexp.MustCompile("^(?:" + expr + ")$")
	}
	return modelRegexes[expr]
}

func modelConditions(m lb.RouteMatch, r *Request) int {
	count := 0
	if len(m.Methods) > 0 {
		if !slices.Contains(m.Methods, string(r.Method)) {
			return -1
		}
		count++
	}
	lines := map[string][]string{}
	for i := 0; i < len(r.Header.(fields)); i += 2 {
		lines[r.Header.(fields)[i]] = append(lines[r.Header.(fields)[i]], r.Header.(fields)[i+1])
	}
	parameters, err := url.ParseQuery(string(r.Query))
	if err != nil {
		panic(err)
	}
	for _, where := range []struct {
		matches map[string]lb.ValueMatch
		values  map[string][]string
	}{{m.Headers, lines}, {m.Query, parameters}} {
		for name, match := range where.matches {
			if !modelValue(match, where.values[name]) {
				return -1
			}
			count++
		}
	}
	return count
}

func modelValue(m lb.ValueMatch, values []string) bool {
	switch m.Type {
	case lb.MatchAbsent:
		return len(values) == 0
	case lb.MatchPresent:
		return len(values) > 0
	case lb.MatchPrefix:
		return slices.ContainsFunc(values, func(v string) bool { return strings.HasPrefix(v, m.Value) })
	case lb.MatchRegex:
		return slices.ContainsFunc(values, modelRegex(m.Value).MatchString)
	}
	return slices.Contains(values, m.Value)
}

// random draws routes and requests from few words, so that they often meet.
type random struct{ *rand.Rand }

func pick[T any](r random, of ...T) T { return of[r.IntN(len(of))] }

func (r random) path() string {
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString("/" + pick(r, "a", "b", "c", "%61", "é", "..", ".", "", "b%2Fc"))
	}
	return strings.ReplaceAll(b.String(), "é", "%C3%A9")
}

func (r random) values(one, two string) map[string]lb.ValueMatch {
	out := map[string]lb.ValueMatch{}
	for _, name := range []string{one, two} {
		if r.IntN(4) == 0 {
			out[name] = lb.ValueMatch{
				Type:  pick(r, lb.MatchTypes...),
				Value: pick(r, "1", "2", "12"),
			}
		}
	}
	return out
}

func (r random) route() *lb.Route {
	m := lb.RouteMatch{Headers: r.values("x", "y"), Query: r.values("p", "q")}
	for range r.IntN(3) {
		m.Hosts = append(m.Hosts, pick(r, "a.test", "b.a.test", "*.a.test", "*.test", "*.b.a.test", "c.test"))
	}
	switch r.IntN(5) {
	case 0:
		m.PathExact = r.path()
	case 1, 2:
		m.PathPrefix = r.path()
	case 3:
		m.PathRegex = pick(r, "/.*", "/a/.*", "/a/[bc]", "/(a|b)/?", "(?i)/A/B", "^/b/c.*", "/a/b/.*$", ".*c", "(/a/b|/a/c)")
	}
	if r.IntN(3) == 0 {
		m.Methods = []string{pick(r, "GET", "POST")}
	}
	return forward(m, pick(r, 0, 0, 0, 0, 1, -1, 5))
}

func (r random) request() *Request {
	request := get(pick(r, "a.test", "b.a.test", "c.b.a.test", "x.test", "c.test:80", "B.A.test", "other"), r.path())
	request.Method = []byte(pick(r, "GET", "POST", "PUT"))
	var lines fields
	for range r.IntN(3) {
		lines = append(lines, pick(r, "x", "y"), pick(r, "1", "2", "12"))
	}
	request.Header = lines
	var query []string
	for range r.IntN(3) {
		query = append(query, pick(r, "p", "q", "%70")+"="+pick(r, "1", "2", "1%32"))
	}
	request.Query = []byte(strings.Join(query, "&"))
	return request
}

func TestEveryRequestGoesWhereTheOrderSays(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 1))}
	for range 200 {
		routes := map[string]*lb.Route{}
		for i := range r.IntN(30) {
			routes[fmt.Sprint("r", i)] = r.route()
		}
		table := New(routes, nil)
		for range 100 {
			expectModel(t, table, routes, r.request())
		}
	}
}

func expectModel(t *testing.T, table *Table, routes map[string]*lb.Route, request *Request) {
	t.Helper()
	if got, want := matched(t, table, request), modelMatch(routes, request); got != want {
		t.Fatalf("%s %s%s?%s %v goes to %s, want %s\ngot:  %+v\nwant: %+v", request.Method, request.Host, request.Path,
			request.Query, request.Header, got, want, routes[got], routes[want])
	}
}

func TestATableMadeFromAnotherIsLikeOneMadeAnew(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 2))}
	routes := map[string]*lb.Route{}
	var table *Table
	for range 300 {
		before, beforeTable := maps.Clone(routes), table
		for range 1 + r.IntN(4) {
			if name := fmt.Sprint("r", r.IntN(30)); r.IntN(3) == 0 {
				delete(routes, name)
			} else {
				routes[name] = r.route()
			}
		}
		if table != nil && r.IntN(50) == 0 {
			clear(routes)
		}
		table = New(maps.Clone(routes), table)
		for range 30 {
			request := r.request()
			expectModel(t, table, routes, request)
			if beforeTable != nil {
				expectModel(t, beforeTable, before, request) // it must not notice
			}
		}
	}
	table = New(nil, table)
	if table.any != nil || len(table.exact)+len(table.wildcard) > 0 {
		t.Errorf("a table whose routes are all gone still holds some: %+v", table)
	}
}

func TestUnchangedRoutesAreTakenOver(t *testing.T) {
	routes := map[string]*lb.Route{
		"same":    forward(lb.RouteMatch{PathRegex: "/a/.*"}, 0),
		"changed": forward(lb.RouteMatch{PathPrefix: "/b"}, 0),
	}
	first := New(routes, nil)
	if New(maps.Clone(routes), first) != first {
		t.Error("a table was made although nothing changed")
	}
	other := maps.Clone(routes)
	other["changed"] = forward(lb.RouteMatch{PathPrefix: "/b"}, 0)
	second := New(other, first)
	for target, want := range map[string]bool{"/a/x": true, "/b": false} {
		before, _ := first.Match(get("a.test", target))
		after, _ := second.Match(get("a.test", target))
		if same := before == after; same != want {
			t.Errorf("the route of %s was taken over: %t", target, same)
		}
	}
}

func TestATableDoesNotKeepTheOneItWasMadeFrom(t *testing.T) {
	routes := deep(20)
	table := New(routes, nil)
	first := weak.Make(table)
	for i := range 3 {
		routes = maps.Clone(routes)
		routes[fmt.Sprint("r", i)] = forward(lb.RouteMatch{PathPrefix: "/other"}, 0)
		table = New(routes, table)
	}
	runtime.GC()
	if first.Value() != nil {
		t.Error("the first of four tables is still in memory")
	}
	runtime.KeepAlive(table)
}

func FuzzMatchNeverPanics(f *testing.F) {
	r := random{rand.New(rand.NewPCG(7, 3))}
	routes := map[string]*lb.Route{"wild": forward(lb.RouteMatch{Hosts: []string{"*.example.com"}, PathExact: "/"}, 0)}
	for i := range 100 {
		routes[fmt.Sprint("r", i)] = r.route()
	}
	table := New(routes, nil)
	f.Add("a.example.com:80", "/a/b", "p=1", "1")
	f.Add("[", "..", "&=&%", "")
	f.Add("[::1]:", "*", "q", "2")
	f.Add(strings.Repeat("a.", 200)+"test", "/%2e%2E//a", "+=+", "12")
	f.Fuzz(func(t *testing.T, host, path, query, value string) {
		request := &Request{
			Host: []byte(host), Path: []byte(path), Query: []byte(query),
			Method: []byte("GET"), Header: fields{"x", value},
		}
		found, err := table.Match(request)
		var refused *RequestError
		if err != nil && (found != nil || !errors.As(err, &refused)) {
			t.Errorf("route %v and error %v", found, err)
		}
		again, _ := table.Match(request)
		if found != again {
			t.Error("the same request goes elsewhere the second time")
		}
	})
}
