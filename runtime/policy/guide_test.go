package policy_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
)

var update = flag.Bool("update", false, "write the guide's table of variables anew")

const guide = "../../templates/guides/policy.md"

// The guide's table is what the package declares.
func TestTheGuideListsEveryVariable(t *testing.T) {
	const heading = "| variable | type | what it is |\n|---|---|---|\n"
	var table strings.Builder
	for _, v := range policy.Variables() {
		fmt.Fprintf(&table, "| `%s` | `%s` | %s |\n", v.Name, v.Type, v.Doc)
	}
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), heading)
	if !ok {
		t.Fatalf("%s has no table of variables", guide)
	}
	length := 0
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		length += len(line)
	}
	if rest[:length] == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of the package; run this test with -update", guide)
	}
	if err := os.WriteFile(guide, []byte(before+heading+table.String()+rest[length:]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The guide's tables of cases are read, and every case passes.
func TestTheGuidesCasesPass(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		cases := parse(t, block)
		for _, r := range cases.Run(cases.Policies) {
			found++
			if !r.Passed {
				t.Errorf("%+v", r)
			}
		}
	}
	if found < 6 {
		t.Errorf("the guide has only %d cases", found)
	}
}

// The guide states the bounds that hold.
func TestTheGuideStatesTheBounds(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	for _, statement := range []string{
		fmt.Sprintf("at most %d bytes", lb.MaxRuleExpression),
		fmt.Sprintf("at most %d rules", lb.MaxPolicyRules),
		fmt.Sprintf("at most %d may stand", policy.MaxNesting),
		fmt.Sprintf("%d units", policy.MaxRuleCost),
		fmt.Sprintf("%d units", policy.MaxDecisionCost),
	} {
		if !strings.Contains(words, statement) {
			t.Errorf("the guide does not state %q", statement)
		}
	}
}
