package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type changeTicketDataSource struct{ client *connection }

var _ datasource.DataSourceWithConfigure = (*changeTicketDataSource)(nil)

func newChangeTicketDataSource() datasource.DataSource { return &changeTicketDataSource{} }

// Metadata implements [datasource.DataSource].
func (d *changeTicketDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_change_ticket"
}

// Schema implements [datasource.DataSource].
func (d *changeTicketDataSource) Schema(ctx context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
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
		MarkdownDescription: "Reads a change ticket, to check in a plan whether an apply under it would be admitted, or to wait until it is approved.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{MarkdownDescription: "The ticket's id, such as `CHG-1042`.", Required: true},
			"wait_for": schema.StringAttribute{
				MarkdownDescription: "The state to wait for, " + choice(waitStates) + ". Reading, also in a plan, then takes until somebody approves the ticket, and fails once nobody can any more. " +
					"It does not wait for the window to begin, see `valid`. Left out: the ticket is read as it is.",
				Optional:   true,
				Validators: []validator.String{stringvalidator.OneOf(waitStates...)},
			},
			"timeout": schema.StringAttribute{
				MarkdownDescription: fmt.Sprintf("How long to wait at most, %s, such as `90s` or `1h`; for `wait_for` only. Default: %#q.", waitTimeout.Description(ctx), defaultWaitTimeout),
				Optional:            true,
				Validators:          []validator.String{waitTimeout, stringvalidator.AlsoRequires(path.MatchRoot("wait_for"))},
			},
			"valid": schema.BoolAttribute{
				MarkdownDescription: "Whether the ticket is approved, the present moment lies within its window, and it is not used up.",
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
			"not_after":          text("When the window closes, RFC 3339. Null when it doesn't, which only tickets have that live elsewhere."),
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
			"uses":     number("How many changes were made under the ticket."),
			"max_uses": number("How many may be made; `0` is no bound."),
			"override_conflicts": schema.BoolAttribute{
				MarkdownDescription: "Whether a rollback under the ticket may take back what others have changed since, too.",
				Computed:            true,
			},
			"bound_to": schema.SingleNestedAttribute{
				MarkdownDescription: "The effects that the ticket is bound to, and nothing else; null when it has a scope only.",
				Computed:            true,
				Attributes: map[string]schema.Attribute{
					"run":            text("The run that planned them."),
					"effects_digest": text("What approvers sign off: the SHA-256 of the set, in hex."),
					"set_digest":     text("The SHA-256 of the effects alone, in hex: what the preview of a rollback names."),
					"effects":        number("How many there are."),
				},
			},
			"review_pending": schema.BoolAttribute{
				MarkdownDescription: "Whether it is an emergency ticket that nobody else has reviewed yet.",
				Computed:            true,
			},
			"authority": text("The name of where the ticket lives; null for auditlb itself."),
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
	d.client, _ = req.ProviderData.(*connection)
}

// Read implements [datasource.DataSource].
func (d *changeTicketDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var id, waitFor, timeout types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("id"), &id)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("wait_for"), &waitFor)...)
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("timeout"), &timeout)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ticket, err := d.read(ctx, id.ValueString(), waitFor, timeout)
	var stopped *waitError
	switch {
	case client.IsNotFound(err):
		resp.Diagnostics.AddAttributeError(path.Root("id"), "No such change ticket", fmt.Sprintf("There is no ticket %q. Tickets are listed by `auditlb ticket list`.", id.ValueString()))
		return
	case errors.As(err, &stopped):
		resp.Diagnostics.AddAttributeError(path.Root("wait_for"), stopped.summary, stopped.detail)
		return
	case err != nil:
		addCallError(&resp.Diagnostics, "Can't read change ticket "+id.ValueString(), err)
		return
	}
	model := changeTicketOf(ticket, time.Now())
	model.WaitFor, model.Timeout = waitFor, timeout
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

// read returns a ticket, as it is or as it was waited for.
func (d *changeTicketDataSource) read(ctx context.Context, id string, waitFor, timeout types.String) (*api.Ticket, error) {
	read := func(ctx context.Context) (*api.Ticket, error) { return d.client.Ticket(ctx, id) }
	if waitFor.IsNull() {
		return read(ctx)
	}
	limit := defaultWaitTimeout
	if !timeout.IsNull() {
		var err error
		if limit, err = lb.ParseDuration(timeout.ValueString()); err != nil {
			return nil, fmt.Errorf("timeout: %w", err)
		}
	}
	return awaitApproval(ctx, read, limit.Std())
}

// choice lists what an attribute may be, for descriptions.
func choice(values []string) string { return "`" + strings.Join(values, "`, `") + "`" }
