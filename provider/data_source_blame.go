package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type blameDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*blameDataSource)(nil)

func newBlameDataSource() datasource.DataSource { return &blameDataSource{} }

type blameModel struct {
	Resource   types.String      `tfsdk:"resource"`
	At         types.String      `tfsdk:"at"`
	Revision   types.Int64       `tfsdk:"revision"`
	Deleted    types.Bool        `tfsdk:"deleted"`
	Attributes []blamedAttribute `tfsdk:"attributes"`
}

type blamedAttribute struct {
	Path      types.String `tfsdk:"path"`
	Value     types.String `tfsdk:"value"`
	Revision  types.Int64  `tfsdk:"revision"`
	ChangedBy types.String `tfsdk:"changed_by"`
	Ticket    types.String `tfsdk:"ticket"`
	Run       types.String `tfsdk:"run"`
	ChangedAt types.String `tfsdk:"changed_at"`
	Known     types.Bool   `tfsdk:"known"`
}

// Metadata implements [datasource.DataSource].
func (d *blameDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_blame"
}

// atAttribute is a point in time that a data source is asked for.
func atAttribute() schema.StringAttribute {
	return schema.StringAttribute{Optional: true, MarkdownDescription: "As it was then: " + api.PointForms + " (just after its last change). Default: now."}
}

// Schema implements [datasource.DataSource].
func (d *blameDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Says for each attribute of an object who set it, when, under which ticket and in which run, as `git blame` does for lines.",
		Attributes: map[string]schema.Attribute{
			"resource": schema.StringAttribute{Required: true, MarkdownDescription: "The object's address, such as `pool/web`."},
			"at":       atAttribute(),
			"revision": schema.Int64Attribute{Computed: true, MarkdownDescription: "The object's revision at that point."},
			"deleted":  schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the object had been deleted by then. It has no attributes then."},
			"attributes": schema.ListNestedAttribute{
				Computed:            true,
				MarkdownDescription: "The attributes, in order of path.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"path":       text("JSON pointer into the object, such as `/members/a/weight`. An array is one attribute."),
					"value":      text("The value, as JSON."),
					"revision":   schema.Int64Attribute{Computed: true, MarkdownDescription: "The entry that set it."},
					"changed_by": text("Who set it."),
					"ticket":     text("The change ticket under which it was set."),
					"run":        text("The run in which it was set; null without one."),
					"changed_at": text("When it was set, RFC 3339."),
					"known":      schema.BoolAttribute{Computed: true, MarkdownDescription: "False when that entry's body is gone by policy: then it, or one before it, set the attribute."},
				}},
			},
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *blameDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *blameDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m blameModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	address, err := lb.ParseAddress(m.Resource.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("resource"), "Not an address", upperFirst(err.Error())+".")
		return
	}
	blame, err := d.client.Blame(ctx, address, m.At.ValueString())
	if err != nil {
		addCallError(&resp.Diagnostics, "Can't say who set the attributes of "+address.String(), err)
		return
	}
	m.Revision, m.Deleted = types.Int64Value(blame.Revision), types.BoolValue(blame.Deleted)
	m.Attributes = make([]blamedAttribute, len(blame.Attributes))
	for i, a := range blame.Attributes {
		m.Attributes[i] = blamedAttribute{
			Path: types.StringValue(a.Pointer), Value: types.StringValue(string(a.Value)),
			Revision: types.Int64Value(a.Change.Revision), ChangedBy: types.StringValue(a.Change.Actor),
			Ticket: stringOrNull(a.Change.Ticket), Run: stringOrNull(a.Change.Run), ChangedAt: timeValue(a.Change.At),
			Known: types.BoolValue(a.BodyState == "" || a.BodyState == api.BodyArchived),
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &m)...)
}
