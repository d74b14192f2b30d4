package lb

import (
	"maps"
	"mime"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// What the attributes of a redirect may be. The statuses are those of RFC 9110
// §15.4 that lead to another place.
var (
	RedirectStatuses = []int{301, 302, 303, 307, 308}
	RedirectSchemes  = []string{"http", "https"}
)

// Defaults and bounds of what a route does.
const (
	MaxRouteForwards      = 64
	MaxForwardWeight      = 10_000
	DefaultForwardWeight  = 1
	DefaultRedirectStatus = 302
	DefaultFixedStatus    = 200
	MinFixedStatus        = 200
	MaxFixedStatus        = 599
	DefaultContentType    = "text/plain; charset=utf-8"
	MaxContentTypeLength  = 255
	MaxFixedBodyBytes     = 64 << 10
	DefaultMirrorPercent  = 100
)

// RouteAction says what happens to a request that matches: exactly one of
// Forward, Redirect and FixedResponse.
type RouteAction struct {
	// Forward shares requests among pools, by pool name.
	Forward       map[string]ForwardTarget `json:"forward"`
	Redirect      *Redirect                `json:"redirect"`
	FixedResponse *FixedResponse           `json:"fixed_response"`
	// Rewrite and Mirror go with Forward.
	Rewrite *Rewrite `json:"rewrite"`
	Mirror  *Mirror  `json:"mirror"`
}

// ForwardTarget is one pool's share of a route.
type ForwardTarget struct {
	Weight int `json:"weight"`
}

// Redirect answers with another place. What is empty stays as requested.
type Redirect struct {
	// Status is one of [RedirectStatuses].
	Status int    `json:"status"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	Port   int    `json:"port"`
	// Path replaces the whole path, PathPrefix the part that path_prefix matched.
	Path       string `json:"path"`
	PathPrefix string `json:"path_prefix"`
	StripQuery bool   `json:"strip_query"`
}

// FixedResponse answers without a member.
type FixedResponse struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// Rewrite changes what a member is asked for. What is empty stays.
type Rewrite struct {
	// Host replaces the Host header; it may have a port.
	Host string `json:"host"`
	// Path replaces the whole path; with path_regex it may hold $1 and ${name}.
	// PathPrefix replaces the part that path_prefix matched.
	Path       string `json:"path"`
	PathPrefix string `json:"path_prefix"`
}

// Mirror sends a copy of requests to a second pool, whose answers are dropped.
type Mirror struct {
	Pool    string `json:"pool"`
	Percent int    `json:"percent"`
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (t *ForwardTarget) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain ForwardTarget
	return decodeOver(dec, (*plain)(t), plain{Weight: DefaultForwardWeight})
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (r *Redirect) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain Redirect
	return decodeOver(dec, (*plain)(r), plain{Status: DefaultRedirectStatus})
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (f *FixedResponse) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain FixedResponse
	return decodeOver(dec, (*plain)(f), plain{Status: DefaultFixedStatus, ContentType: DefaultContentType})
}

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (m *Mirror) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain Mirror
	return decodeOver(dec, (*plain)(m), plain{Percent: DefaultMirrorPercent})
}

// TotalWeight is the sum of all targets' weights.
func (a RouteAction) TotalWeight() int {
	total := 0
	for _, t := range a.Forward {
		total += t.Weight
	}
	return total
}

func (a RouteAction) validate(c checker, match RouteMatch) {
	forwards := len(a.Forward) > 0
	if !exactlyOne(forwards, a.Redirect != nil, a.FixedResponse != nil) {
		c.fail("must be exactly one of forward (with at least one pool), redirect and fixed_response")
	}
	a.validateForward(c.at("forward"))
	if a.Redirect != nil {
		a.Redirect.validate(c.at("redirect"), match)
	}
	if a.FixedResponse != nil {
		a.FixedResponse.validate(c.at("fixed_response"))
	}
	switch at := c.at("rewrite"); {
	case a.Rewrite != nil && !forwards:
		at.fail("goes with forward: only what a member is asked for can be rewritten")
	case a.Rewrite != nil:
		a.Rewrite.validate(at, match)
	}
	switch at := c.at("mirror"); {
	case a.Mirror != nil && !forwards:
		at.fail("goes with forward: only what a member is asked for can be mirrored")
	case a.Mirror != nil:
		at.at("pool").try(CheckName(a.Mirror.Pool))
		at.at("percent").intIn(a.Mirror.Percent, 0, MaxPercent)
	}
}

func exactlyOne(of ...bool) bool {
	n := 0
	for _, given := range of {
		if given {
			n++
		}
	}
	return n == 1
}

func (a RouteAction) validateForward(c checker) {
	checkCount(c, len(a.Forward), MaxRouteForwards, "pools")
	for _, name := range slices.Sorted(maps.Keys(a.Forward)) {
		at := c.at(name)
		at.try(CheckName(name))
		at.at("weight").intIn(a.Forward[name].Weight, 0, MaxForwardWeight)
	}
	if len(a.Forward) > 0 && a.TotalWeight() == 0 {
		c.fail("must give at least one pool a weight above 0")
	}
}

func (r *Redirect) validate(c checker, match RouteMatch) {
	if !slices.Contains(RedirectStatuses, r.Status) {
		c.at("status").fail("%d must be one of %s", r.Status, joinWords(RedirectStatuses))
	}
	if r.Scheme != "" {
		oneOf(c.at("scheme"), r.Scheme, RedirectSchemes)
	}
	if r.Host != "" {
		c.at("host").try(checkHost(r.Host))
	}
	c.at("port").intIn(r.Port, 0, 65535)
	checkReplacement(c, r.Path, r.PathPrefix, match)
	moves := r.Scheme != "" || r.Host != "" || r.Port != 0 || r.Path != "" || r.PathPrefix != ""
	if !moves && (!r.StripQuery || len(match.Query) == 0) {
		c.fail("leads back to where it came from: set scheme, host, port, path or path_prefix")
	}
}

func (f *FixedResponse) validate(c checker) {
	c.at("status").intIn(f.Status, MinFixedStatus, MaxFixedStatus)
	if _, _, err := mime.ParseMediaType(f.ContentType); err != nil || checkText(f.ContentType, MaxContentTypeLength) != "" {
		c.at("content_type").fail("must be a media type of at most %d bytes, such as application/json", MaxContentTypeLength)
	}
	body := c.at("body")
	switch {
	case len(f.Body) > MaxFixedBodyBytes:
		body.fail("is %d bytes; at most %d are allowed", len(f.Body), MaxFixedBodyBytes)
	case !utf8.ValidString(f.Body):
		body.fail("must be valid UTF-8")
	case HoldsPrivateKey(f.Body):
		body.fail("must not contain a private key")
	case f.Body != "" && (f.Status == 204 || f.Status == 304):
		body.fail("must be empty: a response with status %d has no body", f.Status)
	}
}

func (r *Rewrite) validate(c checker, match RouteMatch) {
	if r.Host != "" {
		c.at("host").try(checkAuthority(r.Host))
	}
	checkReplacement(c, r.Path, r.PathPrefix, match)
	if r.Path != "" && match.PathRegex != "" {
		c.at("path").try(checkTemplate(r.Path, match.PathRegex))
	}
	if r.Host == "" && r.Path == "" && r.PathPrefix == "" {
		c.fail("changes nothing: set host, path or path_prefix")
	}
}

// checkReplacement checks what is put in place of a path or of a prefix of it.
func checkReplacement(c checker, path, prefix string, match RouteMatch) {
	if path != "" {
		c.at("path").try(checkNewPath(path))
	}
	switch at := c.at("path_prefix"); {
	case prefix == "":
	case path != "":
		at.fail("can't be combined with path: choose one")
	case match.PathPrefix == "":
		at.fail("replaces what match.path_prefix matched, and that is not set")
	default:
		at.try(checkNewPath(prefix))
	}
}
