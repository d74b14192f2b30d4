package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

func TestAccNothingChangesWithoutAChange(t *testing.T) {
	acctest.Need(t)
	for _, c := range configurations(t) {
		t.Run(c.name, func(t *testing.T) {
			rt := acctest.Start(t)
			at := c.resource + ".it"
			config := func(attributes string) string {
				return rt.Provider() + c.needs + fmt.Sprintf("resource %q \"it\" {\n name = \"it\"\n owner = \"edge\"\n%s\n}\n", c.resource, attributes)
			}
			step := func(attributes string, action plancheck.ResourceActionType, state map[string]knownvalue.Check) resource.TestStep {
				checks := []statecheck.StateCheck{
					statecheck.ExpectKnownValue(at, tfjsonpath.New("id"), knownvalue.StringExact(strings.TrimPrefix(c.resource, "auditlb_")+"/it")),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("last_changed_by"), knownvalue.StringExact("olivia")),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("last_change_ticket"), knownvalue.StringExact(rt.Ticket)),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("revision"), knownvalue.NotNull()),
				}
				for name, check := range state {
					checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(name), check))
				}
				plan := emptyPlan
				plan.PreApply = []plancheck.PlanCheck{plancheck.ExpectResourceAction(at, action)}
				return resource.TestStep{Config: config(attributes), ConfigPlanChecks: plan, ConfigStateChecks: checks}
			}
			imports := func(id string) resource.TestStep {
				return resource.TestStep{
					ResourceName: at, ImportState: true, ImportStateId: id, ImportStateVerify: true,
					ImportStateVerifyIgnore: c.ignoreOnImport,
				}
			}
			steps := []resource.TestStep{
				step(c.least, plancheck.ResourceActionCreate, c.leastState),
				imports("it"),
				step(c.most, plancheck.ResourceActionUpdate, c.mostState),
				imports(strings.TrimPrefix(c.resource, "auditlb_") + "/it"),
			}
			for _, attributes := range c.others {
				steps = append(steps, step(attributes, plancheck.ResourceActionUpdate, nil))
			}
			run(t, append(steps, step(c.least, plancheck.ResourceActionUpdate, c.leastState))...)
		})
	}
}

func TestAccImportedObjectsNeedNoChange(t *testing.T) {
	acctest.Need(t)
	for _, c := range configurations(t) {
		if c.name == "pool with empty parts" {
			continue // null and empty can't be told apart by what is stored
		}
		t.Run(c.name, func(t *testing.T) {
			rt := acctest.Start(t)
			config := rt.Provider() + c.needs + fmt.Sprintf("resource %q \"it\" {\n name = \"it\"\n owner = \"edge\"\n%s\n}\n", c.resource, c.most)
			forget := rt.Provider() + c.needs + fmt.Sprintf("removed {\n from = %s.it\n lifecycle {\n destroy = false\n }\n}\n", c.resource)
			run(t,
				resource.TestStep{Config: config},
				resource.TestStep{Config: forget},
				resource.TestStep{
					Config: config + fmt.Sprintf("import {\n to = %s.it\n id = \"it\"\n}\n", c.resource),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(c.resource+".it", plancheck.ResourceActionNoop),
					}},
				},
			)
		})
	}
}
