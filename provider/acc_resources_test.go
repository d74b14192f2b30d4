package provider_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

// TestAccNothingChangesWithoutAChange takes every configuration from the least through the
// most and all others back to the least, side by side. What is forgotten and then imported,
// by its name or its address, is as it was, and needs no change.
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
		config := asAdmin(rt) + needs
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
				statecheck.ExpectKnownValue(at, tfjsonpath.New("last_changed_by"), knownvalue.StringExact("ada")),
				statecheck.ExpectKnownValue(at, tfjsonpath.New("last_change_ticket"), knownvalue.StringExact(rt.Ticket)),
				statecheck.ExpectKnownValue(at, tfjsonpath.New("revision"), knownvalue.NotNull()),
			)
			for name, check := range state {
				checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(name), check))
			}
		}
		step := resource.TestStep{Config: config, ConfigPlanChecks: plan, ConfigStateChecks: checks}
		if n > 1 {
			steps = append(steps, step)
			continue
		}
		forget, imports, before := asAdmin(rt)+needs, "", forgotten{all: all, was: map[string]string{}}
		again := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{before}}
		for _, c := range all {
			forget += fmt.Sprintf("removed {\n from = %s\n lifecycle {\n destroy = false\n }\n}\n", c.at())
			imports += fmt.Sprintf("import {\n to = %s\n id = %q\n}\n", c.at(), []string{c.label(), c.address()}[n])
			if c.name != "pool with empty parts" { // null and empty can't be told apart by what is stored
				again.PreApply = append(again.PreApply, plancheck.ExpectResourceAction(c.at(), plancheck.ResourceActionNoop))
			}
		}
		step.ConfigStateChecks = append(step.ConfigStateChecks, before)
		steps = append(steps, step, resource.TestStep{Config: forget}, resource.TestStep{Config: config + imports, ConfigPlanChecks: again})
	}
	run(t, steps...)
}

// forgotten checks that a plan imports configurations as they were in a state.
type forgotten struct {
	all []configuration
	was map[string]string // by address in Terraform
}

// CheckState implements [statecheck.StateCheck]: this is what was.
func (f forgotten) CheckState(_ context.Context, req statecheck.CheckStateRequest, resp *statecheck.CheckStateResponse) {
	for _, r := range req.State.Values.RootModule.Resources {
		was, err := f.comparable(r.Address, r.AttributeValues)
		f.was[r.Address], resp.Error = was, errors.Join(resp.Error, err)
	}
}

// CheckPlan implements [plancheck.PlanCheck].
func (f forgotten) CheckPlan(_ context.Context, req plancheck.CheckPlanRequest, resp *plancheck.CheckPlanResponse) {
	imported := 0
	for _, r := range req.Plan.ResourceChanges {
		if r.Change.Importing == nil {
			continue
		}
		imported++
		is, err := f.comparable(r.Address, r.Change.Before)
		if err == nil && is != f.was[r.Address] {
			err = fmt.Errorf("%s is imported as\n%s, and was\n%s", r.Address, is, f.was[r.Address])
		}
		resp.Error = errors.Join(resp.Error, err)
	}
	if imported != len(f.all) {
		resp.Error = errors.Join(resp.Error, fmt.Errorf("%d of %d are imported", imported, len(f.all)))
	}
}

// comparable is a resource as JSON, without what can't come back by an import.
func (f forgotten) comparable(address string, values any) (string, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	var attributes object
	if err := json.Unmarshal(text, &attributes); err != nil {
		return "", err
	}
	for _, c := range f.all {
		if c.at() == address {
			for _, path := range c.ignoreOnImport {
				attributes = with(attributes, path, nil)
			}
		}
	}
	text, err = json.Marshal(attributes, json.Deterministic(true))
	return string(text), err
}
