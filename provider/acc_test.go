package provider_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

func TestMain(m *testing.M) { os.Exit(acctest.Main(m)) }

// emptyPlan is what a plan must be after every apply.
var emptyPlan = resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}

// run runs steps against the real terraform.
func run(t *testing.T, steps ...resource.TestStep) {
	t.Helper()
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: acctest.Factories(), Steps: steps})
}

// says is a pattern for texts, one after the other, that terraform may have wrapped.
func says(texts ...string) *regexp.Regexp {
	for i, text := range texts {
		words := strings.Fields(text)
		for i := range words {
			words[i] = regexp.QuoteMeta(words[i])
		}
		texts[i] = strings.Join(words, `[\s│]+`)
	}
	return regexp.MustCompile(`(?s)` + strings.Join(texts, `.*`))
}

// failures runs terraform, which must fail, and returns the errors by the block of the
// configuration that each is about, such as `resource "auditlb_pool" "web"`.
func failures(t *testing.T, w *acctest.Workspace, args ...string) map[string]string {
	t.Helper()
	out, err := w.Run(t, append(args, "-json")...)
	if err == nil {
		t.Fatalf("terraform %s does not fail:\n%s", strings.Join(args, " "), out)
	}
	errors := map[string]string{}
	for _, w := range warningsIn(t, out) {
		if w.Severity == "error" {
			errors[w.Snippet.Context] += fmt.Sprintln(w.Summary, w.Detail, w.Snippet.Code)
		}
	}
	return errors
}
