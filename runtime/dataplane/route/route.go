// Package route finds the route a request belongs to.
//
// The order is that of [lb.Route]: priority; then the more specific host (exact,
// longer wildcard, any); then the more specific path (exact, longer prefix, any);
// then routes that name methods; then the first by name.
//
// Hosts are compared without port, trailing dot and case. Paths are compared
// decoded, without dot segments (RFC 3986 §5.2.4) and with runs of slashes as one:
// as most servers will read them, so that /public/..%2fadmin is not /public to us
// and /admin to the member. The request is forwarded as it came.
package route

import (
	"cmp"
	"math/rand/v2"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Table holds the routes of one listener, compiled for lookup. It is immutable.
type Table struct {
	exact    map[string]*paths // by host
	wildcard map[string]*paths // by the host behind "*."
	any      *paths
	// longestWildcard bounds the suffixes of a host that are looked up: a
	// client chooses how many labels it sends.
	longestWildcard int
}

// paths holds the routes of one host pattern.
type paths struct {
	exact  map[string][]*Route
	prefix map[string][]*Route // "/a", and "/" for all below the root
	any    []*Route
	// longestPrefix bounds the prefixes that are looked up, as above.
	longestPrefix int
}

// Route is a compiled [lb.Route].
type Route struct {
	Name     string
	priority int
	methods  []string
	targets  []target
	total    int
}

type target struct {
	pool   string
	weight int
}

// New compiles the routes of a listener, by name.
func New(routes map[string]*lb.Route) *Table {
	t := &Table{exact: map[string]*paths{}, wildcard: map[string]*paths{}, any: newPaths()}
	for name, config := range routes {
		r := compile(name, config)
		if len(config.Match.Hosts) == 0 {
			t.any.add(config.Match, r)
		}
		for _, host := range config.Match.Hosts {
			t.host(host).add(config.Match, r)
		}
	}
	for _, p := range t.exact {
		p.sort()
	}
	for _, p := range t.wildcard {
		p.sort()
	}
	t.any.sort()
	return t
}

func compile(name string, config *lb.Route) *Route {
	r := &Route{Name: name, priority: config.Priority, methods: config.Match.Methods}
	for pool, to := range config.Action.Forward {
		if to.Weight > 0 {
			r.targets = append(r.targets, target{pool, to.Weight})
			r.total += to.Weight
		}
	}
	return r
}

// Pool draws one of the route's pools by weight. It is "" for a route that
// forwards to none, which lb does not admit.
func (r *Route) Pool() string {
	if len(r.targets) == 1 {
		return r.targets[0].pool
	}
	if r.total == 0 {
		return ""
	}
	at := rand.IntN(r.total)
	for _, t := range r.targets {
		if at -= t.weight; at < 0 {
			return t.pool
		}
	}
	return ""
}

// Match returns the route for a request's Host header, decoded path and method,
// or nil.
func (t *Table) Match(host, urlPath, method string) *Route {
	host, urlPath = CanonicalHost(host), CanonicalPath(urlPath)
	var best *Route
	// The more specific come first, so only a higher priority beats what is found.
	consider := func(p *paths) {
		if p != nil {
			best = better(best, p.match(urlPath, method))
		}
	}
	consider(t.exact[host])
	for suffix := host; len(t.wildcard) > 0; {
		_, rest, ok := strings.Cut(suffix, ".")
		if !ok {
			break
		}
		if suffix = rest; len(suffix) <= t.longestWildcard {
			consider(t.wildcard[suffix])
		}
	}
	consider(t.any)
	return best
}

func better(best, next *Route) *Route {
	if best == nil || next != nil && next.priority > best.priority {
		return next
	}
	return best
}

func (t *Table) host(pattern string) *paths {
	pattern = CanonicalHost(pattern)
	hosts := t.exact
	if suffix, ok := strings.CutPrefix(pattern, "*."); ok {
		pattern, hosts = suffix, t.wildcard
		t.longestWildcard = max(t.longestWildcard, len(suffix))
	}
	if hosts[pattern] == nil {
		hosts[pattern] = newPaths()
	}
	return hosts[pattern]
}

func newPaths() *paths { return &paths{exact: map[string][]*Route{}, prefix: map[string][]*Route{}} }

func (p *paths) add(m lb.RouteMatch, r *Route) {
	switch {
	case m.PathExact != "":
		key := configuredPath(m.PathExact)
		p.exact[key] = append(p.exact[key], r)
	case m.PathPrefix != "":
		key := configuredPath(m.PathPrefix)
		if len(key) > 1 {
			key = strings.TrimSuffix(key, "/")
		}
		p.prefix[key] = append(p.prefix[key], r)
		p.longestPrefix = max(p.longestPrefix, len(key))
	default:
		p.any = append(p.any, r)
	}
}

// sort brings every bucket into the order in which its routes are tried.
func (p *paths) sort() {
	order := func(routes []*Route) {
		slices.SortFunc(routes, func(a, b *Route) int {
			return cmp.Or(
				cmp.Compare(b.priority, a.priority),
				cmp.Compare(min(1, len(b.methods)), min(1, len(a.methods))),
				cmp.Compare(a.Name, b.Name))
		})
	}
	for _, routes := range p.exact {
		order(routes)
	}
	for _, routes := range p.prefix {
		order(routes)
	}
	order(p.any)
}

func (p *paths) match(urlPath, method string) *Route {
	best := first(p.exact[urlPath], method)
	// From the longest prefix that can be configured down to "/", at each
	// border of a segment.
	for end := min(len(urlPath), p.longestPrefix); end > 0; end-- {
		if end == len(urlPath) || urlPath[end] == '/' {
			best = better(best, first(p.prefix[urlPath[:end]], method))
		}
	}
	if strings.HasPrefix(urlPath, "/") {
		best = better(best, first(p.prefix["/"], method))
	}
	return better(best, first(p.any, method))
}

// first returns the first route of a bucket that takes the method.
func first(routes []*Route, method string) *Route {
	for _, r := range routes {
		if len(r.methods) == 0 || slices.Contains(r.methods, method) {
			return r
		}
	}
	return nil
}

// CanonicalHost strips the port, IPv6 brackets and a trailing dot from a Host
// header, and lowers its case.
func CanonicalHost(host string) string {
	if strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host[1:], "]")
	} else if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// CanonicalPath removes dot segments and repeated slashes from a decoded path.
// A trailing slash stays: /a and /a/ are two paths.
func CanonicalPath(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p
	}
	clean := path.Clean(p)
	if clean != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		clean += "/"
	}
	return clean
}

// configuredPath decodes a path of the configuration, which is written with
// percent-encoding, into the form that requests are compared in.
func configuredPath(p string) string {
	if decoded, err := url.PathUnescape(p); err == nil {
		p = decoded
	}
	return CanonicalPath(p)
}
