package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// ValidateConfig implements [resource.ResourceWithValidateConfig]: what the
// server would refuse is refused here, on the attribute that caused it.
func (r *objectResource) ValidateConfig(_ context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	members, _ := objectOf(req.Config.Raw)
	if name := members[attrName]; !name.IsNull() && name.IsKnown() {
		if msg := lb.CheckName(stringIn(req.Config.Raw, attrName)); msg != "" {
			resp.Diagnostics.AddAttributeError(path.Root(attrName), "Invalid "+string(r.kind), "name: "+msg+".")
		}
	}
	f, err := r.encode(req.Config.Raw)
	if err != nil {
		r.addInvalid(&resp.Diagnostics, err)
		return
	}
	violations := f.object.Validate()
	if cert, ok := f.object.(*lb.Certificate); ok {
		key := members[attrPrivateKey]
		if !key.IsNull() && key.IsKnown() {
			if _, err := lb.KeyPair(cert.ChainPEM, stringIn(req.Config.Raw, attrPrivateKey)); err != nil {
				violations = append(violations, lb.Violation{Pointer: "/" + r.jsonName(attrPrivateKey), Detail: err.Error()})
			}
		}
	}
	r.addViolations(&resp.Diagnostics, "Invalid "+string(r.kind), lb.Settled(r.kind, violations, f.unknown), "")
}

func (r *objectResource) addInvalid(diags *diag.Diagnostics, err error) {
	var violations lb.Violations
	if !errors.As(err, &violations) {
		violations = lb.Violations{{Detail: err.Error()}}
	}
	r.addViolations(diags, "Invalid "+string(r.kind), violations, "")
}

// ModifyPlan implements [resource.ResourceWithModifyPlan]. It fills in what can
// be known before the apply, and tells the server what is intended, so that the
// intention is validated against what is there now and stands in the log.
//
// Terraform calls it for every object, also unchanged ones, and again while it
// applies; the server answers the same plan of the same run with the same entry.
func (r *objectResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.client == nil {
		return
	}
	if !r.client.checkHistory(ctx, req.Private, nil, &resp.Diagnostics) {
		return
	}
	prior := r.address(req.State.Raw)
	if req.Plan.Raw.IsNull() {
		r.announce(ctx, &resp.Diagnostics, api.PlanRequest{Kind: r.kind, Name: prior.Name, Op: lb.OpDelete})
		return
	}
	plan, err := r.encode(req.Plan.Raw)
	if err != nil {
		r.addInvalid(&resp.Diagnostics, err)
		return
	}
	at := r.address(req.Plan.Raw)
	exists := !req.State.Raw.IsNull()
	values, err := r.planValues(ctx, req.Plan.Raw, at, plan)
	if err != nil {
		r.addInvalid(&resp.Diagnostics, err)
		return
	}
	if exists && at == prior {
		state, err := r.encode(req.State.Raw)
		if err != nil {
			r.addInvalid(&resp.Diagnostics, err)
			return
		}
		unchanged := r.keepState(values, plan, req.State.Raw, state)
		if !unchanged {
			// Terraform did so before plan modifiers ran, for what differed then.
			for _, name := range loggedAttributes {
				values[name] = tftypes.NewValue(values[name].Type(), tftypes.UnknownValue)
			}
		}
		if resp.Plan.Raw, err = newValue(req.Plan.Raw.Type(), values); err != nil {
			r.addInvalid(&resp.Diagnostics, err)
			return
		}
		if unchanged {
			resp.Plan.Raw = req.State.Raw
		}
		if len(plan.unknown) == 0 && same(plan.normal, state.normal) {
			r.unrefreshed(ctx, at, req.State.Raw, req.Private, &resp.Diagnostics)
			return
		}
		answer := r.announce(ctx, &resp.Diagnostics, plan.request(at, lb.OpUpdate))
		r.planned(ctx, at, answer, req.State.Raw, req.Private, undoes(plan.normal, state.normal), &resp.Diagnostics)
		return
	}
	if resp.Plan.Raw, err = newValue(req.Plan.Raw.Type(), values); err != nil {
		r.addInvalid(&resp.Diagnostics, err)
		return
	}
	if exists {
		// Another name is another object. This call is about the old one's end;
		// Terraform plans the new one's beginning in a call of its own.
		r.announce(ctx, &resp.Diagnostics, api.PlanRequest{Kind: r.kind, Name: prior.Name, Op: lb.OpDelete})
		return
	}
	if at.Name != "" {
		r.announce(ctx, &resp.Diagnostics, plan.request(at, lb.OpCreate))
	}
}

// request is the plan of an object as it would be.
func (f *form) request(at lb.Address, op lb.Op) api.PlanRequest {
	return api.PlanRequest{Kind: at.Kind, Name: at.Name, Op: op, Object: f.declared, Unknown: f.unknown}
}

// planValues returns a plan's attributes with the computed ones filled in that
// follow from known ones. They are values of the inputs alone, so the plan
// during the apply comes to the same.
func (r *objectResource) planValues(ctx context.Context, plan tftypes.Value, at lb.Address, f *form) (map[string]tftypes.Value, error) {
	values, err := objectOf(plan)
	if err != nil {
		return nil, err
	}
	if at.Name != "" {
		values[attrID] = tftypes.NewValue(tftypes.String, at.String())
	}
	if r.derivedFrom == "" || lb.Unsettled(r.kind, "/"+r.jsonName(r.derivedFrom), f.unknown) {
		return values, nil
	}
	decoded, err := r.decode(ctx, f.normal, plan, f.normal)
	if err != nil {
		return nil, err
	}
	for name, a := range r.declared {
		if isDerived(a) {
			values[name] = decoded[name]
		}
	}
	return values, nil
}

// keepState lets a plan keep the state's spelling where both mean the same, and
// reports whether nothing else is left of the difference.
func (r *objectResource) keepState(values map[string]tftypes.Value, plan *form, stateValue tftypes.Value, state *form) (unchanged bool) {
	stored, _ := objectOf(stateValue)
	unchanged = true
	for name, a := range r.declared {
		key := r.jsonName(name)
		values[name] = keepSpelling(a, values[name], plan.normal[key], stored[name], state.normal[key])
		unchanged = unchanged && values[name].Equal(stored[name])
	}
	return unchanged
}

// announce sends a planned change. The server leaves what depends on unknown
// values for the apply. Its pointers lead into the call's body. The answer is nil when
// it was refused.
func (r *objectResource) announce(ctx context.Context, diags *diag.Diagnostics, req api.PlanRequest) *api.Plan {
	at := r.addressOf(req.Name)
	planned, err := r.client.Plan(ctx, req)
	var problem *api.Problem
	if errors.As(err, &problem) {
		for i, v := range problem.Violations {
			problem.Violations[i].Pointer = strings.TrimPrefix(v.Pointer, "/object")
		}
	}
	if err != nil {
		r.addError(diags, at, "plan to "+req.Op, 0, err)
		return nil
	}
	for _, warning := range planned.Warnings {
		if req.Op == lb.OpUpdate && planned.Base == 0 && warning == at.String()+" does not exist" {
			continue // who deleted it is told instead
		}
		diags.AddWarning(fmt.Sprintf("%s: %s is planned with a reservation", at, req.Op), upperFirst(warning)+".")
	}
	return planned
}
