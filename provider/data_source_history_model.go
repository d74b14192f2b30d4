package provider

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type historyModel struct {
	Resource  types.String   `tfsdk:"resource"`
	Run       types.String   `tfsdk:"run"`
	Ticket    types.String   `tfsdk:"ticket"`
	Actor     types.String   `tfsdk:"actor"`
	Owner     types.String   `tfsdk:"owner"`
	Workspace types.String   `tfsdk:"workspace"`
	Types     []string       `tfsdk:"types"`
	Since     types.String   `tfsdk:"since"`
	Until     types.String   `tfsdk:"until"`
	Text      types.String   `tfsdk:"text"`
	Limit     types.Int64    `tfsdk:"limit"`
	Entries   []historyEntry `tfsdk:"entries"`
}

type historyEntry struct {
	Seq       types.Int64       `tfsdk:"seq"`
	Time      types.String      `tfsdk:"time"`
	Type      types.String      `tfsdk:"type"`
	Actor     types.String      `tfsdk:"actor"`
	Ticket    types.String      `tfsdk:"ticket"`
	Run       types.String      `tfsdk:"run"`
	Workspace types.String      `tfsdk:"workspace"`
	Verified  types.Bool        `tfsdk:"run_verified"`
	Proved    map[string]string `tfsdk:"run_proved"`
	VouchedBy types.String      `tfsdk:"vouched_by"`
	Emergency types.Bool        `tfsdk:"emergency"`
	Unplanned types.Bool        `tfsdk:"unplanned"`
	Resource  types.String      `tfsdk:"resource"`
	Terraform types.String      `tfsdk:"terraform_address"`
	Owner     types.String      `tfsdk:"owner"`
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
		Terraform: stringOrNull(e.TerraformAddress),
		Owner:     stringOrNull(e.Owner),
		Emergency: types.BoolValue(e.Emergency),
		Unplanned: types.BoolValue(e.Unplanned),
	}
	if e.Run != nil {
		out.Run, out.Verified, out.Workspace = stringOrNull(e.Run.ID), types.BoolValue(e.Run.Verified), stringOrNull(e.Run.Workspace)
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
