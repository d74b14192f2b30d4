package policy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

func TestARuleThatCanNotBeEvaluatedRefuses(t *testing.T) {
	const secret = "do-not-repeat"
	tests := []struct{ name, text, why string }{
		{"missing label that the rule names", `change.labels["team"] == "web"`, `there is no "team"`},
		{"missing member", `change.after.foo.bar == 1`, `there is no "foo"`},
		{"missing key that is a value", `run.claimed[change.owner] == "x"`, "a key is not there"},
		{"wrong type", `change.after.text + 1 == 2`, "a value is not of the type that is needed"},
		{"text in a set of something else", `sets.contains(change.after.numbers, ["a"])`, "a value is not of the type that is needed"},
		{"index", `ticket.approvals[5] == "ada"`, "an index is out of range"},
		{"division", `10 / (ticket.uses - ticket.uses) == 1`, "divided by zero"},
		{"computed glob", `matches_glob(change.address, change.owner)`, "the second argument of matches_glob is no glob"},
		{"computed regular expression", `change.name.matches(change.after.text + "(")`, "it failed"},
		{"computed time", `timestamp(change.after.text) < now`, "it failed"},
		{"time zone", `now.getHours(change.after.text) == 1`, "it failed"},
		{"what is no JSON", `change.after.channel == 1`, "it failed"},
		{"record without its type", `dyn(change).foo == 1`, "a key is not there"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := full()
			in.Change.Owner = secret
			in.Change.After = map[string]any{"text": secret, "numbers": []any{1.0}, "channel": make(chan int)}
			for _, half := range []struct{ field, when, require string }{{"when", tt.text, "true"}, {"require", "true", tt.text}} {
				d := decide(t, in, half.when, half.require)
				want := "It must not be. (The rule's " + half.field + " can't be evaluated: "
				o := result(t, d)
				if d.Allowed || o.Result != policy.Failed || !strings.HasPrefix(o.Message, want) || !strings.Contains(o.Message, tt.why) {
					t.Errorf("%+v\nwant %s%s", d, want, tt.why)
				}
				if strings.Contains(o.Message, secret) {
					t.Errorf("%q repeats a value of the change", o.Message)
				}
				if len(d.Denials()) != 1 {
					t.Errorf("denials: %+v", d.Denials())
				}
			}
		})
	}
}

func TestWhatDecidesNothingIsNoMistake(t *testing.T) {
	if d := decide(t, full(), "true", `change.op == "update" || change.labels["team"] == "x"`); !d.Allowed {
		t.Errorf("a label that is not needed was asked for: %+v", d)
	}
}

func TestOutcomes(t *testing.T) {
	emergency := func(in *policy.Input) { in.Ticket.Type = "emergency" }
	normal := func(*policy.Input) {}
	tests := []struct {
		name        string
		in          func(*policy.Input)
		onEmergency bool
		when        string
		require     string
		want        policy.Result
		allowed     bool
	}{
		{"met", normal, false, "true", "true", policy.Passed, true},
		{"not met", normal, false, "true", "false", policy.Denied, false},
		{"not for the change", normal, false, "false", "false", "", true},
		{"emergency", emergency, false, "true", "false", policy.Skipped, true},
		{"emergency, not for the change", emergency, false, "false", "false", "", true},
		{"emergency, what can't be evaluated", emergency, false, "true", "change.labels['x'] == ''", policy.Skipped, true},
		{"emergency, for which it can't be evaluated", emergency, false, "change.labels['x'] == ''", "false", policy.Skipped, true},
		{"emergency, held to it too", emergency, true, "true", "false", policy.Denied, false},
		{"emergency, held to it and met", emergency, true, "true", "true", policy.Passed, true},
		{"emergency, held to it and failed", emergency, true, "true", "change.labels['x'] == ''", policy.Failed, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := full()
			tt.in(&in)
			r := rule(tt.when, tt.require)
			r.OnEmergency = tt.onEmergency
			d := policy.Set{compile(t, "main", map[string]lb.PolicyRule{"r": r})}.Decide(in)
			o := result(t, d)
			if o.Result != tt.want || d.Allowed != tt.allowed {
				t.Errorf("decided %+v, want %s and allowed = %t", d, tt.want, tt.allowed)
			}
			if refuses := len(d.Denials()) == 1; refuses == tt.allowed || refuses != (o.Message != "") {
				t.Errorf("denials %+v", d.Denials())
			}
		})
	}
}

func TestEveryRuleIsEvaluatedAndInOrder(t *testing.T) {
	rules := map[string]lb.PolicyRule{"b": rule("true", "false"), "a": rule("true", "true"), "c": rule("true", "false"), "d": rule("false", "false")}
	var set policy.Set
	for _, name := range []string{"zebra", "ant", "moth"} {
		set = append(set, compile(t, name, rules))
	}
	var want []policy.Outcome
	for _, name := range []string{"ant", "moth", "zebra"} {
		want = append(want, policy.Outcome{Policy: name, Revision: 7, Rule: "a", Result: policy.Passed},
			policy.Outcome{Policy: name, Revision: 7, Rule: "b", Result: policy.Denied, Message: "It must not be."},
			policy.Outcome{Policy: name, Revision: 7, Rule: "c", Result: policy.Denied, Message: "It must not be."})
	}
	for range 20 {
		rand.Shuffle(len(set), func(i, j int) { set[i], set[j] = set[j], set[i] })
		if diff := cmp.Diff(want, set.Decide(full()).Outcomes); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestNoPoliciesAllow(t *testing.T) {
	if d := (policy.Set{}).Decide(full()); !d.Allowed || len(d.Outcomes) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestADecisionAsJSON(t *testing.T) {
	d := policy.Set{compile(t, "main", map[string]lb.PolicyRule{"a": rule("true", "true"), "b": rule("true", "false")})}.Decide(full())
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"allowed":false,"outcomes":[{"policy":"main","revision":7,"rule":"a","result":"passed"},` +
		`{"policy":"main","revision":7,"rule":"b","result":"denied","message":"It must not be."}]}`
	if string(got) != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Whatever rules and changes there are, nothing is allowed that a rule refuses.
func TestNothingIsAllowedThatARuleRefuses(t *testing.T) {
	parts := []string{"true", "false", `change.labels["x"] == ""`, "change.unplanned", "ticket.uses > 2", `change.after.foo == 1`, "1 / ticket.uses == 1", "foo"}
	rng := rand.New(rand.NewPCG(1, 2))
	results := map[policy.Result]int{}
	for range 300 {
		rules := map[string]lb.PolicyRule{}
		for i := range rng.IntN(4) {
			r := rule(parts[rng.IntN(len(parts))], parts[rng.IntN(len(parts))])
			r.OnEmergency = rng.IntN(2) == 0
			rules[fmt.Sprint(i)] = r
		}
		p, _ := policy.Compile("main", 1, &lb.Policy{Rules: rules})
		in := full()
		in.Ticket.Type = []string{"normal", "emergency"}[rng.IntN(2)]
		in.Ticket.Uses, in.Change.Unplanned = rng.IntN(5), rng.IntN(2) == 0
		d := policy.Set{p}.Decide(in)
		refused := false
		for _, o := range d.Outcomes {
			results[o.Result]++
			switch o.Result {
			case policy.Passed:
			case policy.Skipped:
				refused = refused || in.Ticket.Type != "emergency" || rules[o.Rule].OnEmergency
			default:
				refused = true
			}
		}
		if d.Allowed == refused || (len(d.Denials()) > 0) != refused {
			t.Fatalf("allowed = %t: %+v of %+v", d.Allowed, d, rules)
		}
	}
	if len(results) != 4 {
		t.Errorf("only these results came up: %v", results)
	}
}

func TestDecisionsAreMadeAtTheSameTime(t *testing.T) {
	set := policy.Set{compile(t, "main", map[string]lb.PolicyRule{
		"missing": rule("true", `change.labels["x"] == ""`), "type": rule("true", `change.after.owner + 1 == 2`), "all": rule("true", `change.changed.all(p, p != "")`),
	})}
	in := full()
	want := set.Decide(in)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, set.Decide(in)); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	wg.Wait()
}
