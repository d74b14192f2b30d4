package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

type changeTicketDataSource struct{ client *client.Client }

var _ datasource.DataSourceWithConfigure = (*changeTicketDataSource)(nil)

func newChangeTicketDataSource() datasource.DataSource { return &changeTicketDataSource{} }

type changeTicketModel struct {
	ID                types.String     `tfsdk:"id"`
	Valid             types.Bool       `tfsdk:"valid"`
	Type              types.String     `tfsdk:"type"`
	Title             types.String     `tfsdk:"title"`
	Reason            types.String     `tfsdk:"reason"`
	URL               types.String     `tfsdk:"url"`
	State             types.String     `tfsdk:"state"`
	Requester         types.String     `tfsdk:"requester"`
	RequestedAt       types.String     `tfsdk:"requested_at"`
	Scope             ticketScope      `tfsdk:"scope"`
	NotBefore         types.String     `tfsdk:"not_before"`
	NotAfter          types.String     `tfsdk:"not_after"`
	RequiredApprovals types.Int64      `tfsdk:"required_approvals"`
	Approvals         []ticketApproval `tfsdk:"approvals"`
	Closure           *ticketClosure   `tfsdk:"closure"`
	Revision          types.Int64      `tfsdk:"revision"`
}

type ticketScope struct {
	Addresses  []string `tfsdk:"addresses"`
	Operations []string `tfsdk:"operations"`
}

type ticketApproval struct {
	By      types.String `tfsdk:"by"`
	At      types.String `tfsdk:"at"`
	Comment types.String `tfsdk:"comment"`
}

type ticketClosure struct {
	By     types.String `tfsdk:"by"`
	At     types.String `tfsdk:"at"`
	Result types.String `tfsdk:"result"`
}

// stateApproved is the state in which a ticket admits changes.
const stateApproved = "approved"

// Metadata implements [datasource.DataSource].
func (d *changeTicketDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_change_ticket"
}

// Schema implements [datasource.DataSource].
func (d *changeTicketDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{MarkdownDescription: description, Computed: true}
	}
	list := func(description string) schema.ListAttribute {
		return schema.ListAttribute{MarkdownDescription: description, ElementType: types.StringType, Computed: true}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads a change ticket, to check in a plan whether an apply under it would be admitted.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{MarkdownDescription: "The ticket's id, such as `CHG-1042`.", Required: true},
			"valid": schema.BoolAttribute{
				MarkdownDescription: "Whether the ticket is approved and the present moment lies within its window.",
				Computed:            true,
			},
			"type":         text("`standard`, `normal` or `emergency`."),
			"title":        text("What the change is."),
			"reason":       text("Why it is needed."),
			"url":          text("Leads to the ticket in another system."),
			"state":        text("The ticket's state. Changes are admitted when it is `approved`."),
			"requester":    text("Who opened the ticket. They can't approve it."),
			"requested_at": text("When it was opened, RFC 3339."),
			"scope": schema.SingleNestedAttribute{
				MarkdownDescription: "What the ticket admits.",
				Computed:            true,
				Attributes: map[string]schema.Attribute{
					"addresses":  list("Patterns over addresses, such as `pool/*`."),
					"operations": list("Operations; none listed means all."),
				},
			},
			"not_before":         text("When the window opens, RFC 3339."),
			"not_after":          text("When the window closes, RFC 3339."),
			"required_approvals": number("How many people must approve."),
			"approvals": schema.ListNestedAttribute{
				MarkdownDescription: "Who approved.",
				Computed:            true,
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"by":      text("Who."),
					"at":      text("When, RFC 3339."),
					"comment": text("What they said."),
				}},
			},
			"closure": schema.SingleNestedAttribute{
				MarkdownDescription: "How the ticket ended; null while it is open.",
				Computed:            true,
				Attributes: map[string]schema.Attribute{
					"by":     text("Who ended it."),
					"at":     text("When, RFC 3339."),
					"result": text("With what result."),
				},
			},
			"revision": number("The log entry that last changed the ticket."),
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *changeTicketDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse) {
	d.client, _ = req.ProviderData.(*client.Client)
}

// Read implements [datasource.DataSource].
func (d *changeTicketDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var id types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("id"), &id)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ticket, err := d.client.Ticket(ctx, id.ValueString())
	if client.IsNotFound(err) {
		resp.Diagnostics.AddAttributeError(path.Root("id"), "No such change ticket", fmt.Sprintf("There is no ticket %q. Tickets are listed by `auditlb ticket list`.", id.ValueString()))
		return
	}
	if err != nil {
		addCallError(&resp.Diagnostics, "Can't read change ticket "+id.ValueString(), err)
		return
	}
	model := changeTicketOf(ticket, time.Now())
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func changeTicketOf(t *api.Ticket, now time.Time) changeTicketModel {
	model := changeTicketModel{
		ID:                types.StringValue(t.ID),
		Valid:             types.BoolValue(t.State == stateApproved && !now.Before(t.NotBefore) && now.Before(t.NotAfter)),
		Type:              types.StringValue(t.Type),
		Title:             types.StringValue(t.Title),
		Reason:            types.StringValue(t.Reason),
		URL:               stringOrNull(t.URL),
		State:             types.StringValue(t.State),
		Requester:         types.StringValue(t.Requester),
		RequestedAt:       timeValue(t.RequestedAt),
		Scope:             ticketScope{Addresses: orEmpty(t.Scope.Addresses), Operations: orEmpty(t.Scope.Operations)},
		NotBefore:         timeValue(t.NotBefore),
		NotAfter:          timeValue(t.NotAfter),
		RequiredApprovals: types.Int64Value(int64(t.RequiredApprovals)),
		Approvals:         make([]ticketApproval, len(t.Approvals)),
		Revision:          types.Int64Value(t.Revision),
	}
	for i, a := range t.Approvals {
		model.Approvals[i] = ticketApproval{By: types.StringValue(a.By), At: timeValue(a.At), Comment: stringOrNull(a.Comment)}
	}
	if c := t.Closure; c != nil {
		model.Closure = &ticketClosure{By: types.StringValue(c.By), At: timeValue(c.At), Result: stringOrNull(c.Result)}
	}
	return model
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// choice lists what an attribute may be, for descriptions.
func choice(values []string) string { return "`" + strings.Join(values, "`, `") + "`" }
