package route

import (
	"cmp"
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Route is a compiled [lb.Route]. It is immutable.
type Route struct {
	Name string
	// Redirect and FixedResponse answer without a member; a route that has neither
	// forwards to its pools.
	Redirect      *Redirect
	FixedResponse *FixedResponse
	// Host is what the member is asked for in place of the request's host; "" keeps it.
	Host string
	// RequestHeaders changes what the member gets, ResponseHeaders what the client gets.
	RequestHeaders  HeaderEdit
	ResponseHeaders HeaderEdit
	Timeouts        lb.RouteTimeouts

	config     *lb.Route
	priority   int
	kind       pathKind
	segments   []string // of an exact path, a prefix, or the directory of a regex
	regex      *regexp.Regexp
	conditions conditions
	impossible bool // holds an invalid regex, which lb does not admit

	targets []target
	total   int        // of the targets' weights
	mirror  *lb.Mirror // nil without one
	rewrite *pathEdit  // nil keeps the path
}

// FixedResponse is an answer without a member.
type FixedResponse struct {
	Status      int
	ContentType string
	Body        []byte // not to be written to
}

// target is one pool's share of a route; its weight is above 0.
type target struct {
	pool   string
	weight int
}

type pathKind uint8

const (
	anyPath pathKind = iota
	regexPath
	prefixPath
	exactPath
)

func compile(name string, config *lb.Route) *Route {
	r := &Route{
		Name: name, config: config, priority: config.Priority,
		RequestHeaders:  compileHeaders(config.RequestHeaders),
		ResponseHeaders: compileHeaders(config.ResponseHeaders),
		Timeouts:        config.Timeouts,
	}
	r.compileMatch(config.Match)
	r.compileAction(config.Action)
	return r
}

func (r *Route) compileMatch(m lb.RouteMatch) {
	path := ""
	switch {
	case m.PathExact != "":
		r.kind, path = exactPath, configuredPath(m.PathExact)
	case m.PathPrefix != "":
		r.kind, path = prefixPath, strings.TrimSuffix(configuredPath(m.PathPrefix), "/")
	case m.PathRegex != "":
		re, err := compileRegex(m.PathRegex)
		r.kind, r.regex, path, r.impossible = regexPath, re.Regexp, re.directory, err != nil
	}
	if path != "" {
		r.segments = strings.Split(strings.TrimPrefix(path, "/"), "/")
	}
	var err error
	if r.conditions, err = compileConditions(m); err != nil {
		r.impossible = true
	}
}

func (r *Route) compileAction(action lb.RouteAction) {
	if len(action.Forward) > 0 {
		r.targets = make([]target, 0, len(action.Forward))
	}
	r.mirror = action.Mirror
	for pool, to := range action.Forward {
		if to.Weight > 0 {
			r.targets = append(r.targets, target{pool, to.Weight})
			r.total += to.Weight
		}
	}
	if to := action.Rewrite; to != nil {
		r.Host = to.Host
		r.rewrite = compilePathEdit(to.Path, to.PathPrefix, r.config.Match, r.regex)
	}
	if to := action.Redirect; to != nil {
		r.Redirect = compileRedirect(to, r.config.Match)
	}
	if fixed := action.FixedResponse; fixed != nil {
		r.FixedResponse = &FixedResponse{fixed.Status, fixed.ContentType, []byte(fixed.Body)}
	}
}

// compareRoutes orders routes whose host and path are equally specific.
func compareRoutes(a, b *Route) int {
	return cmp.Or(
		cmp.Compare(b.priority, a.priority),
		cmp.Compare(b.conditions.count(), a.conditions.count()),
		cmp.Compare(a.Name, b.Name))
}

// Pool draws one of the route's pools by weight. It is "" for a route that forwards
// to none.
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

// MirrorPool draws whether a request is to be mirrored, and names the pool that gets
// the copy; "" is none.
func (r *Route) MirrorPool() string {
	if r.mirror == nil || r.mirror.Percent < 100 && rand.IntN(100) >= r.mirror.Percent {
		return ""
	}
	return r.mirror.Pool
}

// AppendTarget appends the request target for a member (RFC 9112 §3.2.1): path and
// query, rewritten as the route says. Path and query are as sent; the query is nil
// when there is none, and empty behind a lone question mark. What is appended holds
// no space, no control character and nothing beyond ASCII. Only a rewrite with a
// regex allocates.
func (r *Route) AppendTarget(dst, path, query []byte) []byte {
	return appendQuery(r.rewrite.append(dst, path), query)
}
