package lb

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MatchType is how a value is compared.
type MatchType string

// The ways to compare a value.
const (
	MatchExact  MatchType = "exact"
	MatchPrefix MatchType = "prefix"
	// MatchRegex is an RE2 expression for the whole value.
	MatchRegex   MatchType = "regex"
	MatchPresent MatchType = "present"
	MatchAbsent  MatchType = "absent"
)

// MatchTypes lists every way to compare a value.
var MatchTypes = []MatchType{MatchExact, MatchPrefix, MatchRegex, MatchPresent, MatchAbsent}

// Defaults and bounds of what a route matches.
const (
	MaxRouteHosts          = 100
	MaxRouteMethods        = 16
	DefaultMatchType       = MatchExact
	MaxHeaderMatches       = 16
	MaxQueryMatches        = 16
	MaxParameterNameLength = 128
)

// RouteMatch says which requests a route is for. What is empty matches all.
type RouteMatch struct {
	// Hosts are exact names, or begin with "*." for all names below.
	Hosts []string `json:"hosts"`
	// PathExact, PathPrefix and PathRegex exclude each other.
	PathExact  string `json:"path_exact"`
	PathPrefix string `json:"path_prefix"`
	// PathRegex is an RE2 expression that must match the whole decoded path.
	PathRegex string   `json:"path_regex"`
	Methods   []string `json:"methods"`
	// Headers by name, in lower case; all must match.
	Headers map[string]ValueMatch `json:"headers"`
	// Query parameters by name; all must match.
	Query map[string]ValueMatch `json:"query"`
}

// ValueMatch is a condition on a header or query parameter.
type ValueMatch struct {
	Type MatchType `json:"type"`
	// Value is empty for [MatchPresent] and [MatchAbsent].
	Value string `json:"value"`
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (m *ValueMatch) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain ValueMatch
	return decodeOver(dec, (*plain)(m), plain{Type: DefaultMatchType})
}

func (m *RouteMatch) normalize() {
	m.Hosts = sortedSet(lowerAll(m.Hosts))
	m.Methods = sortedSet(m.Methods)
	if m.Headers == nil {
		m.Headers = map[string]ValueMatch{}
	}
	if m.Query == nil {
		m.Query = map[string]ValueMatch{}
	}
}

var methodPattern = regexp.MustCompile(`^[A-Z]{1,32}$`)

func (m RouteMatch) validate(c checker) {
	hosts := c.at("hosts")
	checkCount(hosts, len(m.Hosts), MaxRouteHosts, "hosts")
	for i, h := range m.Hosts {
		hosts.index(i).try(checkHost(strings.TrimPrefix(h, "*.")))
	}
	m.validatePath(c)
	methods := c.at("methods")
	checkCount(methods, len(m.Methods), MaxRouteMethods, "methods")
	for i, method := range m.Methods {
		if !methodPattern.MatchString(method) {
			methods.index(i).fail("%s must be a method in capital letters, such as GET", shown(method))
		}
	}
	headers, query := c.at("headers"), c.at("query")
	checkCount(headers, len(m.Headers), MaxHeaderMatches, "headers")
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		headers.at(name).try(cmp.Or(checkHeaderKey(name), m.Headers[name].check()))
	}
	checkCount(query, len(m.Query), MaxQueryMatches, "parameters")
	for _, name := range slices.Sorted(maps.Keys(m.Query)) {
		query.at(name).try(cmp.Or(checkParameter(name), m.Query[name].check()))
	}
}

func (m RouteMatch) validatePath(c checker) {
	if m.PathExact != "" {
		c.at("path_exact").try(checkBarePath(m.PathExact))
	}
	switch prefix := c.at("path_prefix"); {
	case m.PathPrefix != "" && m.PathExact != "":
		prefix.fail("can't be combined with path_exact: choose one")
	case m.PathPrefix != "":
		prefix.try(checkBarePath(m.PathPrefix))
	}
	switch regex := c.at("path_regex"); {
	case m.PathRegex != "" && (m.PathExact != "" || m.PathPrefix != ""):
		regex.fail("can't be combined with path_exact or path_prefix: choose one")
	case m.PathRegex != "":
		regex.try(checkRegex(m.PathRegex))
	}
}

// check returns what is wrong with a condition, or "". It speaks of the
// condition as a whole, since its type decides on its value.
func (m ValueMatch) check() string {
	msg := ""
	switch m.Type {
	case MatchExact:
		msg = checkText(m.Value, MaxHeaderValueLength)
	case MatchPrefix:
		if msg = checkText(m.Value, MaxHeaderValueLength); m.Value == "" {
			msg = fmt.Sprintf("is required for type %s; type %s takes any value", MatchPrefix, MatchPresent)
		}
	case MatchRegex:
		msg = checkRegex(m.Value)
	case MatchPresent, MatchAbsent:
		if m.Value != "" {
			msg = fmt.Sprintf("is not looked at by type %s; leave it out", m.Type)
		}
	default:
		return fmt.Sprintf("type %s must be one of %s", shown(string(m.Type)), joinWords(MatchTypes))
	}
	if msg != "" {
		return "value " + msg
	}
	return ""
}

// checkParameter accepts the name of a query parameter, decoded.
func checkParameter(name string) string {
	if name == "" {
		return "the parameter's name is required"
	}
	return checkText(name, MaxParameterNameLength)
}
