package lb

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func validPolicy() *Policy {
	p := NewPolicy()
	p.Owner = "team-security"
	p.Rules = map[string]PolicyRule{"two-people": {DefaultRuleWhen, "ticket.approvals.size() >= 2", "two people must approve", false}}
	return p
}

func TestPolicyRules(t *testing.T) {
	rule := func(change func(*PolicyRule)) func(*Policy) {
		return func(p *Policy) {
			r := p.Rules["two-people"]
			change(&r)
			p.Rules["two-people"] = r
		}
	}
	grace := func(d time.Duration) func(*Policy) { return func(p *Policy) { p.AuthorityGrace = Duration(d) } }
	named := func(name string) func(*Policy) {
		return func(p *Policy) { p.Rules[name] = p.Rules["two-people"] }
	}
	key := "-----BEGIN EC PRIVATE KEY-----"
	runViolationTests(t, validPolicy, []violationTest[*Policy]{
		{"no owner", func(p *Policy) { p.Owner = "" }, "/owner", "is required"},
		{"no rules", func(p *Policy) { p.Rules = nil }, valid, ""},
		{"64 rules", func(p *Policy) {
			for i := range MaxPolicyRules - 1 {
				named(fmt.Sprintf("r%d", i))(p)
			}
		}, valid, ""},
		{"65 rules", func(p *Policy) {
			for i := range MaxPolicyRules {
				named(fmt.Sprintf("r%d", i))(p)
			}
		}, "/rules", "65 rules; at most 64"},
		{"rule's name", named("Two People"), "/rules/Two People", "lower-case"},
		{"rule's name of 64 bytes", named(strings.Repeat("r", MaxRuleNameLength+1)), "/rules", "1 to 63"},
		{"no when", rule(func(r *PolicyRule) { r.When = " " }), "/rules/two-people/when", "is required"},
		{"when at the most", rule(func(r *PolicyRule) { r.When = strings.Repeat("x", MaxRuleExpression) }), valid, ""},
		{"when above", rule(func(r *PolicyRule) { r.When = strings.Repeat("x", MaxRuleExpression+1) }), "/rules/two-people/when", "at most 4096"},
		{"key in when", rule(func(r *PolicyRule) { r.When = key }), "/rules/two-people/when", "private key"},
		{"no require", rule(func(r *PolicyRule) { r.Require = "\n" }), "/rules/two-people/require", "is required"},
		{"require of lines", rule(func(r *PolicyRule) { r.Require = "a &&\n\tb" }), valid, ""},
		{"require above", rule(func(r *PolicyRule) { r.Require = strings.Repeat("x", MaxRuleExpression+1) }), "/rules/two-people/require", "at most 4096"},
		{"key in require", rule(func(r *PolicyRule) { r.Require = key }), "/rules/two-people/require", "private key"},
		{"no message", rule(func(r *PolicyRule) { r.Message = "" }), "/rules/two-people/message", "is required"},
		{"message above", rule(func(r *PolicyRule) { r.Message = strings.Repeat("x", MaxRuleMessage+1) }), "/rules/two-people/message", "at most 512"},
		{"message of lines", rule(func(r *PolicyRule) { r.Message = "a\nb" }), "/rules/two-people/message", "invisible"},
		{"key in the message", rule(func(r *PolicyRule) { r.Message = key }), "/rules/two-people/message", "private key"},
		{"for emergencies too", rule(func(r *PolicyRule) { r.OnEmergency = true }), valid, ""},
		{"grace at the least", grace(time.Second), valid, ""},
		{"grace below", grace(time.Second - 1), "/authority_grace", "must be 0s or between 1s and 24h"},
		{"grace at the most", grace(24 * time.Hour), valid, ""},
		{"grace above", grace(24*time.Hour + 1), "/authority_grace", "between 1s and 24h"},
		{"negative grace", grace(-time.Second), "/authority_grace", "between 1s and 24h"},
	})
}

func TestARuleThatSaysNoWhenIsForEveryChange(t *testing.T) {
	obj, err := Decode(KindPolicy, []byte(`{"owner":"x","rules":{"a":{"require":"false","message":"no"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := obj.(*Policy).Rules["a"]; got.When != "true" || got.OnEmergency {
		t.Errorf("when is %q, on_emergency %t", got.When, got.OnEmergency)
	}
}

func FuzzDecodePolicy(f *testing.F) {
	fuzzDecode(f, KindPolicy, `{"owner":"x","authority_grace":"60m","rules":{"a":{"require":"ticket.approvals.size() >= 2","message":"two must approve"},"b":{"when":"change.kind == \"route\"","on_emergency":true}}}`)
}
