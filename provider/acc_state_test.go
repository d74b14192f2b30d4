package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

func TestAccDataSourcesSayWhoSetWhatAndWhatWas(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	const blame = `
data "auditlb_blame" "web" {
  resource   = auditlb_pool.web.id
  depends_on = [auditlb_pool.web]
}
`
	setIn := func(path, run string) knownvalue.Check {
		return knownvalue.SetPartial([]knownvalue.Check{knownvalue.ObjectPartial(map[string]knownvalue.Check{
			"path": knownvalue.StringExact(path), "run": knownvalue.StringExact(run), "changed_by": knownvalue.StringExact("olivia"),
			"ticket": knownvalue.StringExact(rt.Ticket), "known": knownvalue.Bool(true),
		})})
	}
	run(t,
		resource.TestStep{Config: rt.Provider("run", "run-1") + poolWeb(1)},
		resource.TestStep{
			Config: rt.Provider("run", "run-2") + poolWeb(2) + blame,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.auditlb_blame.web", tfjsonpath.New("attributes"), setIn("/members/a/weight", "run-2")),
				statecheck.ExpectKnownValue("data.auditlb_blame.web", tfjsonpath.New("attributes"), setIn("/members/a/address", "run-1")),
			},
		},
		resource.TestStep{
			Config: rt.Provider("run", "run-2") + poolWeb(2) + `
data "auditlb_state_at" "first" {
  at       = "run:run-1"
  resource = "pool"
}
output "weight" {
  value = jsondecode(data.auditlb_state_at.first.objects["pool/web"].object).members.a.weight
}
`,
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownOutputValue("weight", knownvalue.Int64Exact(1)),
				statecheck.ExpectKnownValue("data.auditlb_state_at.first", tfjsonpath.New("objects").AtMapKey("pool/web").AtMapKey("run"), knownvalue.StringExact("run-1")),
			},
		},
		resource.TestStep{Config: rt.Provider() + "data \"auditlb_blame\" \"it\" {\n resource = \"web\"\n}\n", ExpectError: says("Not an address")},
		resource.TestStep{Config: rt.Provider() + "data \"auditlb_state_at\" \"it\" {\n at = \"yesterday\"\n}\n", ExpectError: says("RFC 3339")},
	)
}
