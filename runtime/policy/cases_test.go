package policy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

const inline = `
policies:
  main:
    rules:
      two-approvals:
        when: change.kind == "listener" && change.op == "delete"
        require: ticket.approvals.size() >= 2
        message: Deleting a listener needs two approvals.
      labelled:
        require: change.labels["env"] != ""
        message: Say which environment it is.
        on_emergency: true
`

func parse(t *testing.T, text string) *policy.Cases {
	t.Helper()
	cases, err := policy.ParseCases([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestWhatACaseLeavesOutIsFilledIn(t *testing.T) {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	ticket := policy.Ticket{ID: "CHG-1", Type: "normal", RequiredApprovals: 1, NotBefore: at, NotAfter: at.Add(24 * time.Hour)}
	tests := []struct {
		name, text string
		want       policy.Input
	}{
		{"creation", `change: {kind: pool, name: web, after: {owner: team, labels: {env: prod}, weight: 1}}`, policy.Input{
			Change: policy.Change{
				Kind: "pool", Name: "web", Address: "pool/web", Op: "create", Owner: "team", Labels: map[string]string{"env": "prod"}, Changed: []string{""},
				After: map[string]any{"owner": "team", "labels": map[string]any{"env": "prod"}, "weight": 1.0},
			}, Ticket: ticket, Now: at,
		}},
		{"deletion", `change: {kind: pool, name: web, before: {owner: team}}`, policy.Input{
			Change: policy.Change{
				Kind: "pool", Name: "web", Address: "pool/web", Op: "delete", Owner: "team", Labels: map[string]string{}, Changed: []string{""},
				Before: map[string]any{"owner": "team"},
			}, Ticket: ticket, Now: at,
		}},
		{"update", `change: {kind: pool, name: web, before: {weight: 1, owner: old}, after: {weight: 2, owner: new}}`, policy.Input{
			Change: policy.Change{
				Kind: "pool", Name: "web", Address: "pool/web", Op: "update", Owner: "new", Labels: map[string]string{}, Changed: []string{"/owner", "/weight"},
				Before: map[string]any{"weight": 1.0, "owner": "old"}, After: map[string]any{"weight": 2.0, "owner": "new"},
			}, Ticket: ticket, Now: at,
		}},
		{"nothing left out", `change: {kind: pool, name: web, op: update, before: {}, after: {}, owner: o, labels: {a: b}, changed: [/x], unplanned: true}
    ticket: {id: CHG-9, type: emergency, title: t, requester: r, approvals: [a], required_approvals: 0, bound: true, uses: 1, max_uses: 2, authority: x, not_before: 2026-02-01T00:00:00Z, not_after: 2026-02-02T00:00:00Z}
    actor: {name: n, role: operator, credential: session, provider: p, issuer: i, subject: s}
    run: {id: r, verified: true, claimed: {a: b}, proved: {c: d}}
    now: 2026-02-01T12:00:00Z`, policy.Input{
			Change: policy.Change{
				Kind: "pool", Name: "web", Address: "pool/web", Op: "update", Owner: "o", Labels: map[string]string{"a": "b"}, Changed: []string{"/x"}, Unplanned: true,
				Before: map[string]any{}, After: map[string]any{},
			},
			Ticket: policy.Ticket{
				ID: "CHG-9", Type: "emergency", Title: "t", Requester: "r", Approvals: []string{"a"}, Bound: true, Uses: 1, MaxUses: 2, Authority: "x",
				NotBefore: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC),
			},
			Actor: policy.Actor{Name: "n", Role: "operator", Credential: "session", Provider: "p", Issuer: "i", Subject: "s"},
			Run:   policy.Run{ID: "r", Verified: true, Claimed: map[string]string{"a": "b"}, Proved: map[string]string{"c": "d"}},
			Now:   time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cases := parse(t, "cases:\n  - name: it\n    expect: allowed\n    "+tt.text)
			if diff := cmp.Diff(tt.want, cases.List[0].Input); diff != "" {
				t.Error(diff)
			}
			if cases.Policies != nil || cases.List[0].Line != 2 {
				t.Errorf("policies %v, line %d", cases.Policies, cases.List[0].Line)
			}
		})
	}
}

func TestAMistakeInACaseNamesItsLine(t *testing.T) {
	one := func(rest string) string { return "cases:\n  - name: one\n" + rest }
	const ok = "    change: {kind: pool, name: web, op: delete}\n"
	tests := []struct{ name, text, want string }{
		{"unknown field", one(ok + "    expcet: denied\n"), "line 4: field expcet is not known here"},
		{"unknown field within", one("    change: {kind: pool, nam: web}\n"), "line 3: field nam is not known here"},
		{"repeated field", one(ok + "    expect: denied\n    expect: denied\n"), "line 5"},
		{"type", one(ok + "    expect: denied\n    ticket: {approvals: ada}\n"), "line 5: can't use"},
		{"no YAML", "cases: [", "cases: yaml: line 1"},
		{"expectation", one(ok + "    expect: refused\n"), `line 4: case "one": expect "refused" must be allowed, denied or error`},
		{"no expectation", one(ok), `line 2: case "one": expect "" must be`},
		{"no name", "cases:\n  - expect: denied\n", "line 2: the case has no name"},
		{"kind", one("    change:\n      name: web\n      kind: pol\n    expect: denied\n"), `line 5: case "one": address "pol/web": unknown kind`},
		{"operation", one("    change: {kind: pool, name: web, op: remove}\n    expect: denied\n"), `line 3: case "one": op "remove" must be one of`},
		{"no operation", one("    change: {kind: pool, name: web}\n    expect: denied\n"), `op "" must be one of`},
		{"before a creation", one("    change: {kind: pool, name: web, op: create, before: {}}\n    expect: denied\n"), "what is created has no before"},
		{"after a deletion", one("    change: {kind: pool, name: web, op: delete, after: {}}\n    expect: denied\n"), "what is deleted has no after"},
		{"value that is no JSON", one("    change: {kind: pool, name: web, after: {a: .nan}}\n    expect: denied\n"), "line 3: case \"one\": the object can't be written as JSON"},
		{"ticket's type", one(ok + "    ticket:\n      type: urgent\n    expect: denied\n"), `line 5: case "one": ticket type "urgent" must be standard, normal, emergency`},
		{"time", one(ok + "    now: noon\n    expect: denied\n"), `line 4: case "one": now "noon" must be an RFC 3339 time`},
		{"window", one(ok + "    ticket: {not_after: later}\n    expect: denied\n"), `line 4: case "one": not_after "later" must be`},
		{"by of what is allowed", one(ok + "    by: [main/x]\n    expect: allowed\n"), "line 4"},
		{"name used twice", one(ok+"    expect: denied\n") + "  - name: one\n" + ok + "    expect: denied\n", `line 5: name "one" is used by another case`},
		{"no cases", "policies: {}\n", "there are no cases"},
		{"nothing", "", "there are no cases"},
		{"two documents", one(ok+"    expect: denied\n") + "---\ncases: []\n", "more than one document"},
		{"policy's name", "policies:\n  Main: {rules: {}}\n" + one(ok+"    expect: denied\n"), "line 2: a policy's name must be"},
		{"expression", strings.Replace(inline, "approvals.size", "aprovals.size", 1) + one(ok+"    expect: denied\n"), "line 7: policy main: /rules/two-approvals/require 1:7: there is no aprovals in ticket"},
		{"rule without a message", strings.Replace(inline, "        message: Say which environment it is.\n", "", 1) + one(ok+"    expect: denied\n"), "line 9: policy main: /rules/labelled/message is required"},
		{"too large", strings.Repeat("#", policy.MaxCasesBytes+1), "at most 4194304 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.ParseCases([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v\nwant …%s…", err, tt.want)
			}
			if strings.Contains(err.Error(), "policy.file") || strings.Contains(err.Error(), "!!") {
				t.Errorf("%v names types of Go or YAML", err)
			}
		})
	}
}

func TestCasesAreHeldToPolicies(t *testing.T) {
	const deletion = "change: {kind: listener, name: web, op: delete, before: {labels: {env: prod}}}\n    "
	tests := []struct {
		name, text string
		passed     bool
		got        string
		by         []string
	}{
		{"denied as expected", deletion + "expect: denied", true, "denied", []string{"main/two-approvals"}},
		{"denied by whom it should", deletion + "expect: denied\n    by: [main/two-approvals]", true, "denied", []string{"main/two-approvals"}},
		{"denied by another", deletion + "expect: denied\n    by: [main/labelled]", false, "denied", []string{"main/two-approvals"}},
		{"denied by fewer", deletion + "expect: denied\n    by: [main/labelled, main/two-approvals]", false, "denied", []string{"main/two-approvals"}},
		{"denied against expectation", deletion + "expect: allowed", false, "denied", []string{"main/two-approvals"}},
		{"allowed as expected", deletion + "ticket: {approvals: [ada, bob]}\n    expect: allowed", true, "allowed", []string{"main/labelled", "main/two-approvals"}},
		{"allowed against expectation", deletion + "ticket: {approvals: [ada, bob]}\n    expect: denied", false, "allowed", []string{"main/labelled", "main/two-approvals"}},
		{"emergency", deletion + "ticket: {type: emergency}\n    expect: allowed", true, "allowed", []string{"main/labelled"}},
		{"an error is no denial", "change: {kind: pool, name: web, op: delete}\n    expect: denied", false, "error", []string{"main/labelled"}},
		{"an error as expected", "change: {kind: pool, name: web, op: delete}\n    expect: error\n    by: [main/labelled]", true, "error", []string{"main/labelled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cases := parse(t, inline+"cases:\n  - name: it\n    "+tt.text)
			results := cases.Run(cases.Policies)
			if len(results) != 1 {
				t.Fatalf("%d results", len(results))
			}
			r := results[0]
			if r.Passed != tt.passed || r.Got != tt.got || !cmp.Equal(r.By, tt.by) {
				t.Errorf("%+v\nwant passed = %t, %s by %v", r, tt.passed, tt.got, tt.by)
			}
			if r.Name != "it" || r.Line != 14 || r.Expected != cases.List[0].Expect || len(r.Outcomes) == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func FuzzParseCases(f *testing.F) {
	f.Add([]byte(inline + "cases:\n  - {name: a, change: {kind: pool, name: web, op: delete}, expect: denied}\n"))
	f.Add([]byte("a: &a [*a]\ncases: [*a]"))
	f.Add([]byte("cases:\n  - change: {after: {? [1] : 2}}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		cases, err := policy.ParseCases(text)
		if (cases == nil) == (err == nil) {
			t.Fatalf("%v, %v", cases, err)
		}
		if err == nil && len(cases.Run(cases.Policies)) != len(cases.List) {
			t.Error("a case has no result")
		}
	})
}
