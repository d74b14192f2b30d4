package runreport

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Effects says what became of what a run planned, from the run's entries in any order.
// Every newest plan of an operation is in one effect, and every accepted change of the run
// in exactly one.
func Effects(ctx context.Context, run string, entries []Entry, log Log) ([]Effect, error) {
	type operation struct{ address, op string }
	operations := map[operation]*group{}
	own := map[int64]*Entry{}
	for i := range entries {
		e := &entries[i]
		if _, err := lb.ParseAddress(e.Resource); err != nil || e.RunID() != run {
			continue
		}
		own[e.Seq] = e
		of := operation{e.Resource, e.Op}
		if operations[of] == nil {
			operations[of] = &group{}
		}
		operations[of].add(e)
	}
	m := maker{ctx: ctx, run: run, own: own, log: log}
	var effects []Effect
	for of, g := range operations {
		g.sort()
		found, err := m.effects(g, of.op == string(lb.OpUpdate) && overtakes(operations[operation{of.address, string(lb.OpDelete)}], g))
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].Address, found[i].Op = of.address, of.op
		}
		effects = append(effects, found...)
	}
	slices.SortFunc(effects, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.seq, b.seq))
	})
	return effects, nil
}

// group is what a run did about one operation on one object, oldest first.
type group struct {
	plan              *Entry // the newest
	applies, refusals []*Entry
}

func (g *group) add(e *Entry) {
	switch {
	case e.Outcome != audit.OutcomeOK:
		g.refusals = append(g.refusals, e)
	case e.Type == audit.TypeApply:
		g.applies = append(g.applies, e)
	case e.Type == audit.TypePlan && (g.plan == nil || g.plan.Seq < e.Seq):
		g.plan = e
	}
}

func (g *group) sort() {
	for _, list := range [][]*Entry{g.applies, g.refusals} {
		slices.SortFunc(list, func(a, b *Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	}
}

// refusedAfter is the newest refusal after an entry, or nil.
func (g *group) refusedAfter(seq int64) *Entry {
	if n := len(g.refusals); n > 0 && g.refusals[n-1].Seq > seq {
		return g.refusals[n-1]
	}
	return nil
}

// overtakes reports whether a run planned a deletion after an update: Terraform plans
// pending updates of what it is to destroy, and never makes them.
func overtakes(deletion, update *group) bool {
	return deletion != nil && deletion.plan != nil && update.plan != nil && deletion.plan.Seq > update.plan.Seq
}

type maker struct {
	ctx context.Context
	run string
	own map[int64]*Entry
	log Log
}

// effects are those of one operation on one object; a plan that was overtaken is left out
// unless something became of it.
func (m *maker) effects(g *group, overtaken bool) ([]Effect, error) {
	var out []Effect
	last := int64(-1) // of what answers for refusals
	if g.plan != nil {
		e := Effect{Status: NotApplied, Plan: g.plan, Refusal: g.refusedAfter(g.plan.Seq), seq: g.plan.Seq}
		var err error
		if e.Apply, err = m.fulfilling(g); err != nil {
			return nil, err
		}
		switch {
		case e.Apply != nil:
			e.Status, last = Applied, e.Apply.Seq
			if e.Refusal != nil && e.Refusal.Seq > last {
				e.Refusal = nil
			}
		case e.Refusal != nil:
			e.Status, last = Failed, e.Refusal.Seq
		}
		last = max(last, e.seq)
		if !overtaken || e.Status != NotApplied {
			out = append(out, e)
		}
	}
	for _, apply := range g.applies {
		last = max(last, apply.Seq)
		if len(out) > 0 && out[0].Apply == apply {
			continue
		}
		e := Effect{Status: Unplanned, Apply: apply, seq: apply.Seq}
		if apply.Plan > 0 {
			plan, err := m.entry(apply.Plan)
			if err != nil {
				return nil, err
			}
			e.Status, e.Plan = Applied, plan
		}
		out = append(out, e)
	}
	if refusal := g.refusedAfter(last); refusal != nil {
		out = append(out, Effect{Status: Failed, Refusal: refusal, seq: refusal.Seq})
	}
	return out, nil
}

// fulfilling is the accepted change that fulfils the plan: the run's newest, else
// another's first; nil when there is none.
func (m *maker) fulfilling(g *group) (*Entry, error) {
	for _, apply := range slices.Backward(g.applies) {
		if ok, err := m.fulfils(apply, g.plan); ok || err != nil {
			return apply, err
		}
	}
	others, err := m.log.Applied(m.ctx, g.plan.Resource, g.plan.Seq)
	if err != nil {
		return nil, err
	}
	for i := range others {
		other := &others[i]
		if other.RunID() == m.run || other.Op != g.plan.Op || other.Type != audit.TypeApply || other.Outcome != audit.OutcomeOK {
			continue
		}
		if ok, err := m.fulfils(other, g.plan); ok || err != nil {
			return other, err
		}
	}
	return nil, nil
}

// fulfils reports whether a change does what a plan said, as the write path does when it
// looks for the plan: but for the values that the plan did not know.
func (m *maker) fulfils(apply, plan *Entry) (bool, error) {
	switch {
	case apply.Seq < plan.Seq:
		return false, nil
	case apply.Plan == plan.Seq, apply.EffectDigest == plan.EffectDigest && plan.EffectDigest != "":
		return true, nil
	case plan.Body != nil && len(plan.Body.Unknown) == 0:
		return false, nil
	}
	planned, done := plan.Body, apply.Body
	var err error
	if planned == nil { // it may be elsewhere
		if planned, err = m.body(plan.Seq); err != nil || planned == nil || len(planned.Unknown) == 0 {
			return false, err
		}
	}
	if done == nil || m.own[apply.Seq] != nil {
		if done, err = m.body(apply.Seq); err != nil || done == nil {
			return false, err
		}
	}
	address, err := lb.ParseAddress(apply.Resource)
	if err != nil {
		return false, nil //nolint:nilerr // what is no object has no plan
	}
	masked, err := audit.Effect{
		Kind: address.Kind, Name: address.Name, Op: lb.Op(apply.Op), Before: done.Before, After: done.After,
	}.Mask(planned.Unknown)
	if err != nil {
		return false, fmt.Errorf("entry %d: %w", apply.Seq, err)
	}
	digest, err := masked.Digest()
	return digest == plan.EffectDigest, err
}

// body is an entry's whole body, or nil when it is gone.
func (m *maker) body(seq int64) (*audit.Body, error) {
	e, err := m.log.Entry(m.ctx, seq)
	if err != nil || e == nil {
		return nil, err
	}
	return e.Body, nil
}

// entry is an entry of the run or of another.
func (m *maker) entry(seq int64) (*Entry, error) {
	if e := m.own[seq]; e != nil {
		return e, nil
	}
	return m.log.Entry(m.ctx, seq)
}
