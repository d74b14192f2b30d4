package lb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Defaults and bounds of a route.
const (
	DefaultPriority     = 0
	MinPriority         = -10_000
	MaxPriority         = 10_000
	DefaultRouteTimeout = Duration(0)
)

// Route says what happens to those requests of a listener that match.
//
// Of all routes of a listener that match a request, the one with the highest
// priority wins; then the one with the more specific host (exact, longer
// wildcard, any); then the more specific path (exact, longer prefix, regular
// expression, any); then the one with more conditions (methods, headers, query
// parameters); then the first by name.
//
// A route of a [ListenerTLSPassthrough] goes by the name that a client asks for
// when it begins TLS. It has only hosts and pools to forward to.
type Route struct {
	Meta
	Listener string      `json:"listener"`
	Priority int         `json:"priority"`
	Match    RouteMatch  `json:"match"`
	Action   RouteAction `json:"action"`
	// RequestHeaders changes what the member gets, ResponseHeaders what the client gets.
	RequestHeaders  HeaderChanges `json:"request_headers"`
	ResponseHeaders HeaderChanges `json:"response_headers"`
	Timeouts        RouteTimeouts `json:"timeouts"`
}

// RouteTimeouts override those of the pool; 0 leaves them.
type RouteTimeouts struct {
	// Response is the time a member may take to begin its response.
	Response Duration `json:"response"`
	// Request bounds the whole exchange, retries included; 0: no bound.
	Request Duration `json:"request"`
}

// NewRoute returns a route with every default set.
func NewRoute() *Route {
	return &Route{
		Priority: DefaultPriority,
		Timeouts: RouteTimeouts{Response: DefaultRouteTimeout, Request: DefaultRouteTimeout},
	}
}

// Kind implements [Object].
func (*Route) Kind() Kind { return KindRoute }

// Normalize implements [Object].
func (r *Route) Normalize() {
	r.Meta.normalize()
	r.Match.normalize()
	if r.Action.Forward == nil {
		r.Action.Forward = map[string]ForwardTarget{}
	}
	if to := r.Action.Redirect; to != nil {
		to.Host = strings.ToLower(to.Host)
	}
	if to := r.Action.Rewrite; to != nil {
		to.Host = strings.ToLower(to.Host)
	}
	r.RequestHeaders.normalize()
	r.ResponseHeaders.normalize()
}

// References implements [Object].
func (r *Route) References() []Reference {
	refs := make([]Reference, 0, len(r.Action.Forward)+2)
	refs = append(refs, Reference{"/listener", Address{KindListener, r.Listener}, r.suitsListener})
	for _, name := range slices.Sorted(maps.Keys(r.Action.Forward)) {
		refs = append(refs, Reference{"/action/forward/" + escapePointer(name), Address{KindPool, name}, r.suitsPool})
	}
	if m := r.Action.Mirror; m != nil {
		refs = append(refs, Reference{"/action/mirror/pool", Address{KindPool, m.Pool}, r.suitsPool})
	}
	return refs
}

// suitsPool returns why a pool can't serve the route, or "". Which pools can is
// decided by the listener, which has its own say when it suits no route at all.
func (r *Route) suitsPool(view View, pool Object) string {
	want := PoolHTTP
	if l, ok := view.Lookup(Address{KindListener, r.Listener}).(*Listener); ok && l.Protocol == ListenerTLSPassthrough {
		want = PoolTCP
	}
	return wantPool(pool, want)
}

// suitsListener returns why the route can't be of a listener, or "".
func (r *Route) suitsListener(_ View, obj Object) string {
	l, ok := obj.(*Listener)
	switch {
	case !ok:
		return ""
	case l.Protocol == ListenerTCP:
		return fmt.Sprintf("has protocol %s; routes belong to %s, %s and %s listeners", l.Protocol, ListenerHTTP, ListenerHTTPS, ListenerTLSPassthrough)
	case l.Protocol == ListenerTLSPassthrough:
		if needs := r.needsRequests(); len(needs) > 0 {
			return fmt.Sprintf("has protocol %s and sees no requests; its routes have match.hosts and action.forward, and not %s", l.Protocol, joinWords(needs))
		}
	}
	return ""
}

// needsRequests lists the attributes of a route that nobody can act by who does
// not see requests.
func (r *Route) needsRequests() []string {
	m, a := r.Match, r.Action
	var needs []string
	for _, attribute := range []struct {
		name string
		used bool
	}{
		{"match.path_exact", m.PathExact != ""},
		{"match.path_prefix", m.PathPrefix != ""},
		{"match.path_regex", m.PathRegex != ""},
		{"match.methods", len(m.Methods) > 0},
		{"match.headers", len(m.Headers) > 0},
		{"match.query", len(m.Query) > 0},
		{"action.redirect", a.Redirect != nil},
		{"action.fixed_response", a.FixedResponse != nil},
		{"action.rewrite", a.Rewrite != nil},
		{"action.mirror", a.Mirror != nil},
		{"request_headers", !r.RequestHeaders.IsZero()},
		{"response_headers", !r.ResponseHeaders.IsZero()},
		{"timeouts", r.Timeouts != RouteTimeouts{}},
	} {
		if attribute.used {
			needs = append(needs, attribute.name)
		}
	}
	return needs
}

// Validate implements [Object].
func (r *Route) Validate() Violations {
	c := newChecker()
	r.Meta.validate(c)
	c.at("listener").try(CheckName(r.Listener))
	c.at("priority").intIn(r.Priority, MinPriority, MaxPriority)
	r.Match.validate(c.at("match"))
	r.Action.validate(c.at("action"), r.Match)
	r.RequestHeaders.validate(c.at("request_headers"))
	r.ResponseHeaders.validate(c.at("response_headers"))
	t := c.at("timeouts")
	t.at("response").durationIfSet(r.Timeouts.Response, MinTimeout, MaxTimeout)
	t.at("request").durationIfSet(r.Timeouts.Request, MinTimeout, MaxTimeout)
	return *c.found
}
