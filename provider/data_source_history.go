package provider

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type historyDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*historyDataSource)(nil)

func newHistoryDataSource() datasource.DataSource { return &historyDataSource{} }

type historyModel struct {
	Resource types.String   `tfsdk:"resource"`
	Run      types.String   `tfsdk:"run"`
	Ticket   types.String   `tfsdk:"ticket"`
	Actor    types.String   `tfsdk:"actor"`
	Type     types.String   `tfsdk:"type"`
	Limit    types.Int64    `tfsdk:"limit"`
	Entries  []historyEntry `tfsdk:"entries"`
}

type historyEntry struct {
	Seq       types.Int64       `tfsdk:"seq"`
	Time      types.String      `tfsdk:"time"`
	Type      types.String      `tfsdk:"type"`
	Actor     types.String      `tfsdk:"actor"`
	Ticket    types.String      `tfsdk:"ticket"`
	Run       types.String      `tfsdk:"run"`
	Verified  types.Bool        `tfsdk:"run_verified"`
	Proved    map[string]string `tfsdk:"run_proved"`
	VouchedBy types.String      `tfsdk:"vouched_by"`
	Emergency types.Bool        `tfsdk:"emergency"`
	Unplanned types.Bool        `tfsdk:"unplanned"`
	Resource  types.String      `tfsdk:"resource"`
	Op        types.String      `tfsdk:"op"`
	Outcome   types.String      `tfsdk:"outcome"`
	Code      types.String      `tfsdk:"code"`
	Plan      types.Int64       `tfsdk:"plan"`
	Patch     []historyChange   `tfsdk:"patch"`
}

type historyChange struct {
	Op    types.String `tfsdk:"op"`
	Path  types.String `tfsdk:"path"`
	Old   types.String `tfsdk:"old"`
	Value types.String `tfsdk:"value"`
}

// Metadata implements [datasource.DataSource].
func (d *historyDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_history"
}

// Schema implements [datasource.DataSource].
func (d *historyDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	filter := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Optional: true}
	}
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	entryType := filter("Only entries of this type: " + choice(api.EntryTypes) + ".")
	entryType.Validators = []validator.String{stringvalidator.OneOf(api.EntryTypes...)}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads the log: who changed what, when, under which ticket, in which run, and how. Filters narrow each other.",
		Attributes: map[string]schema.Attribute{
			"resource": filter("Only entries about this address, such as `pool/web`."),
			"run":      filter("Only entries of this run."),
			"ticket":   filter("Only entries under this change ticket."),
			"actor":    filter("Only entries by this actor."),
			"type":     entryType,
			"limit": schema.Int64Attribute{
				MarkdownDescription: "How many entries to return, the newest first, between 1 and 500. Default: `50`.",
				Optional:            true,
				Validators:          []validator.Int64{int64validator.Between(1, api.MaxPageSize)},
			},
			"entries": schema.ListNestedAttribute{
				MarkdownDescription: "The entries, newest first.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"seq":    number("The entry's number in the log."),
					"time":   text("When it was recorded, RFC 3339."),
					"type":   text("One of " + choice(api.EntryTypes) + "."),
					"actor":  text("Who called."),
					"ticket": text("The change ticket that the call named."),
					"run":    text("The run that the call named. Whether that is proved or only claimed says `run_verified`."),
					"run_verified": schema.BoolAttribute{
						MarkdownDescription: "Whether the caller's credential proved that they are the run. What the run claims itself is shown by `auditlb run show`.",
						Computed:            true,
					},
					"run_proved": schema.MapAttribute{
						MarkdownDescription: "What the credential said of the run, such as `repository` and `commit`. Empty when it proved nothing.",
						ElementType:         types.StringType,
						Computed:            true,
					},
					"vouched_by": text("The identity provider that vouched for the actor, by its name in the runtime's configuration; null for tokens and certificates."),
					"emergency": schema.BoolAttribute{
						MarkdownDescription: "Whether it was done, or tried, under an emergency ticket.",
						Computed:            true,
					},
					"unplanned": schema.BoolAttribute{
						MarkdownDescription: "Whether it is a change that no plan announced.",
						Computed:            true,
					},
					"resource": text("What the entry is about."),
					"op":       text("What was done, such as `create`, `update` or `delete`."),
					"outcome":  text("`ok` or `refused`."),
					"code":     text("Why it was refused."),
					"plan":     number("The plan's entry that an apply fulfils."),
					"patch": schema.ListNestedAttribute{
						MarkdownDescription: "The difference, as RFC 6902 with old values.",
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
func (d *historyDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *historyDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model historyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	list, err := d.client.Entries(ctx, api.EntryQuery{
		Resource:     model.Resource.ValueString(),
		Run:          model.Run.ValueString(),
		Ticket:       model.Ticket.ValueString(),
		Actor:        model.Actor.ValueString(),
		Type:         model.Type.ValueString(),
		Limit:        int(model.Limit.ValueInt64()),
		IncludePatch: true,
	})
	if err != nil {
		addCallError(&resp.Diagnostics, "Can't read the history", err)
		return
	}
	model.Entries = make([]historyEntry, len(list.Items))
	for i := range list.Items {
		model.Entries[i] = historyEntryOf(&list.Items[i])
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func historyEntryOf(e *api.EntryRecord) historyEntry {
	out := historyEntry{
		Seq:       types.Int64Value(e.Seq),
		Time:      timeValue(e.Time),
		Type:      types.StringValue(e.Type),
		Actor:     types.StringValue(e.Actor.Name),
		Ticket:    stringOrNull(e.Ticket),
		Resource:  stringOrNull(e.Resource),
		Op:        stringOrNull(e.Op),
		Outcome:   types.StringValue(e.Outcome),
		Code:      stringOrNull(e.Code),
		Patch:     make([]historyChange, len(e.Patch)),
		VouchedBy: stringOrNull(e.Actor.Provider),
		Verified:  types.BoolValue(false),
		Proved:    map[string]string{},
		Emergency: types.BoolValue(e.Emergency),
		Unplanned: types.BoolValue(e.Unplanned),
	}
	if e.Run != nil {
		out.Run, out.Verified = stringOrNull(e.Run.ID), types.BoolValue(e.Run.Verified)
		if e.Run.Proved != nil {
			out.Proved = e.Run.Proved
		}
	}
	if e.Plan != 0 {
		out.Plan = types.Int64Value(e.Plan)
	}
	for i, c := range e.Patch {
		out.Patch[i] = historyChangeOf(c)
	}
	return out
}

func historyChangeOf(c lb.Change) historyChange {
	asJSON := func(v jsontext.Value) types.String { return stringOrNull(string(v)) }
	return historyChange{Op: types.StringValue(c.Op), Path: types.StringValue(c.Path), Old: asJSON(c.Old), Value: asJSON(c.Value)}
}

// stringOrNull is null for what is absent.
func stringOrNull(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

// timeValue is RFC 3339 in UTC, null for no time.
func timeValue(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339Nano))
}
