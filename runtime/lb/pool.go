package lb

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// PoolProtocol is what a pool's members speak.
type PoolProtocol string

// Algorithm is how a member is chosen.
type Algorithm string

// Hashes reports whether the algorithm chooses by a [HashKey].
func (a Algorithm) Hashes() bool { return a == RingHash || a == Maglev }

// MemberState is what an operator wants of a member.
type MemberState string

// The values of a pool's enumerated attributes.
const (
	PoolHTTP PoolProtocol = "http"
	PoolTCP  PoolProtocol = "tcp"

	RoundRobin    Algorithm = "round_robin"
	LeastRequests Algorithm = "least_requests"
	RandomTwo     Algorithm = "random_two"
	RingHash      Algorithm = "ring_hash"
	Maglev        Algorithm = "maglev"

	MemberActive   MemberState = "active"
	MemberDrain    MemberState = "drain"
	MemberDisabled MemberState = "disabled"
)

// What the attributes of a pool may be: validators, descriptions and the API's
// schema are all built from these.
var (
	PoolProtocols = []PoolProtocol{PoolHTTP, PoolTCP}
	Algorithms    = []Algorithm{RoundRobin, LeastRequests, RandomTwo, RingHash, Maglev}
	MemberStates  = []MemberState{MemberActive, MemberDrain, MemberDisabled}
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

	DefaultPoolConnectTimeout  = Duration(5 * time.Second)
	DefaultPoolResponseTimeout = Duration(60 * time.Second)
	DefaultPoolIdleTimeout     = Duration(5 * time.Minute)

	MinTimeout = Duration(10 * time.Millisecond)
	MaxTimeout = Duration(24 * time.Hour)
)

// Pool is a set of interchangeable servers and how to choose among them.
type Pool struct {
	Meta
	Protocol         PoolProtocol      `json:"protocol"`
	HTTPVersion      HTTPVersion       `json:"http_version"`
	Algorithm        Algorithm         `json:"algorithm"`
	HashKey          *HashKey          `json:"hash_key"`
	SlowStart        Duration          `json:"slow_start"`
	Members          map[string]Member `json:"members"`
	HealthCheck      *HealthCheck      `json:"health_check"`
	OutlierDetection *OutlierDetection `json:"outlier_detection"`
	Retries          Retries           `json:"retries"`
	Timeouts         PoolTimeouts      `json:"timeouts"`
	Limits           PoolLimits        `json:"limits"`
	UpstreamTLS      *UpstreamTLS      `json:"upstream_tls"`
	Affinity         *Affinity         `json:"affinity"`
	ProxyProtocol    ProxyProtocol     `json:"proxy_protocol"`
}

// Member is one server of a pool.
type Member struct {
	Address string      `json:"address"`
	Weight  int         `json:"weight"`
	Backup  bool        `json:"backup"`
	State   MemberState `json:"state"`
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
		Protocol:      DefaultPoolProtocol,
		HTTPVersion:   DefaultHTTPVersion,
		Algorithm:     DefaultAlgorithm,
		Retries:       NewRetries(),
		Limits:        PoolLimits{MaxConnections: DefaultMemberConnections, MaxPending: DefaultMaxPending},
		ProxyProtocol: DefaultProxyProtocol,
		Timeouts: PoolTimeouts{
			Connect:  DefaultPoolConnectTimeout,
			Response: DefaultPoolResponseTimeout,
			Idle:     DefaultPoolIdleTimeout,
		},
	}
}

// NewMember returns a member with every default set and no address.
func NewMember() Member { return Member{Weight: DefaultWeight, State: DefaultMemberState} }

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (m *Member) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain Member
	return decodeOver(dec, (*plain)(m), plain(NewMember()))
}

// Kind implements [Object].
func (*Pool) Kind() Kind { return KindPool }

// Normalize implements [Object].
func (p *Pool) Normalize() {
	p.Meta.normalize()
	if p.Members == nil {
		p.Members = map[string]Member{}
	}
	p.Retries.On = sortedSet(p.Retries.On)
	if h := p.HealthCheck; h != nil {
		h.ExpectedStatuses = sortedSet(h.ExpectedStatuses)
		h.Host = strings.ToLower(h.Host)
	}
	if k := p.HashKey; k != nil && k.Source == HashHeader {
		k.Name = strings.ToLower(k.Name)
	}
	if u := p.UpstreamTLS; u != nil {
		u.ServerName = strings.ToLower(u.ServerName)
	}
	if p.Affinity != nil {
		p.Affinity.normalize()
	}
}

// References implements [Object]: the certificate that members are shown.
func (p *Pool) References() []Reference {
	if p.UpstreamTLS == nil || p.UpstreamTLS.ClientCertificate == "" {
		return nil
	}
	return []Reference{{
		Pointer: "/upstream_tls/client_certificate",
		To:      Address{KindCertificate, p.UpstreamTLS.ClientCertificate},
		Suits:   anyWillDo,
	}}
}

// Validate implements [Object].
func (p *Pool) Validate() Violations {
	c := newChecker()
	p.Meta.validate(c)
	oneOf(c.at("protocol"), p.Protocol, PoolProtocols)
	oneOf(c.at("algorithm"), p.Algorithm, Algorithms)
	p.validateMembers(c.at("members"))
	if p.HealthCheck != nil {
		p.HealthCheck.validate(c.at("health_check"))
	}
	t := c.at("timeouts")
	t.at("connect").durationIn(p.Timeouts.Connect, MinTimeout, MaxTimeout)
	t.at("response").durationIn(p.Timeouts.Response, MinTimeout, MaxTimeout)
	t.at("idle").durationIn(p.Timeouts.Idle, MinTimeout, MaxTimeout)
	limits := c.at("limits")
	limits.at("max_connections").intIn(p.Limits.MaxConnections, 1, MaxMemberConnections)
	limits.at("max_pending").intIn(p.Limits.MaxPending, 0, MaxMaxPending)
	p.validatePolicies(c)
	if p.Protocol == PoolTCP {
		p.validateTCP(c)
	}
	return *c.found
}

func (p *Pool) validateMembers(c checker) {
	checkCount(c, len(p.Members), MaxMembers, "members")
	for _, key := range slices.Sorted(maps.Keys(p.Members)) {
		m, at := p.Members[key], c.at(key)
		if msg := CheckName(key); msg != "" {
			at.fail("the member's key %s", msg)
		}
		at.at("address").try(checkHostPort(m.Address))
		at.at("weight").intIn(m.Weight, MinWeight, MaxWeight)
		oneOf(at.at("state"), m.State, MemberStates)
	}
}
