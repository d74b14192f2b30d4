package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

type driftDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*driftDataSource)(nil)

func newDriftDataSource() datasource.DataSource { return &driftDataSource{} }

type driftModel struct {
	Workspace types.String `tfsdk:"workspace"`
	Resource  types.String `tfsdk:"resource"`
	All       types.Bool   `tfsdk:"all"`
	Managed   types.Int64  `tfsdk:"managed"`
	Accepted  types.Int64  `tfsdk:"accepted"`
	Items     []driftItem  `tfsdk:"items"`
}

type driftItem struct {
	Address       types.String    `tfsdk:"address"`
	Kind          types.String    `tfsdk:"kind"`
	Baseline      types.Int64     `tfsdk:"baseline"`
	Revision      types.Int64     `tfsdk:"revision"`
	Count         types.Int64     `tfsdk:"count"`
	Patch         []historyChange `tfsdk:"patch"`
	Changes       []driftChange   `tfsdk:"changes"`
	Managers      []string        `tfsdk:"managers"`
	AcceptedUntil types.String    `tfsdk:"accepted_until"`
	AcceptedBy    types.String    `tfsdk:"accepted_by"`
	AcceptedUnder types.String    `tfsdk:"accepted_under"`
	Seen          types.Int64     `tfsdk:"seen"`
}

type driftChange struct {
	Revision  types.Int64  `tfsdk:"revision"`
	Time      types.String `tfsdk:"time"`
	Op        types.String `tfsdk:"op"`
	Actor     types.String `tfsdk:"actor"`
	Ticket    types.String `tfsdk:"ticket"`
	OwnTicket types.Bool   `tfsdk:"own_ticket"`
	Run       types.String `tfsdk:"run"`
	Workspace types.String `tfsdk:"workspace"`
	Via       types.String `tfsdk:"via"`
	Emergency types.Bool   `tfsdk:"emergency"`
	Rollback  types.Bool   `tfsdk:"rollback"`
}

// Metadata implements [datasource.DataSource].
func (d *driftDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_drift"
}

// Schema implements [datasource.DataSource].
func (d *driftDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	flag := func(description string) schema.BoolAttribute {
		return schema.BoolAttribute{MarkdownDescription: description, Computed: true}
	}
	change := map[string]schema.Attribute{
		"revision":   number("The entry that is the change."),
		"time":       text("When it was made, RFC 3339."),
		"op":         text("`create`, `update` or `delete`."),
		"actor":      text("Who made it."),
		"ticket":     text("The change ticket that permitted it."),
		"own_ticket": flag("Whether a run of the workspace planned or changed something under the same ticket."),
		"run":        text("The run that it was made in; null outside of runs."),
		"workspace":  text("The workspace of that run."),
		"via":        text("What it was made with: `terraform`, `command line`, `api` or `system`, as the client says."),
		"emergency":  flag("Whether it was made under an emergency ticket."),
		"rollback":   flag("Whether it took something back."),
	}
	item := map[string]schema.Attribute{
		"address":  text("The object's address, such as `pool/web`."),
		"kind":     text("How it is not as the workspace left it: " + choice(api.DriftKinds) + "."),
		"baseline": number("The revision at which the workspace left it."),
		"revision": number("The entry that changed it last."),
		"count":    number("How many changes there were since, up to 500."),
		"patch": schema.ListNestedAttribute{
			MarkdownDescription: "The difference that is left, as RFC 6902 with old values.",
			Computed:            true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"op":    text("`add`, `remove` or `replace`."),
				"path":  text("JSON pointer into the object; empty is all of it."),
				"old":   text("The value before, as JSON."),
				"value": text("The value after, as JSON."),
			}},
		},
		"changes":        schema.ListNestedAttribute{MarkdownDescription: "The changes, newest first, at most 20.", Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: change}},
		"managers":       schema.ListAttribute{MarkdownDescription: "The other workspaces that manage it.", ElementType: types.StringType, Computed: true},
		"accepted_until": text("Until when the drift is accepted, RFC 3339; null when it is not."),
		"accepted_by":    text("Who accepted it."),
		"accepted_under": text("The change ticket under which it was accepted."),
		"seen":           number("The entry that says that the drift was seen in a plan; null when none does."),
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the objects that are not as a workspace left them, with who changed them, when and under which ticket. A token of role `viewer` is enough.",
		Attributes: map[string]schema.Attribute{
			"workspace": schema.StringAttribute{
				MarkdownDescription: "The workspace. Default: that of this run.",
				Optional:            true,
				Computed:            true,
			},
			"resource": schema.StringAttribute{MarkdownDescription: "Only the object with this address, such as `pool/web`.", Optional: true},
			"all": schema.BoolAttribute{
				MarkdownDescription: "Whether to list accepted drift too, and what was imported and is as it was. Default: `false`.",
				Optional:            true,
			},
			"managed":  number("How many objects the workspace manages."),
			"accepted": number("How much drift is left out because it is accepted."),
			"items": schema.ListNestedAttribute{
				MarkdownDescription: "The drift, by address.",
				Computed:            true,
				NestedObject:        schema.NestedAttributeObject{Attributes: item},
			},
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *driftDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *driftDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model driftModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	q := api.DriftQuery{Workspace: model.Workspace.ValueString(), Resource: model.Resource.ValueString(), All: model.All.ValueBool(), Limit: api.MaxPageSize}
	model.Items = []driftItem{}
	accepted := 0
	for {
		list, err := d.client.Drift(ctx, q)
		if err != nil {
			addCallError(&resp.Diagnostics, "Can't read the drift", err)
			return
		}
		for i := range list.Items {
			model.Items = append(model.Items, driftItemOf(&list.Items[i]))
		}
		accepted += list.Accepted
		q.Workspace, model.Workspace = list.Workspace, types.StringValue(list.Workspace)
		model.Managed, model.Accepted = types.Int64Value(int64(list.Managed)), types.Int64Value(int64(accepted))
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func driftItemOf(d *api.Drift) driftItem {
	out := driftItem{
		Address: types.StringValue(d.Address), Kind: types.StringValue(d.Kind), Baseline: types.Int64Value(d.Baseline.Revision),
		Revision: types.Int64Value(d.Revision), Count: types.Int64Value(int64(d.Count)), Managers: make([]string, len(d.Managers)),
		Patch: make([]historyChange, len(d.Patch)), Changes: make([]driftChange, len(d.Changes)),
	}
	for i, m := range d.Managers {
		out.Managers[i] = m.Workspace
	}
	for i, c := range d.Patch {
		out.Patch[i] = historyChangeOf(c)
	}
	for i := range d.Changes {
		c := &d.Changes[i]
		out.Changes[i] = driftChange{
			Revision: types.Int64Value(c.Revision), Time: timeValue(c.At), Op: types.StringValue(string(c.Op)), Actor: types.StringValue(c.Actor),
			Ticket: stringOrNull(c.Ticket), OwnTicket: types.BoolValue(c.OwnTicket), Run: stringOrNull(c.Run), Workspace: stringOrNull(c.Workspace),
			Via: types.StringValue(c.Via), Emergency: types.BoolValue(c.Emergency), Rollback: types.BoolValue(c.Rollback != nil),
		}
	}
	if d.Accepted != nil {
		out.AcceptedUntil, out.AcceptedBy, out.AcceptedUnder = timeValue(d.Accepted.Until), types.StringValue(d.Accepted.By), stringOrNull(d.Accepted.Ticket)
	}
	if d.Seen > 0 {
		out.Seen = types.Int64Value(d.Seen)
	}
	return out
}
