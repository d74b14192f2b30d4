package route

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// hosts is n routes, each with a host of its own.
func hosts(n int) map[string]*lb.Route {
	routes := map[string]*lb.Route{}
	for i := range n {
		routes[fmt.Sprint("r", i)] = forward(lb.RouteMatch{Hosts: []string{fmt.Sprintf("h%d.example.com", i)}}, 0)
	}
	return routes
}

// wide is n prefixes side by side.
func wide(n int) map[string]*lb.Route {
	routes := map[string]*lb.Route{}
	for i := range n {
		routes[fmt.Sprint("r", i)] = forward(lb.RouteMatch{PathPrefix: fmt.Sprint("/service-", i)}, 0)
	}
	return routes
}

// deep is n prefixes of six segments, ten below each.
func deep(n int) map[string]*lb.Route {
	routes := map[string]*lb.Route{}
	for i := range n {
		digits := strings.Split(fmt.Sprintf("%06d", i), "")
		routes[fmt.Sprint("r", i)] = forward(lb.RouteMatch{PathPrefix: "/seg" + strings.Join(digits, "/seg")}, 0)
	}
	return routes
}

// regexes is n regexes below directories of their own.
func regexes(n int) map[string]*lb.Route {
	routes := map[string]*lb.Route{}
	for i := range n {
		routes[fmt.Sprint("r", i)] = forward(lb.RouteMatch{PathRegex: fmt.Sprintf("/tenant-%d/orders/[0-9]+", i)}, 0)
	}
	return routes
}

// allocations is the least of many runs: under the race detector the pools of package
// regexp forget at random.
func allocations(f func()) float64 {
	least := testing.AllocsPerRun(1, f)
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, f))
	}
	return least
}

func TestALookupAllocatesNothing(t *testing.T) {
	match := lb.RouteMatch{
		Hosts: []string{"*.example.com"}, PathRegex: "/api/[a-z ]+", Methods: []string{"GET"},
		Headers: map[string]lb.ValueMatch{"x-env": {Type: lb.MatchRegex, Value: "t.*"}, "x-no": {Type: lb.MatchAbsent}},
		Query:   map[string]lb.ValueMatch{"v w": {Type: lb.MatchExact, Value: "1 2"}, "r": {Type: lb.MatchRegex, Value: "[0-9] ?"}},
	}
	table := New(map[string]*lb.Route{
		"all":    forward(match, 0),
		"prefix": forward(lb.RouteMatch{Hosts: []string{"a.example.com"}, PathPrefix: "/static"}, 0),
	}, nil)
	line := &oneLine{"x-env", []byte("test")}
	for name, tc := range map[string]struct{ host, target, want string }{
		"a plain path":              {"a.example.com", "/static/app.js", "prefix"},
		"a path to clean and regex": {"A.Example.com:8080", "//a/.%2e/api/a%20b?a&v+w=1%202&r=1", "all"},
		"a decoded regex input":     {"A.Example.com:8080", "/api/x?v+w=1%202&r=1%20", "all"},
		"no route":                  {"b.example.com", "/x/y/z", "none"},
	} {
		r := get(tc.host, tc.target)
		r.Header = line
		if got := matched(t, table, r); got != tc.want {
			t.Errorf("%s goes to %s, want %s", name, got, tc.want)
		}
		if n := allocations(func() { table.Match(r) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	broken := get("a.example.com", "/%")
	if n := allocations(func() { table.Match(broken) }); n > 0 {
		t.Errorf("a refusal: %v allocations", n)
	}
}

// oneLine is a header with a single field, which it returns without a copy.
type oneLine struct {
	name  string
	value []byte
}

func (l *oneLine) Next(name string, from int) (value []byte, next int) {
	if from == 0 && name == l.name {
		return l.value, 1
	}
	return nil, -1
}

func TestActionsAllocateNothing(t *testing.T) {
	var (
		prefix = rewriting(lb.RouteMatch{PathPrefix: "/old"}, lb.Rewrite{PathPrefix: "/new"})
		two    = fromAction(lb.RouteAction{
			Forward: map[string]lb.ForwardTarget{"a": {Weight: 1}, "b": {Weight: 2}},
			Mirror:  &lb.Mirror{Pool: "c", Percent: 50},
		})
		to     = redirecting(lb.Redirect{Scheme: "https", Port: 8443, PathPrefix: "/new"})
		edit   = compileHeaders(lb.HeaderChanges{Remove: []string{"x-a", "x-b"}})
		dst    = make([]byte, 0, 256)
		host   = []byte("a.test:8080")
		path   = []byte("/old/x%20y")
		dotted = []byte("/x/../old/y")
		query  = []byte("a=b")
		name   = []byte("X-B")
	)
	for what, do := range map[string]func(){
		"drawing a pool":                   func() { two.Pool() },
		"drawing a mirror":                 func() { two.MirrorPool() },
		"a target":                         func() { prefix.AppendTarget(dst, path, query) },
		"a target of a path to clean":      func() { prefix.AppendTarget(dst, dotted, query) },
		"a location":                       func() { to.AppendLocation(dst, false, host, path, query) },
		"a location without path":          func() { to.AppendLocation(dst, false, host, nil, nil) },
		"asking whether a field is edited": func() { edit.Removes(name) },
	} {
		if n := allocations(do); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

// counted is how many nodes a search for a path visits at most, and how many regexes
// it tries: what a lookup costs beyond reading the request.
func (p *paths) counted(path string) (nodes, regexes int) {
	rest := []byte(path)
	for n := p.literal; n != nil && len(rest) > 0; nodes++ {
		var segment []byte
		segment, rest = cutSegment(rest)
		n = n.children[string(segment)]
	}
	rest = []byte(path)
	for n := p.regex; n != nil; {
		regexes += len(n.prefix)
		if len(rest) == 0 {
			break
		}
		var segment []byte
		segment, rest = cutSegment(rest)
		n = n.children[string(segment)]
	}
	return nodes, regexes
}

func TestRegexesOfOtherDirectoriesAreNotTried(t *testing.T) {
	table := New(regexes(1000), nil)
	if _, n := table.any.counted("/tenant-7/orders/1"); n != 1 {
		t.Errorf("%d of 1000 regexes are tried", n)
	}
	for expr, want := range map[string]string{
		"/api/v[12]/.*":   "/api",
		"^/api/v1/.*$":    "/api/v1",
		"(/a/b/c)":        "/a/b",
		"(/a/b/)?c":       "",
		"/a/b?/c":         "/a",
		"/a/b/|/a/c/":     "/a",
		"/x/|/y/":         "",
		"(?i)/api/.*":     "",
		"/api/(?i)v1/.*":  "/api",
		"/a\\/b/":         "/a/b",
		"/a/\uFFFD/b/":    "/a",
		"":                "",
		"^":               "",
		".*":              "",
		"/only":           "",
		"(?P<x>/a/)(/b/)": "/a",
	} {
		re, err := compileRegex(expr)
		if err != nil || re.directory != want {
			t.Errorf("%s begins with %q (%v), want %q", expr, re.directory, err, want)
		}
	}
}

func TestALookupGoesNoDeeperThanRoutesDo(t *testing.T) {
	table := New(map[string]*lb.Route{"r": forward(lb.RouteMatch{PathPrefix: "/a/a/a"}, 0)}, nil)
	if n, _ := table.any.counted(strings.Repeat("/a", 100_000)); n > 4 {
		t.Errorf("%d segments are looked up, although routes have 3", n)
	}
}

var sizes = []int{10, 1_000, 10_000, 100_000}

func BenchmarkMatch(b *testing.B) {
	for _, shape := range []struct {
		name   string
		routes func(int) map[string]*lb.Route
		host   string
		path   string
	}{
		{"hosts", hosts, "h7.example.com:8080", "/api/v1/users/7"},
		{"wide", wide, "app.example.com", "/service-7/v1/users/7"},
		{"deep", deep, "app.example.com", "/seg0/seg0/seg0/seg0/seg0/seg7/users/7"},
		{"regex", regexes, "app.example.com", "/tenant-7/orders/12345"},
		{"dots", wide, "app.example.com", "/x/../service-7/a%20b"},
	} {
		for _, n := range sizes {
			if shape.name == "regex" && n > 10_000 {
				continue
			}
			table := New(shape.routes(n), nil)
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				benchmarkMatch(b, table, get(shape.host, shape.path), "r7")
			})
		}
	}
}

func benchmarkMatch(b *testing.B, table *Table, r *Request, want string) {
	b.ReportAllocs()
	for b.Loop() {
		found, err := table.Match(r)
		if want == "" && found == nil && err == nil {
			continue
		}
		if err != nil || found == nil || found.Name != want {
			b.Fatalf("goes to %v (%v), want %q", found, err, want)
		}
	}
}

// BenchmarkMatchSpread looks up every route in turn, so that little is in the caches.
func BenchmarkMatchSpread(b *testing.B) {
	for _, n := range sizes {
		table := New(wide(n), nil)
		requests := make([]*Request, n)
		for i := range requests {
			requests[i] = get("app.example.com", fmt.Sprintf("/service-%d/v1/users/7", i*7919%n))
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if found, _ := table.Match(requests[i%n]); found == nil {
					b.Fatal("no route")
				}
			}
		})
	}
}

func BenchmarkMatchHostile(b *testing.B) {
	routes := wide(10_000)
	routes["below"] = forward(lb.RouteMatch{PathPrefix: strings.Repeat("/a", 1_000)}, 0)
	routes["wild"] = forward(lb.RouteMatch{Hosts: []string{"*." + strings.Repeat("a.", 120) + "com"}}, 0)
	table := New(routes, nil)
	const size = 64 << 10
	for name, r := range map[string]*Request{
		"path of segments":         get("app.example.com", strings.Repeat("/b", size/2)),
		"path as deep as routes":   get("app.example.com", strings.Repeat("/a", 999)+strings.Repeat("/c", size/2)),
		"path of one segment":      get("app.example.com", "/"+strings.Repeat("a", size)),
		"path of slashes":          get("app.example.com", strings.Repeat("/", size)),
		"path of climbing":         get("app.example.com", strings.Repeat("/a/..", size/5)),
		"path of encoded climbing": get("app.example.com", strings.Repeat("/%61/%2e%2e", size/11)),
		"host of 30000 labels":     get(strings.Repeat("a.", 30_000)+"org", "/"),
	} {
		b.Run(name, func(b *testing.B) { benchmarkMatch(b, table, r, "") })
	}
}

func BenchmarkNew(b *testing.B) {
	for name, shape := range map[string]func(int) map[string]*lb.Route{"hosts": hosts, "wide": wide, "deep": deep, "regex": regexes} {
		routes := shape(10_000)
		b.Run(name+"/all", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(routes, nil)
			}
		})
		previous := New(routes, nil)
		changed := maps.Clone(routes)
		other := *changed["r5000"]
		changed["r5000"] = &other
		b.Run(name+"/one changed", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(changed, previous)
			}
		})
	}
}

func BenchmarkActions(b *testing.B) {
	dst := make([]byte, 0, 256)
	host, path, query := []byte("a.test:8080"), []byte("/old/users/7%20a"), []byte("a=b&c=d")
	to := redirecting(lb.Redirect{Scheme: "https", PathPrefix: "/new"})
	b.Run("location", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			to.AppendLocation(dst, false, host, path, query)
		}
	})
	prefix := rewriting(lb.RouteMatch{PathPrefix: "/old"}, lb.Rewrite{PathPrefix: "/new"})
	b.Run("prefix", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			prefix.AppendTarget(dst, path, query)
		}
	})
	regex := rewriting(lb.RouteMatch{PathRegex: "/old/(.*)"}, lb.Rewrite{Path: "/new/$1"})
	b.Run("regex", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			regex.AppendTarget(dst, path, query)
		}
	})
	edit := compileHeaders(lb.HeaderChanges{Remove: []string{"x-powered-by", "server"}, Set: map[string]string{"strict-transport-security": "max-age=1"}})
	name := []byte("Content-Type")
	b.Run("header", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			edit.Removes(name)
		}
	})
}
