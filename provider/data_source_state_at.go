package provider

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type stateAtDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*stateAtDataSource)(nil)

func newStateAtDataSource() datasource.DataSource { return &stateAtDataSource{} }

type stateAtModel struct {
	At       types.String          `tfsdk:"at"`
	Resource types.String          `tfsdk:"resource"`
	Revision types.Int64           `tfsdk:"revision"`
	Time     types.String          `tfsdk:"time"`
	Objects  map[string]pastObject `tfsdk:"objects"`
}

type pastObject struct {
	Object    types.String `tfsdk:"object"`
	Revision  types.Int64  `tfsdk:"revision"`
	ChangedBy types.String `tfsdk:"changed_by"`
	Ticket    types.String `tfsdk:"ticket"`
	Run       types.String `tfsdk:"run"`
	ChangedAt types.String `tfsdk:"changed_at"`
}

// Metadata implements [datasource.DataSource].
func (d *stateAtDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_state_at"
}

// Schema implements [datasource.DataSource].
func (d *stateAtDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads the configuration, or a part of it, as it was at a point in time. `auditlb state --at … --terraform` writes the same as configuration.",
		Attributes: map[string]schema.Attribute{
			"at":       atAttribute(),
			"resource": schema.StringAttribute{Optional: true, MarkdownDescription: "Only this address, such as `pool/web`, or this kind, such as `pool`. Default: everything."},
			"revision": schema.Int64Attribute{Computed: true, MarkdownDescription: "The configuration's revision at that point: the number of the newest entry by then."},
			"time":     text("When that entry was recorded, RFC 3339."),
			"objects": schema.MapNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The objects by address.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"object":     text("The object, as JSON with every default filled in; null when the body that it would be read from is gone by policy."),
					"revision":   schema.Int64Attribute{Computed: true, MarkdownDescription: "The entry that made it so."},
					"changed_by": text("Who made that change."),
					"ticket":     text("Its change ticket."),
					"run":        text("Its run; null without one."),
					"changed_at": text("When it was made, RFC 3339."),
				}},
			},
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *stateAtDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *stateAtDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m stateAtModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	m.Objects = map[string]pastObject{}
	page, point := client.Page{Limit: api.MaxPageSize}, m.At.ValueString()
	for {
		state, err := d.client.State(ctx, point, m.Resource.ValueString(), page)
		if err != nil {
			addCallError(&resp.Diagnostics, "Can't read the configuration of that time", err)
			return
		}
		m.Revision, m.Time = types.Int64Value(state.At.Revision), timeValue(state.At.Time)
		for _, o := range state.Items {
			m.Objects[lb.Address{Kind: o.Kind, Name: o.Name}.String()] = pastObject{
				Object: stringOrNull(string(o.Object.Object)), Revision: types.Int64Value(o.Revision), ChangedBy: types.StringValue(o.LastChange.Actor),
				Ticket: stringOrNull(o.LastChange.Ticket), Run: stringOrNull(o.LastChange.Run), ChangedAt: timeValue(o.LastChange.At),
			}
		}
		if page.Cursor = state.Next; page.Cursor == "" {
			break
		}
		// The pages that follow are of the same revision, whatever is changed meanwhile.
		point = strconv.FormatInt(state.At.Revision, 10)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
