package lb

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// PoolProtocol is what a pool's members speak.
type PoolProtocol string

// Algorithm is how a member is chosen.
type Algorithm string

// MemberState is what an operator wants of a member.
type MemberState string

// HealthCheckType is how a member's health is probed.
type HealthCheckType string

// The values of a pool's enumerated attributes.
const (
	PoolHTTP PoolProtocol = "http"
	PoolTCP  PoolProtocol = "tcp"

	RoundRobin    Algorithm = "round_robin"
	LeastRequests Algorithm = "least_requests"

	MemberActive   MemberState = "active"
	MemberDrain    MemberState = "drain"
	MemberDisabled MemberState = "disabled"

	HealthHTTP HealthCheckType = "http"
	HealthTCP  HealthCheckType = "tcp"
)

// What the attributes of a pool may be: validators, descriptions and the API's
// schema are all built from these.
var (
	PoolProtocols    = []PoolProtocol{PoolHTTP, PoolTCP}
	Algorithms       = []Algorithm{RoundRobin, LeastRequests}
	MemberStates     = []MemberState{MemberActive, MemberDrain, MemberDisabled}
	HealthCheckTypes = []HealthCheckType{HealthHTTP, HealthTCP}
)

// Defaults and bounds of a pool.
const (
	DefaultPoolProtocol = PoolHTTP
	DefaultAlgorithm    = RoundRobin
	DefaultMemberState  = MemberActive

	DefaultWeight = 1
	MinWeight     = 1
	MaxWeight     = 256

	MaxMembers = 10_000

	DefaultHealthCheckType     = HealthHTTP
	DefaultHealthInterval      = Duration(10 * time.Second)
	MinHealthInterval          = Duration(100 * time.Millisecond)
	MaxHealthInterval          = Duration(time.Hour)
	DefaultHealthTimeout       = Duration(2 * time.Second)
	MinHealthTimeout           = Duration(10 * time.Millisecond)
	DefaultHealthyThreshold    = 2
	DefaultUnhealthyThreshold  = 3
	MaxHealthThreshold         = 100
	DefaultHealthPath          = "/"
	DefaultExpectedStatuses    = "200-399"
	DefaultPoolConnectTimeout  = Duration(5 * time.Second)
	DefaultPoolResponseTimeout = Duration(60 * time.Second)
	DefaultPoolIdleTimeout     = Duration(5 * time.Minute)

	MinTimeout = Duration(10 * time.Millisecond)
	MaxTimeout = Duration(24 * time.Hour)
)

// Pool is a set of interchangeable servers and how to choose among them.
type Pool struct {
	Meta
	Protocol    PoolProtocol      `json:"protocol"`
	Algorithm   Algorithm         `json:"algorithm"`
	Members     map[string]Member `json:"members"`
	HealthCheck *HealthCheck      `json:"health_check"`
	Timeouts    PoolTimeouts      `json:"timeouts"`
}

// Member is one server of a pool.
type Member struct {
	Address string      `json:"address"`
	Weight  int         `json:"weight"`
	Backup  bool        `json:"backup"`
	State   MemberState `json:"state"`
}

// HealthCheck is how a pool learns which members can serve.
type HealthCheck struct {
	Type               HealthCheckType `json:"type"`
	Interval           Duration        `json:"interval"`
	Timeout            Duration        `json:"timeout"`
	HealthyThreshold   int             `json:"healthy_threshold"`
	UnhealthyThreshold int             `json:"unhealthy_threshold"`
	Path               string          `json:"path"`
	Host               string          `json:"host"`
	ExpectedStatuses   []string        `json:"expected_statuses"`
}

// PoolTimeouts bound the work with a member.
type PoolTimeouts struct {
	Connect  Duration `json:"connect"`
	Response Duration `json:"response"`
	Idle     Duration `json:"idle"`
}

// NewPool returns a pool with every default set and no members.
func NewPool() *Pool {
	return &Pool{
		Protocol:  DefaultPoolProtocol,
		Algorithm: DefaultAlgorithm,
		Timeouts: PoolTimeouts{
			Connect:  DefaultPoolConnectTimeout,
			Response: DefaultPoolResponseTimeout,
			Idle:     DefaultPoolIdleTimeout,
		},
	}
}

// NewMember returns a member with every default set and no address.
func NewMember() Member { return Member{Weight: DefaultWeight, State: DefaultMemberState} }

// NewHealthCheck returns a health check with every default set.
func NewHealthCheck() HealthCheck {
	return HealthCheck{
		Type:               DefaultHealthCheckType,
		Interval:           DefaultHealthInterval,
		Timeout:            DefaultHealthTimeout,
		HealthyThreshold:   DefaultHealthyThreshold,
		UnhealthyThreshold: DefaultUnhealthyThreshold,
		Path:               DefaultHealthPath,
		ExpectedStatuses:   []string{DefaultExpectedStatuses},
	}
}

// UnmarshalJSONFrom lets absent attributes of a member take their defaults.
func (m *Member) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain Member
	v := plain(NewMember())
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	*m = Member(v)
	return nil
}

// UnmarshalJSONFrom lets absent attributes of a health check take their defaults.
func (h *HealthCheck) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain HealthCheck
	v := plain(NewHealthCheck())
	v.ExpectedStatuses = nil
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	if v.ExpectedStatuses == nil {
		v.ExpectedStatuses = []string{DefaultExpectedStatuses}
	}
	*h = HealthCheck(v)
	return nil
}

// Kind implements [Object].
func (*Pool) Kind() Kind { return KindPool }

// Normalize implements [Object].
func (p *Pool) Normalize() {
	p.Meta.normalize()
	if p.Members == nil {
		p.Members = map[string]Member{}
	}
	if h := p.HealthCheck; h != nil {
		h.ExpectedStatuses = sortedSet(h.ExpectedStatuses)
		h.Host = strings.ToLower(h.Host)
	}
}

// References implements [Object]: a pool needs nothing else.
func (*Pool) References() []Reference { return nil }

// Validate implements [Object].
func (p *Pool) Validate() Violations {
	c := newChecker()
	p.Meta.validate(c)
	oneOf(c.at("protocol"), p.Protocol, PoolProtocols)
	oneOf(c.at("algorithm"), p.Algorithm, Algorithms)
	members := c.at("members")
	if len(p.Members) > MaxMembers {
		members.fail("has %d members; at most %d are allowed", len(p.Members), MaxMembers)
	}
	for _, key := range slices.Sorted(maps.Keys(p.Members)) {
		m, at := p.Members[key], members.at(key)
		if msg := CheckName(key); msg != "" {
			at.fail("the member's key %s", msg)
		}
		at.at("address").try(checkHostPort(m.Address))
		at.at("weight").intIn(m.Weight, MinWeight, MaxWeight)
		oneOf(at.at("state"), m.State, MemberStates)
	}
	if p.HealthCheck != nil {
		p.HealthCheck.validate(c.at("health_check"))
	}
	t := c.at("timeouts")
	t.at("connect").durationIn(p.Timeouts.Connect, MinTimeout, MaxTimeout)
	t.at("response").durationIn(p.Timeouts.Response, MinTimeout, MaxTimeout)
	t.at("idle").durationIn(p.Timeouts.Idle, MinTimeout, MaxTimeout)
	return *c.found
}

func (h *HealthCheck) validate(c checker) {
	oneOf(c.at("type"), h.Type, HealthCheckTypes)
	c.at("interval").durationIn(h.Interval, MinHealthInterval, MaxHealthInterval)
	c.at("timeout").durationIn(h.Timeout, MinHealthTimeout, h.Interval)
	c.at("healthy_threshold").intIn(h.HealthyThreshold, 1, MaxHealthThreshold)
	c.at("unhealthy_threshold").intIn(h.UnhealthyThreshold, 1, MaxHealthThreshold)
	c.at("path").try(checkPath(h.Path))
	if h.Host != "" {
		c.at("host").try(checkHost(h.Host))
	}
	statuses := c.at("expected_statuses")
	if len(h.ExpectedStatuses) == 0 {
		statuses.fail("must name at least one status or range")
	}
	for i, s := range h.ExpectedStatuses {
		if _, err := ParseStatusRange(s); err != nil {
			statuses.index(i).fail("%v", err)
		}
	}
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct{ Low, High int }

// Contains reports whether the status lies in the range.
func (r StatusRange) Contains(status int) bool { return r.Low <= status && status <= r.High }

var statusRangePattern = regexp.MustCompile(`^([1-5]\d\d)(?:-([1-5]\d\d))?$`)

// ParseStatusRange reads "204" or "200-399".
func ParseStatusRange(s string) (StatusRange, error) {
	m := statusRangePattern.FindStringSubmatch(s)
	if m == nil {
		return StatusRange{}, fmt.Errorf("%s must be a status such as 204 or a range such as 200-399", shown(s))
	}
	low, _ := strconv.Atoi(m[1])
	high := low
	if m[2] != "" {
		high, _ = strconv.Atoi(m[2])
	}
	if high < low {
		return StatusRange{}, fmt.Errorf("%s ends before it begins", shown(s))
	}
	return StatusRange{low, high}, nil
}

// checkHostPort holds a member's address to host:port.
func checkHostPort(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return shown(s) + " must be host:port, such as 10.0.0.7:8080, [::1]:8080 or app.internal:8080"
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != port {
		return fmt.Sprintf("port %s must be a number between 1 and 65535", shown(port))
	}
	return checkHost(host)
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// checkHost accepts an IP address or a DNS name.
func checkHost(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	if len(host) > 253 || !hostPattern.MatchString(host) {
		return shown(host) + " must be an IP address or a DNS name"
	}
	return ""
}

// checkPath accepts an absolute path of printable ASCII without a fragment.
func checkPath(p string) string {
	if !strings.HasPrefix(p, "/") {
		return shown(p) + " must begin with /"
	}
	if len(p) > 2048 {
		return "is longer than 2048 bytes"
	}
	for _, b := range []byte(p) {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return "must be printable ASCII without spaces or '#'; percent-encode everything else"
		}
	}
	return ""
}
