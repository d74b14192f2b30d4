package provider

import (
	"github.com/go-json-experiment/json"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

type runModel struct {
	ID         types.String      `tfsdk:"id"`
	Overall    types.String      `tfsdk:"overall"`
	Applied    types.Int64       `tfsdk:"applied"`
	NotApplied types.Int64       `tfsdk:"not_applied"`
	Failed     types.Int64       `tfsdk:"failed"`
	Unplanned  types.Int64       `tfsdk:"unplanned"`
	LeftOut    types.Int64       `tfsdk:"left_out"`
	Verified   types.Bool        `tfsdk:"verified"`
	Proved     map[string]string `tfsdk:"proved"`
	Claimed    map[string]string `tfsdk:"claimed"`
	Tickets    []runTicket       `tfsdk:"tickets"`
	Effects    []runEffect       `tfsdk:"effects"`
}

type runTicket struct {
	ID            types.String  `tfsdk:"id"`
	State         types.String  `tfsdk:"state"`
	EffectsDigest types.String  `tfsdk:"effects_digest"`
	Approvals     []runApproval `tfsdk:"approvals"`
}

type runApproval struct {
	By            types.String `tfsdk:"by"`
	At            types.String `tfsdk:"at"`
	EffectsDigest types.String `tfsdk:"effects_digest"`
}

type runEffect struct {
	Address          types.String    `tfsdk:"address"`
	TerraformAddress types.String    `tfsdk:"terraform_address"`
	Op               types.String    `tfsdk:"op"`
	Status           types.String    `tfsdk:"status"`
	EffectDigest     types.String    `tfsdk:"effect_digest"`
	Ticket           types.String    `tfsdk:"ticket"`
	Plan             types.Int64     `tfsdk:"plan"`
	PlanRun          types.String    `tfsdk:"plan_run"`
	Apply            types.Int64     `tfsdk:"apply"`
	ApplyRun         types.String    `tfsdk:"apply_run"`
	Actor            types.String    `tfsdk:"actor"`
	Code             types.String    `tfsdk:"code"`
	Refused          types.Int64     `tfsdk:"refused"`
	Differs          []string        `tfsdk:"differs"`
	Unknown          []string        `tfsdk:"unknown"`
	Warnings         []string        `tfsdk:"warnings"`
	Emergency        types.Bool      `tfsdk:"emergency"`
	Patch            []historyChange `tfsdk:"patch"`
}

func runModelOf(r *api.RunReport) (runModel, error) {
	count := func(n int) types.Int64 { return types.Int64Value(int64(n)) }
	out := runModel{
		ID: types.StringValue(r.Run.ID), Overall: types.StringValue(r.Overall),
		Applied: count(r.Counts.Applied), NotApplied: count(r.Counts.NotApplied), Failed: count(r.Counts.Failed), Unplanned: count(r.Counts.Unplanned),
		LeftOut: count(r.LeftOut), Verified: types.BoolValue(r.Run.Proof != nil), Proved: map[string]string{}, Claimed: map[string]string{},
		Tickets: make([]runTicket, len(r.Tickets)), Effects: make([]runEffect, len(r.Effects)),
	}
	if r.Run.Proof != nil && r.Run.Proof.Facts != nil {
		out.Proved = r.Run.Proof.Facts
	}
	claims, err := json.Marshal(r.Run.Claims)
	if err == nil {
		err = json.Unmarshal(claims, &out.Claimed)
	}
	for i := range r.Tickets {
		out.Tickets[i] = runTicketOf(&r.Tickets[i])
	}
	for i := range r.Effects {
		out.Effects[i] = runEffectOf(&r.Effects[i])
	}
	return out, err
}

func runTicketOf(t *api.Ticket) runTicket {
	out := runTicket{ID: types.StringValue(t.ID), State: types.StringValue(t.State), Approvals: make([]runApproval, len(t.Approvals))}
	if t.Binding != nil {
		out.EffectsDigest = types.StringValue(t.Binding.EffectsDigest)
	}
	for i, a := range t.Approvals {
		out.Approvals[i] = runApproval{By: types.StringValue(a.By), At: timeValue(a.At), EffectsDigest: stringOrNull(a.EffectsDigest)}
	}
	return out
}

func runEffectOf(e *api.RunEffect) runEffect {
	texts := func(of []string) []string { return append([]string{}, of...) } // empty rather than null
	out := runEffect{
		Address: types.StringValue(e.Address), TerraformAddress: stringOrNull(e.TerraformAddress), Op: types.StringValue(string(e.Op)),
		Status: types.StringValue(e.Status), EffectDigest: stringOrNull(e.EffectDigest), Ticket: stringOrNull(e.Ticket),
		Differs: []string{}, Unknown: texts(e.Unknown), Warnings: texts(e.Warnings), Emergency: types.BoolValue(e.Emergency),
		Patch: make([]historyChange, len(e.Patch)),
	}
	if e.Plan != nil {
		out.Plan, out.PlanRun, out.Actor = types.Int64Value(e.Plan.Seq), stringOrNull(e.Plan.Run), types.StringValue(e.Plan.Actor)
	}
	if r := e.Refusal; r != nil {
		out.Code, out.Refused, out.Actor = types.StringValue(string(r.Code)), types.Int64Value(r.Seq), types.StringValue(r.Actor)
		for _, v := range r.Violations {
			out.Differs = append(out.Differs, v.Pointer)
		}
	}
	if e.Apply != nil {
		out.Apply, out.ApplyRun, out.Actor = types.Int64Value(e.Apply.Seq), stringOrNull(e.Apply.Run), types.StringValue(e.Apply.Actor)
	}
	for i, c := range e.Patch {
		out.Patch[i] = historyChangeOf(c)
	}
	return out
}
