package server

import (
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func rollbackOf(req api.RollbackRequest) api.Rollback {
	return api.Rollback{
		Resource: req.Resource, Run: req.Run, Everything: req.Everything,
		Effects: []api.RollbackEffect{}, Conflicts: []api.RollbackConflict{}, Impossible: []api.RollbackImpossible{}, Warnings: []string{},
	}
}

// madeEffect is an entry of a rollback as what it did.
func madeEffect(o *control.Outcome) (api.RollbackEffect, error) {
	e := &o.Entry
	effect := api.RollbackEffect{
		Address: e.Resource, Op: lb.Op(e.Op), EffectDigest: e.EffectDigest, Seq: e.Seq,
		Before: o.Body.Before, After: o.Body.After, Undone: o.Body.Undone,
	}
	if len(effect.Undone) > 0 {
		effect.From = effect.Undone[0]
	}
	if e.Rollback != nil {
		effect.To = e.Rollback.To
	}
	var err error
	effect.Patch, err = lb.Diff(effect.Before, effect.After)
	return effect, err
}

func sortEffects(effects []api.RollbackEffect) {
	slices.SortFunc(effects, func(a, b api.RollbackEffect) int { return strings.Compare(a.Address, b.Address) })
}

// describeUndoing says what a preview found. Planned has the plans that were recorded of it.
func describeUndoing(out *api.Rollback, u *control.Undoing, planned *control.Outcome) error {
	plans := map[string]int64{}
	for i := range planned.Parts {
		plans[planned.Parts[i].Entry.Resource] = planned.Parts[i].Entry.Seq
		out.PlannedIn = planned.Parts[i].Entry.RunID()
	}
	for i := range u.Effects {
		e := &u.Effects[i]
		effect := api.RollbackEffect{
			Address: e.Address.String(), Op: e.Op(), EffectDigest: e.Effect, From: e.From, To: e.Rollback.To, Seq: plans[e.Address.String()],
			Before: e.Before, After: e.After, Undone: e.Undone, UndoneMore: e.More,
		}
		var err error
		if effect.Patch, err = lb.Diff(e.Before, e.After); err != nil {
			return err
		}
		out.Effects = append(out.Effects, effect)
	}
	for i := range u.Conflicts {
		x := &u.Conflicts[i]
		out.Conflicts = append(out.Conflicts, api.RollbackConflict{
			Address: x.Address.String(), Revision: x.Revision, Op: x.Op, Actor: x.Actor, Ticket: x.Ticket, Run: x.Run, At: x.At, More: x.More,
		})
	}
	for i := range u.Impossible {
		x := &u.Impossible[i]
		out.Impossible = append(out.Impossible, api.RollbackImpossible{Address: x.Address.String(), Code: api.Code(x.Code), Detail: x.Detail, Violations: x.Violations})
	}
	for _, address := range u.Left {
		out.Left = append(out.Left, address.String())
	}
	return nil
}
