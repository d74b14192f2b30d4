package policy_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// full is an input in which everything has a value of its own.
func full() policy.Input {
	return policy.Input{
		Change: policy.Change{
			Kind: "pool", Name: "web", Address: "pool/web", Op: "update",
			Before: map[string]any{"owner": "team-web", "weight": 5.0, "ratio": 0.5, "hosts": []any{"a", "b"}, "tls": nil},
			After:  map[string]any{"owner": "team-web", "weight": 9.0, "members": map[string]any{"a": map[string]any{"backup": true}}},
			Owner:  "team-web", Labels: map[string]string{"env": "prod"}, Changed: []string{"/weight", "/members"}, Unplanned: true,
		},
		Ticket: policy.Ticket{
			ID: "CHG-1", Type: "normal", Title: "Move web", Requester: "olivia", Approvals: []string{"ada", "bob"}, RequiredApprovals: 2,
			Bound: true, Uses: 3, MaxUses: 7, Authority: "tracker", NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour),
		},
		Actor: policy.Actor{Name: "ci", Role: "operator", Credential: "session", Provider: "github", Issuer: "https://issuer.example", Subject: "repo:acme"},
		Run:   policy.Run{ID: "github/1", Verified: true, Claimed: map[string]string{"workspace": "prod"}, Proved: map[string]string{"run_id": "1"}},
		Now:   noon,
	}
}

func rule(when, require string) lb.PolicyRule {
	return lb.PolicyRule{When: when, Require: require, Message: "It must not be."}
}

func compile(t testing.TB, name string, rules map[string]lb.PolicyRule) *policy.Policy {
	t.Helper()
	p, found := policy.Compile(name, 7, &lb.Policy{Rules: rules})
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

// decide holds an input to one rule.
func decide(t testing.TB, in policy.Input, when, require string) policy.Decision {
	t.Helper()
	return policy.Set{compile(t, "main", map[string]lb.PolicyRule{"rule": rule(when, require)})}.Decide(in)
}

// result is the one outcome of a decision, "" for none.
func result(t testing.TB, d policy.Decision) policy.Outcome {
	t.Helper()
	switch len(d.Outcomes) {
	case 0:
		return policy.Outcome{}
	case 1:
		return d.Outcomes[0]
	}
	t.Fatalf("%d outcomes: %+v", len(d.Outcomes), d.Outcomes)
	return policy.Outcome{}
}

func TestEveryVariableHoldsWhatItSays(t *testing.T) {
	holds := map[string]string{
		"change.kind": `change.kind == "pool"`, "change.name": `change.name == "web"`, "change.address": `change.address == "pool/web"`,
		"change.op":                 `change.op == "update"`,
		"change.before":             `change.before.weight == 5 && change.before.hosts == ["a", "b"] && change.before.tls == null`,
		"change.after":              `change.after.weight - 4 == 5 && change.after.members["a"].backup == true`,
		"change.owner":              `change.owner == "team-web"`,
		"change.labels":             `change.labels == {"env": "prod"}`,
		"change.changed":            `change.changed == ["/weight", "/members"]`,
		"change.unplanned":          `change.unplanned`,
		"ticket.id":                 `ticket.id == "CHG-1"`,
		"ticket.type":               `ticket.type == "normal"`,
		"ticket.title":              `ticket.title == "Move web"`,
		"ticket.requester":          `ticket.requester == "olivia"`,
		"ticket.approvals":          `ticket.approvals == ["ada", "bob"]`,
		"ticket.required_approvals": `ticket.required_approvals == 2`,
		"ticket.bound":              `ticket.bound`,
		"ticket.uses":               `ticket.uses == 3`,
		"ticket.max_uses":           `ticket.max_uses == 7`,
		"ticket.authority":          `ticket.authority == "tracker"`,
		"ticket.not_before":         `now - ticket.not_before == duration("1h")`,
		"ticket.not_after":          `ticket.not_after - now == duration("60m")`,
		"actor.name":                `actor.name == "ci"`,
		"actor.role":                `actor.role == "operator"`,
		"actor.credential":          `actor.credential == "session"`,
		"actor.provider":            `actor.provider == "github"`,
		"actor.issuer":              `actor.issuer == "https://issuer.example"`,
		"actor.subject":             `actor.subject == "repo:acme"`,
		"run.id":                    `run.id == "github/1"`,
		"run.verified":              `run.verified`,
		"run.claimed":               `run.claimed == {"workspace": "prod"}`,
		"run.proved":                `run.proved.run_id == "1"`,
		"now":                       `now == timestamp("2026-01-31T12:00:00Z")`,
	}
	for _, v := range policy.Variables() {
		t.Run(v.Name, func(t *testing.T) {
			text, ok := holds[v.Name]
			if !ok {
				t.Fatal("no expression for it")
			}
			if d := decide(t, full(), "true", text); !d.Allowed {
				t.Errorf("%s: %+v", text, d)
			}
			if d := decide(t, policy.Input{}, "true", text); d.Allowed {
				t.Errorf("%s holds of nothing", text)
			}
		})
		delete(holds, v.Name)
	}
	for name := range holds {
		t.Errorf("%s is not declared", name)
	}
}

func TestTheLanguage(t *testing.T) {
	tests := []struct{ name, text string }{
		{"numbers without a fraction are integers", `change.before.weight * 2 == 10 && change.after.weight > 8`},
		{"numbers with one are not", `change.before.ratio == 0.5 && change.before.ratio < 1`},
		{"what is not empty is there", `has(change.before) && has(run.id) && has(ticket.authority) && has(change.after.members.a)`},
		{"a missing member is not there", `!has(change.after.tls) && !has(change.labels.team)`},
		{"one label with a default", `(has(change.labels.team) ? change.labels.team : "none") == "none"`},
		{"globs", `matches_glob(change.address, "pool/*") && matches_glob(change.address, "*") && !matches_glob(change.address, "route/*")`},
		{"sets", `sets.contains(ticket.approvals, ["ada"]) && sets.intersects(ticket.approvals, ["bob", "x"]) && sets.equivalent(ticket.approvals, ["bob", "ada", "bob"])`},
		{"sets that differ", `!sets.contains(ticket.approvals, ["x"]) && !sets.intersects(ticket.approvals, []) && !sets.equivalent(ticket.approvals, ["ada"])`},
		{"macros", `change.changed.exists(p, p.startsWith("/members")) && ticket.approvals.all(a, a != ticket.requester)`},
		{"regular expressions", `change.name.matches("^[a-z]{1,20}$")`},
		{"local time", `now.getHours("Europe/Berlin") == 13 && now.getDayOfWeek() == 6`},
		{"text", `change.address.split("/")[1].upperAscii() == "WEB"`},
		{"numbers", `math.greatest(ticket.uses, 1) == 3`},
		{"a record in a list", `[change].exists(c, c.kind == "pool") && dyn(change).kind == "pool"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := decide(t, full(), "true", tt.text); !d.Allowed {
				t.Errorf("%s: %+v", tt.text, d)
			}
		})
	}
}

func TestHasIsFalseOfWhatIsEmpty(t *testing.T) {
	for _, text := range []string{
		"has(change.before)", "has(change.labels)", "has(change.changed)", "has(change.unplanned)", "has(ticket.max_uses)", "has(ticket.not_after)",
		"has(run.id)", "has(run.proved)", "has(dyn(run).id)", "has(run.proved.ref)",
	} {
		if o := result(t, decide(t, policy.Input{}, "true", text)); o.Result != policy.Denied {
			t.Errorf("%s: %+v", text, o)
		}
	}
}

// The examples of the guide.
func TestTheExamplesDecideAsTheySay(t *testing.T) {
	set := policy.Set{compile(t, "main", map[string]lb.PolicyRule{
		"two-approvals": rule(`change.kind == "listener" && change.op == "delete"`, `ticket.approvals.size() >= 2`),
		"verified-run":  rule(`"env" in change.labels && change.labels["env"] == "prod"`, `run.verified`),
		"planned":       rule(`true`, `!change.unplanned`),
	})}
	tests := []struct {
		name   string
		change func(*policy.Input)
		denied string
	}{
		{"a deletion that one approved", func(in *policy.Input) {
			in.Change = policy.Change{Kind: "listener", Op: "delete"}
			in.Ticket.Approvals = []string{"ada"}
		}, "two-approvals"},
		{"a deletion that two approved", func(in *policy.Input) { in.Change = policy.Change{Kind: "listener", Op: "delete"} }, ""},
		{"production without a verified run", func(in *policy.Input) { in.Run.Verified = false }, "verified-run"},
		{"production in a verified run", func(*policy.Input) {}, ""},
		{"staging without a verified run", func(in *policy.Input) { in.Run.Verified, in.Change.Labels = false, map[string]string{"env": "staging"} }, ""},
		{"no labels at all", func(in *policy.Input) { in.Run.Verified, in.Change.Labels = false, nil }, ""},
		{"an apply that no plan announced", func(in *policy.Input) { in.Change.Unplanned = true }, "planned"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := full()
			in.Change.Unplanned = false
			tt.change(&in)
			d := set.Decide(in)
			var denied string
			for _, o := range d.Denials() {
				denied += o.Rule
			}
			if denied != tt.denied || d.Allowed != (tt.denied == "") {
				t.Errorf("denied by %q, want %q; %+v", denied, tt.denied, d)
			}
		})
	}
}

func BenchmarkDecideWithTenRules(b *testing.B) {
	rules := map[string]lb.PolicyRule{}
	for i, r := range []lb.PolicyRule{
		rule(`change.kind == "listener" && change.op == "delete"`, `ticket.approvals.size() >= 2`),
		rule(`"env" in change.labels && change.labels["env"] == "prod"`, `run.verified`),
		rule(`true`, `change.unplanned`),
		rule(`matches_glob(change.address, "pool/*")`, `change.changed.all(p, p.startsWith("/"))`),
		rule(`change.op == "update"`, `change.after.weight >= change.before.weight`),
		rule(`true`, `ticket.approvals.all(a, a != actor.name)`),
		rule(`ticket.type == "normal"`, `now < ticket.not_after`),
		rule(`change.kind == "pool"`, `change.after.members.all(m, change.after.members[m].backup == true)`),
		rule(`actor.role == "operator"`, `has(run.id) && run.proved["run_id"] != ""`),
		rule(`change.owner.startsWith("team-")`, `sets.contains(ticket.approvals, ["ada"])`),
	} {
		rules[fmt.Sprintf("rule-%d", i)] = r
	}
	set, in := policy.Set{compile(b, "main", rules)}, full()
	if d := set.Decide(in); !d.Allowed || len(d.Outcomes) != 9 {
		b.Fatalf("%+v", d)
	}
	b.ReportAllocs()
	for b.Loop() {
		set.Decide(in)
	}
}
