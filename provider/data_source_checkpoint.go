package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// checkpointDataSource reads the log's newest checkpoint, for those who pin it in
// the open.
type checkpointDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*checkpointDataSource)(nil)

func newCheckpointDataSource() datasource.DataSource { return &checkpointDataSource{} }

type checkpointModel struct {
	Contains   types.String `tfsdk:"contains"`
	Origin     types.String `tfsdk:"origin"`
	PublicKey  types.String `tfsdk:"public_key"`
	Size       types.Int64  `tfsdk:"size"`
	Root       types.String `tfsdk:"root"`
	Checkpoint types.String `tfsdk:"checkpoint"`
	Cosigned   types.String `tfsdk:"cosigned"`
}

// Metadata implements [datasource.DataSource].
func (d *checkpointDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_checkpoint"
}

// Schema implements [datasource.DataSource].
func (d *checkpointDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads the newest signed checkpoint of the change log, to be kept where others can see it: an output, a file in a repository, a bucket. Whoever has it can tell later whether the log still has what it had then.",
		Attributes: map[string]schema.Attribute{
			"contains": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "A checkpoint that was kept before. The log must still have all of it, or reading fails.",
			},
			"origin":     text("The log's name in its checkpoints."),
			"public_key": text("The key that checks them."),
			"size":       schema.Int64Attribute{Computed: true, MarkdownDescription: "How many entries the log has."},
			"root":       text("The root hash of the log's tree, in base64."),
			"checkpoint": text("The signed checkpoint (C2SP tlog-checkpoint)."),
			"cosigned":   text("The newest checkpoint that enough witnesses have cosigned; null where there is none."),
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *checkpointDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *checkpointDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m checkpointModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &m)...); resp.Diagnostics.HasError() {
		return
	}
	log, err := d.client.history.Log(ctx)
	if err != nil {
		addHistoryError(&resp.Diagnostics, err)
		return
	}
	if kept := m.Contains.ValueString(); kept != "" {
		err := d.client.history.Contains(ctx, kept)
		if errors.Is(err, client.ErrNotCheckpoint) {
			resp.Diagnostics.AddAttributeError(path.Root("contains"), "Not a checkpoint of this log",
				"It must be the text of a checkpoint, as the attribute checkpoint gives it: "+err.Error()+".")
			return
		}
		if err != nil {
			addHistoryError(&resp.Diagnostics, err)
			return
		}
	}
	m.Origin, m.PublicKey = types.StringValue(log.Origin), types.StringValue(log.PublicKey)
	m.Size, m.Root, m.Checkpoint = types.Int64Value(log.Size), types.StringValue(log.Root), types.StringValue(log.Checkpoint)
	m.Cosigned = types.StringNull()
	if log.Cosigned != "" {
		m.Cosigned = types.StringValue(log.Cosigned)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}
