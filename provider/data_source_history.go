package provider

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

type historyDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*historyDataSource)(nil)

func newHistoryDataSource() datasource.DataSource { return &historyDataSource{} }

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
	searched := filter("Only entries that have this text in them or in their body, in capitals or not. That takes as long as there are entries which the other filters leave.")
	searched.Validators = []validator.String{stringvalidator.LengthBetween(1, api.MaxTextLength)}
	moment := func(description string) schema.StringAttribute {
		a := filter(description)
		a.Validators = []validator.String{rfc3339{}}
		return a
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads the log: who changed what, when, under which ticket, in which run, and how. Filters narrow each other.",
		Attributes: map[string]schema.Attribute{
			"resource":  filter("Only entries about this address, such as `pool/web`."),
			"run":       filter("Only entries of this run."),
			"ticket":    filter("Only entries under this change ticket."),
			"actor":     filter("Only entries by this actor."),
			"owner":     filter("Only entries about objects of this owner."),
			"workspace": filter("Only entries of runs of this workspace."),
			"types": schema.SetAttribute{
				MarkdownDescription: "Only entries of these types: " + choice(api.EntryTypes) + ".",
				ElementType:         types.StringType,
				Optional:            true,
				Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.ValueStringsAre(stringvalidator.OneOf(api.EntryTypes...))},
			},
			"since": moment("Only entries recorded at or after this time, RFC 3339."),
			"until": moment("Only entries recorded before this time, RFC 3339."),
			"text":  searched,
			"limit": schema.Int64Attribute{
				MarkdownDescription: "How many entries to return, the newest first, between 1 and 500. Default: `50`.",
				Optional:            true,
				Validators:          []validator.Int64{int64validator.Between(1, api.MaxPageSize)},
			},
			"entries": schema.ListNestedAttribute{
				MarkdownDescription: "The entries, newest first.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"seq":       number("The entry's number in the log."),
					"time":      text("When it was recorded, RFC 3339."),
					"type":      text("One of " + choice(api.EntryTypes) + "."),
					"actor":     text("Who called."),
					"ticket":    text("The change ticket that the call named."),
					"run":       text("The run that the call named. Whether that is proved or only claimed says `run_verified`."),
					"workspace": text("The workspace of that run."),
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
					"resource":          text("What the entry is about."),
					"terraform_address": text("What the run calls the object in its configuration, as far as `auditlb run attach` said so."),
					"owner":             text("Who owns the object that the entry is about."),
					"op":                text("What was done, such as `create`, `update` or `delete`."),
					"outcome":           text("`ok` or `refused`."),
					"code":              text("Why it was refused."),
					"plan":              number("The plan's entry that an apply fulfils."),
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
	q := api.EntryQuery{
		Resource:     model.Resource.ValueString(),
		Run:          model.Run.ValueString(),
		Ticket:       model.Ticket.ValueString(),
		Actor:        model.Actor.ValueString(),
		Owner:        model.Owner.ValueString(),
		Workspace:    model.Workspace.ValueString(),
		Type:         strings.Join(model.Types, ","),
		Text:         model.Text.ValueString(),
		IncludePatch: true,
	}
	// Both were checked.
	q.Since, _ = time.Parse(time.RFC3339, model.Since.ValueString())
	q.Until, _ = time.Parse(time.RFC3339, model.Until.ValueString())
	wanted := int(model.Limit.ValueInt64())
	if wanted == 0 {
		wanted = api.DefaultPageSize
	}
	model.Entries = []historyEntry{}
	for {
		// A page may have less than is wanted, or nothing, and yet a next one.
		q.Limit = wanted - len(model.Entries)
		list, err := d.client.Entries(ctx, q)
		if err != nil {
			addCallError(&resp.Diagnostics, "Can't read the history", err)
			return
		}
		for i := range list.Items {
			model.Entries = append(model.Entries, historyEntryOf(&list.Items[i]))
		}
		if q.Cursor = list.Next; q.Cursor == "" || len(model.Entries) >= wanted {
			break
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}
