package policy_test

import (
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

func TestMistakesAreFoundWhenARuleIsCompiled(t *testing.T) {
	tests := []struct{ name, text, detail string }{
		{"unknown field", "ticket.aprovals.size() > 1", "1:7: there is no aprovals in ticket; it has id, type, title, requester, approvals,"},
		{"unknown field in has", "has(change.labls)", "there is no labls in change; it has kind, name, address"},
		{"unknown field on the second line", "true &&\n run.foo == 1", "2:5: there is no foo in run; it has id, verified, claimed, proved"},
		{"unknown field of a variable of all", "[change].exists(c, c.knd == 'x')", "1:21: there is no knd here"},
		{"unknown variable", "tickets.id == ''", "1:1: there is no tickets; expressions see actor, change, now, run, ticket"},
		{"unknown function", "size2(change.name) == 1", "there is no function size2"},
		{"wrong type", "change.kind == 1", "1:13: == can't be applied to (string, int)"},
		{"records of different types", "ticket == change", "== can't be applied to (ticket, change)"},
		{"no condition", "change.kind", "is of type string and must be true or false"},
		{"a record", "change", "is of type change and must be true or false"},
		{"no certain type", "change.after.enabled", "compare this one, as in change.after.enabled == true"},
		{"no certain type in a choice", "run.verified ? change.after.a : change.after.b", "compare this one"},
		{"syntax", "change.kind ==", "1:15: the expression ends too early"},
		{"nothing", " ", "the expression ends too early"},
		{"glob", "matches_glob(change.address, 'web')", `1:30: "web" must be a glob over kind/name`},
		{"regular expression", "change.name.matches('(')", "is no regular expression (RE2)"},
		{"large regular expression", "change.name.matches('a{500}')", "is too large a regular expression"},
		{"timestamp", "now > timestamp('tomorrow')", "is no timestamp, such as 2026-01-31T14:05:00Z"},
		{"duration", "now - now > duration('1 day')", "is no duration, such as 1h30m"},
		{"message of protocol buffers", "google.protobuf.Struct{} == change.after", "there is no google.protobuf.Struct"},
		{"value of protocol buffers", "google.protobuf.Value{string_value: 'a'} == 'a'", "there is no google.protobuf.Value"},
		{"number of protocol buffers", "google.protobuf.Int64Value{value: 1} == 1", "there is no google.protobuf.Int64Value"},
		{"record that is made", "change{kind: 'a'} == change", "there is no change"},
		{"record by its type", "@change{kind: 'a'} == change", "is no expression here"},
		{"nested too deeply", strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100), "at most 64 levels"},
		{"all in all in all in all", "[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))", "at most 3 are allowed"},
		{"map after map after map after map", "[1].map(a, a).map(a, a).map(a, a).map(a, a) == []", "at most 3 are allowed"},
		{"too long", "true" + strings.Repeat(" ", lb.MaxRuleExpression), "at most 4096 are allowed"},
		{"replace", "change.name.replace('a', 'b') == ''", "replace is not available in policies"},
		{"join", "change.changed.join(',') == ''", "join is not available in policies"},
		{"distinct", "change.changed.distinct() == []", "distinct is not available in policies"},
		{"indexOf", "change.name.indexOf('a') == 1", "indexOf is not available in policies"},
		{"lastIndexOf", "change.name.lastIndexOf('a') == 1", "lastIndexOf is not available in policies"},
		{"sort", "change.changed.sort() == []", "sort is not available in policies"},
		{"sortBy", "change.changed.sortBy(p, p.size()) == []", "sortBy is not available in policies"},
		{"format", "'%s'.format([change.name]) == ''", "format is not available in policies"},
		{"quote", "strings.quote(change.name) == ''", "strings.quote is not available in policies"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, half := range []struct {
				pointer string
				rule    lb.PolicyRule
			}{{"/rules/r/when", rule(tt.text, "true")}, {"/rules/r/require", rule("true", tt.text)}} {
				p, found := policy.Compile("main", 1, &lb.Policy{Rules: map[string]lb.PolicyRule{"r": half.rule}})
				if len(found) == 0 {
					t.Fatalf("%s compiles", half.pointer)
				}
				if found[0].Pointer != half.pointer || !strings.Contains(found[0].Detail, tt.detail) {
					t.Errorf("%+v\nwant %s …%s", found, half.pointer, tt.detail)
				}
				if strings.Contains(found.Error(), "@change") {
					t.Errorf("%v names a type that can't be written", found)
				}
				// What does not compile can't be evaluated.
				d := policy.Set{p}.Decide(full())
				if o := result(t, d); d.Allowed || o.Result != policy.Failed || !strings.Contains(o.Message, "does not compile") {
					t.Errorf("decided %+v", d)
				}
			}
		})
	}
}

func TestEveryMistakeOfAPolicyIsTold(t *testing.T) {
	_, found := policy.Compile("main", 1, &lb.Policy{Rules: map[string]lb.PolicyRule{
		"b": rule("foo", "bar && baz"), "a": rule("true", "1"), "c": rule("true", "true"),
	}})
	var pointers []string
	for _, v := range found {
		pointers = append(pointers, v.Pointer)
	}
	if got, want := strings.Join(pointers, " "), "/rules/a/require /rules/b/when /rules/b/require /rules/b/require"; got != want {
		t.Errorf("mistakes at %s, want %s", got, want)
	}
}

func TestATokenInTheWrongPlaceIsNotRepeated(t *testing.T) {
	const token = "auditlb_0b5e9c3f7a12_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	for _, text := range []string{token, token + "()", "ticket." + token + " == ''", "ticket.id " + token, "ticket.id == '" + token, "'" + token + "'", "`" + token + "`", "matches_glob('a/b', '" + token + "')"} {
		_, found := policy.Compile("main", 1, &lb.Policy{Rules: map[string]lb.PolicyRule{"r": rule("true", text)}})
		if len(found) == 0 || strings.Contains(found.Error(), token[:40]) {
			t.Errorf("%s: %v", text, found)
		}
	}
}

// FuzzCompile compiles any text and decides with what compiles.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`ticket.approvals.size() >= 2`, `change.labels["env"] == "prod"`, `change.after.members.all(m, change.after.members[m].weight < 10)`,
		`matches_glob(change.address, "pool/*")`, `sets.contains(ticket.approvals, ["a"])`, `now.getHours("Europe/Berlin") < 12`,
		`[change.after].map(a, [a, a]).map(b, [b, b]) == []`, `dyn(change).foo == 1`, `has(change.before) ? 1/0 == 1 : false`,
		`"a".matches("(a*)*b")`, `lists.range(5).map(i, i * i).size() > 0`, `@x`, "(((", "\x00", `'\u{`, `1 +`, "change.`a-b`", `type(change) == type(change)`,
	} {
		f.Add(seed)
	}
	in := full()
	f.Fuzz(func(t *testing.T, text string) {
		p, found := policy.Compile("main", 1, &lb.Policy{Rules: map[string]lb.PolicyRule{"r": rule("true", text)}})
		for _, v := range found {
			if v.Pointer != "/rules/r/require" || v.Detail == "" {
				t.Errorf("violation %+v", v)
			}
		}
		d := policy.Set{p}.Decide(in)
		o := result(t, d)
		if d.Allowed != (o.Result == policy.Passed) {
			t.Errorf("allowed = %t with %+v", d.Allowed, o)
		}
		if len(found) > 0 && o.Result != policy.Failed {
			t.Errorf("%+v, although it does not compile: %v", o, found)
		}
	})
}
