package lb

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds and defaults of a policy.
const (
	MaxPolicyRules     = 64
	MaxPolicyBytes     = 32 << 10 // of all expressions of a policy
	MaxRuleNameLength  = 63
	MaxRuleExpression  = 4096
	MaxRuleMessage     = 512
	DefaultRuleWhen    = "true"
	MaxAuthorityGrace  = Duration(24 * time.Hour)
	MinAuthorityGrace  = Duration(time.Second)
	DefaultGrace       = Duration(0)
	DefaultOnEmergency = false
)

// Policy is a set of rules that changes are held to, each in the Common
// Expression Language. Whether the expressions compile is package policy's to say.
type Policy struct {
	Meta
	// Rules by name. A change must meet all of them, of all policies.
	Rules map[string]PolicyRule `json:"rules"`
	// AuthorityGrace is how long the last good answer about a ticket that lives
	// elsewhere still counts while its authority can't be reached. The shortest of
	// the policies that set one counts.
	AuthorityGrace Duration `json:"authority_grace"`
}

// PolicyRule is one condition on changes.
type PolicyRule struct {
	// When says which changes the rule is for.
	When string `json:"when"`
	// Require must hold for them.
	Require string `json:"require"`
	// Message is what is told to whoever is refused.
	Message string `json:"message"`
	// OnEmergency holds changes under emergency tickets to the rule too.
	OnEmergency bool `json:"on_emergency"`
}

// NewPolicy returns a policy without rules.
func NewPolicy() *Policy { return &Policy{} }

// UnmarshalJSONFrom lets absent attributes take their defaults.
func (r *PolicyRule) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type plain PolicyRule
	return decodeOver(dec, (*plain)(r), plain{When: DefaultRuleWhen, OnEmergency: DefaultOnEmergency})
}

// Kind implements [Object].
func (*Policy) Kind() Kind { return KindPolicy }

// References implements [Object]: a policy needs nothing else.
func (*Policy) References() []Reference { return nil }

// Normalize implements [Object].
func (p *Policy) Normalize() {
	p.Meta.normalize()
	if p.Rules == nil {
		p.Rules = map[string]PolicyRule{}
	}
}

// Validate implements [Object].
func (p *Policy) Validate() Violations {
	ch := newChecker()
	p.Meta.validate(ch)
	ch.at("authority_grace").durationIfSet(p.AuthorityGrace, MinAuthorityGrace, MaxAuthorityGrace)
	rules := ch.at("rules")
	checkCount(rules, len(p.Rules), MaxPolicyRules, "rules")
	size := 0
	for _, rule := range p.Rules {
		size += len(rule.When) + len(rule.Require)
	}
	if size > MaxPolicyBytes {
		rules.fail("have %d bytes of expressions in all; at most %d are allowed in one policy", size, MaxPolicyBytes)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Rules)) {
		at, rule := rules.at(name), p.Rules[name]
		at.try(CheckName(name))
		for _, text := range []struct {
			field, value string
		}{{"when", rule.When}, {"require", rule.Require}} {
			switch {
			case strings.TrimSpace(text.value) == "":
				at.at(text.field).fail("is required: an expression such as ticket.approvals.size() >= 2")
			case len(text.value) > MaxRuleExpression:
				at.at(text.field).fail("is %d bytes long; at most %d are allowed", len(text.value), MaxRuleExpression)
			case HoldsPrivateKey(text.value):
				at.at(text.field).fail("must not contain a private key")
			}
		}
		if strings.TrimSpace(rule.Message) == "" {
			at.at("message").fail("is required: it is what people are told who are refused")
		}
		at.at("message").try(checkText(rule.Message, MaxRuleMessage))
	}
	return *ch.found
}
