package provider_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

// TestAccNothingChangesWithoutAChange takes every configuration from the least through the
// most and all others back to the least, side by side.
func TestAccNothingChangesWithoutAChange(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	all, needs := configurations(t)
	// stages are what a configuration goes through.
	stages := make([][]string, len(all))
	most := 0
	for i, c := range all {
		stages[i] = slices.Concat([]string{c.least, c.most}, c.others, []string{c.least})
		most = max(most, len(stages[i]))
	}
	var steps []resource.TestStep
	for n := range most {
		config := rt.Provider() + needs
		plan := emptyPlan
		var checks []statecheck.StateCheck
		for i, c := range all {
			at, action, state := c.at(), plancheck.ResourceActionUpdate, map[string]knownvalue.Check(nil)
			last := len(stages[i]) - 1
			switch {
			case n == 0:
				action, state = plancheck.ResourceActionCreate, c.leastState
			case n == 1:
				state = c.mostState
			case n >= last:
				state = c.leastState
			}
			if n > last {
				action = plancheck.ResourceActionNoop // it waits for the others
			}
			config += c.block(stages[i][min(n, last)])
			plan.PreApply = append(plan.PreApply, plancheck.ExpectResourceAction(at, action))
			checks = append(checks,
				statecheck.ExpectKnownValue(at, tfjsonpath.New("id"), knownvalue.StringExact(c.address())),
				statecheck.ExpectKnownValue(at, tfjsonpath.New("last_changed_by"), knownvalue.StringExact("olivia")),
				statecheck.ExpectKnownValue(at, tfjsonpath.New("last_change_ticket"), knownvalue.StringExact(rt.Ticket)),
				statecheck.ExpectKnownValue(at, tfjsonpath.New("revision"), knownvalue.NotNull()),
			)
			for name, check := range state {
				checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(name), check))
			}
		}
		steps = append(steps, resource.TestStep{Config: config, ConfigPlanChecks: plan, ConfigStateChecks: checks})
		if n > 1 {
			continue
		}
		for _, c := range all {
			steps = append(steps, resource.TestStep{
				ResourceName: c.at(), ImportState: true, ImportStateId: []string{c.label(), c.address()}[n], ImportStateVerify: true,
				ImportStateVerifyIgnore: c.ignoreOnImport,
			})
		}
	}
	run(t, steps...)
}

func TestAccImportedObjectsNeedNoChange(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	all, needs := configurations(t)
	config := rt.Provider() + needs
	forget, imports := config, ""
	var plan resource.ConfigPlanChecks
	for _, c := range all {
		if c.name == "pool with empty parts" {
			continue // null and empty can't be told apart by what is stored
		}
		config += c.block(c.most)
		forget += fmt.Sprintf("removed {\n from = %s\n lifecycle {\n destroy = false\n }\n}\n", c.at())
		imports += fmt.Sprintf("import {\n to = %s\n id = %q\n}\n", c.at(), c.label())
		plan.PreApply = append(plan.PreApply, plancheck.ExpectResourceAction(c.at(), plancheck.ResourceActionNoop))
	}
	run(t,
		resource.TestStep{Config: config},
		resource.TestStep{Config: forget},
		resource.TestStep{Config: config + imports, ConfigPlanChecks: plan},
	)
}
