package provider

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

type changeTicketModel struct {
	ID                types.String     `tfsdk:"id"`
	WaitFor           types.String     `tfsdk:"wait_for"`
	Timeout           types.String     `tfsdk:"timeout"`
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
	Uses              types.Int64      `tfsdk:"uses"`
	MaxUses           types.Int64      `tfsdk:"max_uses"`
	OverrideConflicts types.Bool       `tfsdk:"override_conflicts"`
	BoundTo           *ticketBinding   `tfsdk:"bound_to"`
	ReviewPending     types.Bool       `tfsdk:"review_pending"`
	Authority         types.String     `tfsdk:"authority"`
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

type ticketBinding struct {
	Run           types.String `tfsdk:"run"`
	EffectsDigest types.String `tfsdk:"effects_digest"`
	SetDigest     types.String `tfsdk:"set_digest"`
	Effects       types.Int64  `tfsdk:"effects"`
}

type ticketClosure struct {
	By     types.String `tfsdk:"by"`
	At     types.String `tfsdk:"at"`
	Result types.String `tfsdk:"result"`
}

func changeTicketOf(t *api.Ticket, now time.Time) changeTicketModel {
	model := changeTicketModel{
		ID:                types.StringValue(t.ID),
		Valid:             types.BoolValue(validAt(t, now)),
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
		Uses:              types.Int64Value(int64(t.Uses)),
		MaxUses:           types.Int64Value(int64(t.MaxUses)),
		OverrideConflicts: types.BoolValue(t.OverrideConflicts),
		ReviewPending:     types.BoolValue(t.ReviewPending),
		Authority:         stringOrNull(t.Authority),
		Revision:          types.Int64Value(t.Revision),
	}
	for i, a := range t.Approvals {
		model.Approvals[i] = ticketApproval{By: types.StringValue(a.By), At: timeValue(a.At), Comment: stringOrNull(a.Comment)}
	}
	if b := t.Binding; b != nil {
		model.BoundTo = &ticketBinding{Run: types.StringValue(b.Run), EffectsDigest: types.StringValue(b.EffectsDigest), SetDigest: types.StringValue(b.SetDigest), Effects: types.Int64Value(int64(b.Effects))}
	}
	if c := t.Closure; c != nil {
		model.Closure = &ticketClosure{By: types.StringValue(c.By), At: timeValue(c.At), Result: stringOrNull(c.Result)}
	}
	return model
}

// validAt reports whether the ticket would admit a change that it covers.
func validAt(t *api.Ticket, now time.Time) bool {
	open := !now.Before(t.NotBefore) && (t.NotAfter.IsZero() || now.Before(t.NotAfter))
	return t.State == stateApproved && open && (t.MaxUses == 0 || t.Uses < t.MaxUses)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
