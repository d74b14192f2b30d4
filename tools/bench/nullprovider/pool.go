package main

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// nullPool has the shape of the real auditlb_pool: as many attributes, as deep.
type nullPool struct{}

func (nullPool) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "auditlb_pool"
}

func (nullPool) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	computed := schema.StringAttribute{Computed: true}
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id": schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{
			stringplanmodifier.UseStateForUnknown(),
		}},
		"name": schema.StringAttribute{Required: true, PlanModifiers: []planmodifier.String{
			stringplanmodifier.RequiresReplace(),
		}},
		"revision":           schema.Int64Attribute{Computed: true},
		"last_changed_by":    computed,
		"last_change_ticket": computed,
		"last_changed_at":    computed,
		"last_change_run":    computed,
		"owner":              schema.StringAttribute{Required: true},
		"labels":             schema.MapAttribute{ElementType: types.StringType, Optional: true},
		"protocol":           stringOr("http"),
		"algorithm":          stringOr("round_robin"),
		"members": schema.MapNestedAttribute{Optional: true, NestedObject: schema.NestedAttributeObject{
			Attributes: map[string]schema.Attribute{
				"address": schema.StringAttribute{Required: true},
				"weight":  intOr(1),
				"backup":  schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(false)},
				"state":   stringOr("active"),
			},
		}},
		"health_check": schema.SingleNestedAttribute{Optional: true, Attributes: map[string]schema.Attribute{
			"type":                stringOr("http"),
			"interval":            stringOr("10s"),
			"timeout":             stringOr("2s"),
			"healthy_threshold":   intOr(2),
			"unhealthy_threshold": intOr(3),
			"path":                stringOr("/"),
			"host":                schema.StringAttribute{Optional: true},
			"expected_statuses":   schema.SetAttribute{ElementType: types.StringType, Optional: true},
		}},
		"timeouts": schema.SingleNestedAttribute{
			Optional: true, Computed: true, Default: objectdefault.StaticValue(defaultTimeouts),
			Attributes: map[string]schema.Attribute{
				"connect":  stringOr("5s"),
				"response": stringOr("1m0s"),
				"idle":     stringOr("5m0s"),
			},
		},
	}}
}

var defaultTimeouts = types.ObjectValueMust(
	map[string]attr.Type{"connect": types.StringType, "response": types.StringType, "idle": types.StringType},
	map[string]attr.Value{
		"connect":  types.StringValue("5s"),
		"response": types.StringValue("1m0s"),
		"idle":     types.StringValue("5m0s"),
	})

func stringOr(def string) schema.StringAttribute {
	return schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString(def)}
}

func intOr(def int64) schema.Int64Attribute {
	return schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(def)}
}

func (nullPool) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	resp.Diagnostics = keep(ctx, req.Plan, &resp.State)
}

func (nullPool) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.Diagnostics = keep(ctx, req.Plan, &resp.State)
}

func (nullPool) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (nullPool) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

// keep takes the plan for the state and fills in what is computed.
func keep(ctx context.Context, plan tfsdk.Plan, state *tfsdk.State) diag.Diagnostics {
	state.Raw = plan.Raw
	var name types.String
	diags := plan.GetAttribute(ctx, path.Root("name"), &name)
	for attribute, value := range map[string]any{
		"id":                 "pool/" + name.ValueString(),
		"revision":           int64(1),
		"last_changed_by":    "nobody",
		"last_change_ticket": "none",
		"last_changed_at":    "2000-01-01T00:00:00Z",
		"last_change_run":    "none",
	} {
		diags.Append(state.SetAttribute(ctx, path.Root(attribute), value)...)
	}
	return diags
}
