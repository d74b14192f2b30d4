package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

type runDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*runDataSource)(nil)

func newRunDataSource() datasource.DataSource { return &runDataSource{} }

// Metadata implements [datasource.DataSource].
func (d *runDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_run"
}

// Schema implements [datasource.DataSource].
func (d *runDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	flag := func(description string) schema.BoolAttribute {
		return schema.BoolAttribute{MarkdownDescription: description, Computed: true}
	}
	texts := func(description string) schema.ListAttribute {
		return schema.ListAttribute{MarkdownDescription: description, ElementType: types.StringType, Computed: true}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads what became of what a run planned: planned against applied, effect by effect, with its tickets and approvals.",
		Attributes: map[string]schema.Attribute{
			"id":          schema.StringAttribute{MarkdownDescription: "The run's id, such as `github/acme/infra/123/1`.", Required: true},
			"overall":     text("One word for all effects, the first of these that is so: " + choice(api.RunOutcomes) + ". `applied` is everything as planned."),
			"applied":     number("How many effects are applied as planned, in this run or another."),
			"not_applied": number("How many are planned and not applied so far."),
			"failed":      number("How many were refused."),
			"unplanned":   number("How many were applied and not planned."),
			"left_out":    number("How many entries of the run were not looked at, the oldest ones; 0 but for very large runs."),
			"verified":    flag("Whether a token of the run's CI proved who it is."),
			"proved":      schema.MapAttribute{MarkdownDescription: "What that token said of the run, such as `repository` and `commit`. Empty when none did.", ElementType: types.StringType, Computed: true},
			"claimed":     schema.MapAttribute{MarkdownDescription: "What the run says of itself, such as `system`, `actor` and `url`. Nothing vouches for it.", ElementType: types.StringType, Computed: true},
			"tickets": schema.ListNestedAttribute{
				MarkdownDescription: "The change tickets under which the run planned, or what it planned was applied, and recent ones that are bound to what it planned.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":             text("The ticket's id."),
					"state":          text("The state it is in now."),
					"effects_digest": text("The set of effects that it is bound to; null when it is not."),
					"approvals": schema.ListNestedAttribute{
						MarkdownDescription: "Who approved it.",
						Computed:            true,
						NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
							"by":             text("Who."),
							"at":             text("When, RFC 3339."),
							"effects_digest": text("The set of effects that they signed off; null when the ticket is not bound."),
						}},
					},
				}},
			},
			"effects": schema.ListNestedAttribute{
				MarkdownDescription: "Each operation on each object, by address.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"address":           text("The object's address, such as `pool/web`."),
					"terraform_address": text("What the run calls it in its configuration, as far as `auditlb run attach` said so."),
					"op":                text("`create`, `update` or `delete`."),
					"status":            text("What became of it: " + choice(api.EffectStatuses) + "."),
					"effect_digest":     text("What identifies the effect, whoever does it and whenever."),
					"ticket":            text("The change ticket of the change, else of the refusal, else of the plan."),
					"plan":              number("The entry that plans it; null when none does."),
					"plan_run":          text("The run that planned it."),
					"apply":             number("The entry that is the change; null when there is none."),
					"apply_run":         text("The run that the change was made in; null outside of runs."),
					"actor":             text("Who made the change, else who was refused, else who planned it."),
					"code":              text("Why it was refused last; null when it never was."),
					"refused":           number("The entry that says so."),
					"differs":           texts("JSON pointers to the fields that were refused: they differ from what was approved, or are wrong."),
					"unknown":           texts("JSON pointers to the fields whose values were not known when it was planned."),
					"warnings":          texts("What the plan was answered with."),
					"emergency":         flag("Whether it was done under an emergency ticket."),
					"patch": schema.ListNestedAttribute{
						MarkdownDescription: "The difference that was made, else planned, as RFC 6902 with old values.",
						Computed:            true,
						NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
							"op":    text("`add`, `remove` or `replace`."),
							"path":  text("JSON pointer into the object; empty is all of it."),
							"old":   text("The value before, as JSON."),
							"value": text("The value after, as JSON."),
						}},
					},
				}},
			},
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *runDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *runDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model runModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	id := model.ID.ValueString()
	report, err := d.client.WholeRunReport(ctx, id)
	if client.IsNotFound(err) {
		resp.Diagnostics.AddError("No such run", "There is no run "+id+".")
		return
	}
	if err != nil {
		addCallError(&resp.Diagnostics, "Can't read the run", err)
		return
	}
	if model, err = runModelOf(report); err != nil {
		addCallError(&resp.Diagnostics, "Can't read the run", err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}
