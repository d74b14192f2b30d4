package lb

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Defaults and bounds of a route.
const (
	DefaultPriority      = 0
	MinPriority          = -10_000
	MaxPriority          = 10_000
	MaxRouteHosts        = 100
	MaxRouteMethods      = 16
	MaxRouteForwards     = 64
	MaxForwardWeight     = 10_000
	DefaultForwardWeight = 1
)

// Route sends requests of a listener that match to pools.
//
// Of all routes of a listener that match a request, the one with the highest
// priority wins; then the one with the more specific host (exact, wildcard,
// any), then the more specific path (exact, longest prefix), then the one that
// names methods, then the first by name.
type Route struct {
	Meta
	Listener string      `json:"listener"`
	Priority int         `json:"priority"`
	Match    RouteMatch  `json:"match"`
	Action   RouteAction `json:"action"`
}

// RouteMatch says which requests a route is for. What is empty matches all.
type RouteMatch struct {
	Hosts      []string `json:"hosts"`
	PathExact  string   `json:"path_exact"`
	PathPrefix string   `json:"path_prefix"`
	Methods    []string `json:"methods"`
}

// RouteAction says what happens to a request that matches.
type RouteAction struct {
	// Forward shares requests among pools, by pool name.
	Forward map[string]ForwardTarget `json:"forward"`
}

// ForwardTarget is one pool's share of a route.
type ForwardTarget struct {
	Weight int `json:"weight"`
}

// UnmarshalJSONFrom lets an absent weight take its default.
func (t *ForwardTarget) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain ForwardTarget
	v := plain{Weight: DefaultForwardWeight}
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	*t = ForwardTarget(v)
	return nil
}

// NewRoute returns a route with every default set.
func NewRoute() *Route { return &Route{Priority: DefaultPriority} }

// Kind implements [Object].
func (*Route) Kind() Kind { return KindRoute }

// Normalize implements [Object].
func (r *Route) Normalize() {
	r.Meta.normalize()
	r.Match.Hosts = sortedSet(lowerAll(r.Match.Hosts))
	r.Match.Methods = sortedSet(r.Match.Methods)
	if r.Action.Forward == nil {
		r.Action.Forward = map[string]ForwardTarget{}
	}
}

// References implements [Object].
func (r *Route) References() []Reference {
	refs := []Reference{{
		Pointer: "/listener",
		To:      Address{KindListener, r.Listener},
		Suits: func(obj Object) string {
			if l, ok := obj.(*Listener); ok && l.Protocol == ListenerTCP {
				return fmt.Sprintf("has protocol %s; routes belong to %s and %s listeners", l.Protocol, ListenerHTTP, ListenerHTTPS)
			}
			return ""
		},
	}}
	for _, name := range slices.Sorted(maps.Keys(r.Action.Forward)) {
		refs = append(refs, Reference{
			Pointer: "/action/forward/" + escapePointer(name),
			To:      Address{KindPool, name},
			Suits:   wantPool(PoolHTTP),
		})
	}
	return refs
}

var methodPattern = regexp.MustCompile(`^[A-Z]{1,32}$`)

// Validate implements [Object].
func (r *Route) Validate() Violations {
	c := newChecker()
	r.Meta.validate(c)
	c.at("listener").try(CheckName(r.Listener))
	c.at("priority").intIn(r.Priority, MinPriority, MaxPriority)
	r.Match.validate(c.at("match"))

	forward := c.at("action").at("forward")
	if len(r.Action.Forward) == 0 {
		forward.fail("must name at least one pool")
	}
	if len(r.Action.Forward) > MaxRouteForwards {
		forward.fail("names %d pools; at most %d are allowed", len(r.Action.Forward), MaxRouteForwards)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Action.Forward)) {
		at := forward.at(name)
		at.try(CheckName(name))
		at.at("weight").intIn(r.Action.Forward[name].Weight, 0, MaxForwardWeight)
	}
	if len(r.Action.Forward) > 0 && r.Action.TotalWeight() == 0 {
		forward.fail("must give at least one pool a weight above 0")
	}
	return *c.found
}

// TotalWeight is the sum of all targets' weights.
func (a RouteAction) TotalWeight() int {
	total := 0
	for _, t := range a.Forward {
		total += t.Weight
	}
	return total
}

func (m RouteMatch) validate(c checker) {
	hosts := c.at("hosts")
	if len(m.Hosts) > MaxRouteHosts {
		hosts.fail("has %d hosts; at most %d are allowed", len(m.Hosts), MaxRouteHosts)
	}
	for i, h := range m.Hosts {
		hosts.index(i).try(checkHost(strings.TrimPrefix(h, "*.")))
	}
	if m.PathExact != "" {
		c.at("path_exact").try(checkPath(m.PathExact))
	}
	if m.PathPrefix != "" {
		c.at("path_prefix").try(checkPath(m.PathPrefix))
	}
	if m.PathExact != "" && m.PathPrefix != "" {
		c.at("path_prefix").fail("can't be combined with path_exact: choose one")
	}
	methods := c.at("methods")
	if len(m.Methods) > MaxRouteMethods {
		methods.fail("has %d methods; at most %d are allowed", len(m.Methods), MaxRouteMethods)
	}
	for i, method := range m.Methods {
		if !methodPattern.MatchString(method) {
			methods.index(i).fail("%s must be a method in capital letters, such as GET", shown(method))
		}
	}
}
