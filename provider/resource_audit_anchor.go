package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// auditAnchorResource keeps a checkpoint of the log in the state, for as long as
// it is declared: a state of which everything else was destroyed still knows it.
type auditAnchorResource struct{ client *connection }

var (
	_ resource.ResourceWithConfigure  = (*auditAnchorResource)(nil)
	_ resource.ResourceWithModifyPlan = (*auditAnchorResource)(nil)
)

func newAuditAnchorResource() resource.Resource { return &auditAnchorResource{} }

type auditAnchorModel struct {
	Keepers    map[string]string `tfsdk:"keepers"`
	ID         types.String      `tfsdk:"id"`
	Origin     types.String      `tfsdk:"origin"`
	PublicKey  types.String      `tfsdk:"public_key"`
	Size       types.Int64       `tfsdk:"size"`
	Root       types.String      `tfsdk:"root"`
	Checkpoint types.String      `tfsdk:"checkpoint"`
	SeenAt     types.String      `tfsdk:"seen_at"`
}

// Metadata implements [resource.Resource].
func (r *auditAnchorResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_audit_anchor"
}

// Schema implements [resource.Resource].
func (r *auditAnchorResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Keeps a signed checkpoint of the change log in the state, and demands of every later run that the log still has it: a log that was rolled back, rewritten or replaced fails the plan. " +
			"Every object keeps one too, unseen, but loses it when it is destroyed; an anchor is there as long as it is declared. It changes nothing at the balancer.",
		Attributes: map[string]schema.Attribute{
			"keepers": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Arbitrary values. When they change, the anchor moves up to the newest checkpoint.",
			},
			attrID:       text("The origin of the log."),
			"origin":     text("The log's name in its checkpoints."),
			"public_key": text("The key that checks them."),
			"size": schema.Int64Attribute{
				Computed: true, MarkdownDescription: "How many entries the log had.",
			},
			"root":       text("The root hash of the log's tree, in base64."),
			"checkpoint": text("The signed checkpoint (C2SP tlog-checkpoint)."),
			"seen_at":    text("When it was seen, RFC 3339."),
		},
	}
}

// Configure implements [resource.ResourceWithConfigure].
func (r *auditAnchorResource) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	r.client, _ = req.ProviderData.(*connection)
}

// Create implements [resource.Resource].
func (r *auditAnchorResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	r.moveUp(ctx, req.Plan, &resp.State, resp.Private, &resp.Diagnostics)
}

// Read implements [resource.Resource]. What stands in the state stays.
func (r *auditAnchorResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	r.client.checkHistory(ctx, req.Private, resp.Private, &resp.Diagnostics)
}

// Update implements [resource.Resource]: its keepers changed.
func (r *auditAnchorResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	r.moveUp(ctx, req.Plan, &resp.State, resp.Private, &resp.Diagnostics)
}

// Delete implements [resource.Resource]: the state forgets it, nothing else does.
func (r *auditAnchorResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {
}

// ModifyPlan implements [resource.ResourceWithModifyPlan]: the history is checked
// without a refresh too.
func (r *auditAnchorResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.client != nil {
		r.client.checkHistory(ctx, req.Private, nil, &resp.Diagnostics)
	}
}

// moveUp keeps the log's newest checkpoint, in the state and beside it.
func (r *auditAnchorResource) moveUp(ctx context.Context, plan tfsdk.Plan, state *tfsdk.State, private privateWriter, diags *diag.Diagnostics) {
	var m auditAnchorModel
	if diags.Append(plan.Get(ctx, &m)...); diags.HasError() {
		return
	}
	seen, err := m.see(ctx, r.client.history)
	if err != nil {
		addHistoryError(diags, err)
		return
	}
	r.client.keep(ctx, private, seen, diags)
	diags.Append(state.Set(ctx, m)...)
}

// see takes the log's newest checkpoint into the model.
func (m *auditAnchorModel) see(ctx context.Context, history *client.LogHistory) (client.Seen, error) {
	seen, err := history.Latest(ctx)
	if err != nil {
		return seen, err
	}
	cp, err := seen.Open()
	if err != nil {
		return seen, err
	}
	m.ID, m.Origin = types.StringValue(cp.Origin), types.StringValue(cp.Origin)
	m.PublicKey = types.StringValue(seen.PublicKey)
	m.Size, m.Root = types.Int64Value(cp.Size), types.StringValue(cp.Root.String())
	m.Checkpoint, m.SeenAt = types.StringValue(seen.Checkpoint), timeValue(seen.At)
	return seen, nil
}
