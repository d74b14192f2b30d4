package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// decode returns the values of an object's attributes. Prior is what they were
// declared as, priorNormal the JSON of that: where both mean the same, what the
// user wrote stays as it was written, so "60s" isn't answered with "1m".
//
// What is empty and was left out stays null.
func (c codec) decode(ctx context.Context, normal map[string]any, prior tftypes.Value, priorNormal map[string]any) (map[string]tftypes.Value, error) {
	priorMembers, err := objectOf(prior)
	if err != nil {
		return nil, err
	}
	out := map[string]tftypes.Value{}
	for name, a := range c.declared {
		if a.IsWriteOnly() {
			out[name] = tftypes.NewValue(a.GetType().TerraformType(ctx), nil)
			continue
		}
		key := c.jsonName(name)
		if out[name], err = decodeAttribute(ctx, a, normal[key], priorMembers[name], priorNormal[key]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return out, nil
}

func decodeAttribute(ctx context.Context, a schema.Attribute, normal any, prior tftypes.Value, priorNormal any) (tftypes.Value, error) {
	typ := a.GetType().TerraformType(ctx)
	null := tftypes.NewValue(typ, nil)
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		members, ok := normal.(map[string]any)
		if !ok {
			return null, nil
		}
		values, err := decodeObject(ctx, a.Attributes, members, prior, priorNormal)
		if err != nil {
			return null, err
		}
		if prior.IsNull() && !a.IsComputed() && allNull(values) {
			return null, nil
		}
		return newValue(typ, values)
	case schema.MapNestedAttribute:
		elements, _ := normal.(map[string]any)
		if len(elements) == 0 && prior.IsNull() {
			return null, nil
		}
		priorElements, err := objectOf(prior)
		if err != nil {
			return null, err
		}
		priorNormals, _ := priorNormal.(map[string]any)
		values := map[string]tftypes.Value{}
		for key, element := range elements {
			members, _ := element.(map[string]any)
			below, err := decodeObject(ctx, a.NestedObject.Attributes, members, priorElements[key], priorNormals[key])
			if err != nil {
				return null, err
			}
			if values[key], err = newValue(a.NestedObject.Type().TerraformType(ctx), below); err != nil {
				return null, err
			}
		}
		return newValue(typ, values)
	}
	if !prior.IsNull() && prior.IsFullyKnown() && same(normal, priorNormal) {
		return prior, nil
	}
	if isEmpty(normal) && !a.IsComputed() && !a.IsRequired() {
		return null, nil
	}
	return leafOf(typ, normal)
}

func decodeObject(ctx context.Context, of attributes, normal map[string]any, prior tftypes.Value, priorNormal any) (map[string]tftypes.Value, error) {
	priorMembers, err := objectOf(prior)
	if err != nil {
		return nil, err
	}
	priorNormals, _ := priorNormal.(map[string]any)
	values := map[string]tftypes.Value{}
	for name, a := range of {
		if values[name], err = decodeAttribute(ctx, a, normal[name], priorMembers[name], priorNormals[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return values, nil
}

// keepSpelling returns a planned value with every part that means the same as
// in the state written as in the state, so that another way of writing a
// duration, a host or an address is no change. Terraform allows a plan to keep
// what is, as long as neither side is null.
func keepSpelling(a schema.Attribute, plan tftypes.Value, planNormal any, state tftypes.Value, stateNormal any) tftypes.Value {
	if plan.IsNull() || !plan.IsKnown() || state.IsNull() {
		return plan
	}
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		return keepObject(a.Attributes, plan, planNormal, state, stateNormal)
	case schema.MapNestedAttribute:
		planned, _ := objectOf(plan)
		stored, _ := objectOf(state)
		planNormals, _ := planNormal.(map[string]any)
		stateNormals, _ := stateNormal.(map[string]any)
		for key, element := range planned {
			planned[key] = keepObject(a.NestedObject.Attributes, element, planNormals[key], stored[key], stateNormals[key])
		}
		return tftypes.NewValue(plan.Type(), planned)
	}
	if plan.IsFullyKnown() && same(planNormal, stateNormal) {
		return state
	}
	return plan
}

func keepObject(of attributes, plan tftypes.Value, planNormal any, state tftypes.Value, stateNormal any) tftypes.Value {
	if plan.IsNull() || !plan.IsKnown() || state.IsNull() {
		return plan
	}
	planned, _ := objectOf(plan)
	stored, _ := objectOf(state)
	planNormals, _ := planNormal.(map[string]any)
	stateNormals, _ := stateNormal.(map[string]any)
	for name, a := range of {
		planned[name] = keepSpelling(a, planned[name], planNormals[name], stored[name], stateNormals[name])
	}
	return tftypes.NewValue(plan.Type(), planned)
}
