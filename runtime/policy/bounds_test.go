package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

// large is a change of the largest objects that there are.
func large() policy.Input {
	members, numbers, changed := map[string]any{}, []any{}, []string{}
	for i := range 8000 {
		members[fmt.Sprintf("member-%d", i)] = map[string]any{"address": fmt.Sprintf("10.0.%d.%d:8080", i/250, i%250), "weight": 1.0, "backup": false, "state": "active"}
		changed = append(changed, fmt.Sprintf("/members/member-%d/weight", i))
	}
	for i := range 100_000 {
		numbers = append(numbers, fmt.Sprint(i))
	}
	in := full()
	in.Change.Before = map[string]any{"members": members}
	in.Change.After = map[string]any{"members": members, "numbers": numbers, "text": strings.Repeat("a", lb.MaxObjectBytes)}
	in.Change.Changed = changed
	return in
}

// A rule over its bounds refuses, and does so soon: no step takes long before it is
// counted. Each of these takes minutes, or all memory, where it isn't.
func TestARuleThatNeedsTooMuchIsStopped(t *testing.T) {
	const cost, size = "it needs more than the 1000000 units that a rule may cost", "it makes a value that is too large"
	tests := []struct{ name, text, why string }{
		{"all in exists", `change.after.members.all(m, change.after.members.exists(n, n == m))`, cost},
		{"three within each other", `lists.range(300).all(a, lists.range(300).all(b, lists.range(300).all(c, true)))`, cost},
		{"membership in a list without a type", `change.after.numbers.all(n, n in change.after.numbers)`, cost},
		{"membership in a list of text", `change.changed.all(p, p in change.changed)`, cost},
		{"a list that grows", `change.after.numbers.filter(n, n != "").size() > 1`, cost},
		{"lists one after another", `change.after.numbers.map(n, n).map(n, n).map(n, n).size() > 1`, cost},
		{"length of text", `lists.range(10000).all(n, change.after.text.size() > 1)`, cost},
		{"conversion of text", `lists.range(10000).all(n, string(bytes(change.after.text)) != "")`, cost},
		{"capitals", `lists.range(10000).all(n, change.after.text.upperAscii() != "")`, cost},
		{"letters", `change.after.text.split("").size() > 1`, cost},
		{"comparison of text", `lists.range(10000).all(n, change.after.text == change.after.text)`, cost},
		{"comparison of objects", `lists.range(10000).all(n, change.after == change.after)`, cost},
		{"regular expression", `lists.range(10000).all(n, change.after.text.matches("^a*$"))`, cost},
		{"time zones", `lists.range(10000).all(n, now.getHours("Europe/Berlin") < 25)`, cost},
		{"sets", `lists.range(10000).all(n, sets.equivalent(change.changed, change.changed))`, cost},
		{"globs", `lists.range(10000).all(n, matches_glob(change.address, "*/*"))`, cost},
		{"reversal", `lists.range(10000).all(n, change.after.numbers.reverse().size() > 0)`, cost},
		{"parts of a list", `lists.range(10000).all(n, change.after.numbers.slice(1, 90000).size() > 1)`, cost},
		{"concatenation", `(change.after.text + change.after.text + change.after.text).size() > 1`, size},
		{"many of one object", `change.changed.map(p, change.after).size() == 1`, size},
		{"comparison of many of one object", `change.changed.map(p, change.after) == change.changed.map(p, change.after)`, size},
		{"lists of lists of lists", `[change.after].map(a, [a, a, a, a, a, a, a, a]).map(b, [b, b, b, b, b, b, b, b]) == []`, size},
		{"lists that are flattened", `[change.after.numbers, change.after.numbers, change.after.numbers, change.after.numbers, change.after.numbers].flatten().size() == 1`, size},
		{"too long a range", `lists.range(1000000000).size() == 1`, "it failed"},
	}
	in := large()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			d := decide(t, in, "true", tt.text)
			if o := result(t, d); d.Allowed || o.Result != policy.Failed || !strings.Contains(o.Message, tt.why) {
				t.Errorf("decided %+v, want %q", d, tt.why)
			}
			// The slowest takes a third of a second, or a few with the race detector.
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestARuleOverALargeObjectIsWithinItsBounds(t *testing.T) {
	for _, text := range []string{
		`change.after.members.all(m, change.after.members[m].weight == change.before.members[m].weight)`,
		`change.before.members == change.after.members`,
		`change.changed.all(p, p.startsWith("/members/"))`,
		`change.after.members.filter(m, change.after.members[m].backup == true).size() == 0`,
		`!("/labels" in change.changed)`,
	} {
		t.Run(text, func(t *testing.T) {
			if d := decide(t, large(), "true", text); !d.Allowed {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestAllRulesTogetherAreBounded(t *testing.T) {
	rules := map[string]lb.PolicyRule{}
	for i := range 20 {
		rules[fmt.Sprintf("rule-%02d", i)] = rule("true", `lists.range(10000).all(a, lists.range(20).size() > 0 && now < ticket.not_after)`)
	}
	d := policy.Set{compile(t, "main", rules)}.Decide(full())
	passed := 0
	for i, o := range d.Outcomes {
		switch {
		case o.Result == policy.Passed && passed == i:
			passed++
		case o.Result != policy.Failed || !strings.Contains(o.Message, "more than the 4000000 units that a decision may cost"):
			t.Errorf("%+v", o)
		}
	}
	if d.Allowed || len(d.Outcomes) != 20 || passed < 4 || passed == 20 {
		t.Errorf("%d of %d rules passed, allowed = %t", passed, len(d.Outcomes), d.Allowed)
	}
}
