package control

import (
	"context"
	"errors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// PlanRollback records what a rollback would do as plans of the call's run, so that a
// ticket can be bound to exactly that. The same effect planned before in the run is one
// entry. Warnings say why the rollback would be refused now.
func (c *Controller) PlanRollback(ctx context.Context, call Call, u *Undoing) (o Outcome, warnings []string, err error) {
	// A plan is not made twice; and its answer is what there is now.
	call.Key = ""
	return c.tryRollback(ctx, call, u, func(b *batch, set []prepared, warnings []string) (draft, error) {
		if err := b.stands(u); err != nil {
			return draft{}, err
		}
		if err := b.checkRun(call); err != nil {
			return draft{}, err
		}
		if len(set) == 0 {
			return draft{existing: &Outcome{Unchanged: true}}, nil
		}
		b.begin(call)
		set = inOrder(b.view, set)
		parts := b.drafts(set)
		for i := range set {
			b.several.made = i
			part, err := b.planOne(call, &set[i], parts[i], warnings)
			if err != nil {
				return draft{}, err
			}
			parts[i] = part
		}
		return draft{parts: parts}, nil
	})
}

// ForeseeRollback says why a rollback would be refused now; by its ticket and what holds
// changes under it only where the call names one. It says nothing of what was changed since
// the rollback was worked out. Nothing is recorded.
func (c *Controller) ForeseeRollback(ctx context.Context, call Call, u *Undoing) ([]string, error) {
	call.Key = ""
	_, warnings, err := c.tryRollback(ctx, call, u, func(*batch, []prepared, []string) (draft, error) {
		return draft{existing: &Outcome{Unchanged: true}}, nil
	})
	return warnings, err
}

// tryRollback takes a rollback through everything that could refuse it, but for sockets,
// and then lets something else be done.
func (c *Controller) tryRollback(ctx context.Context, call Call, u *Undoing, then func(b *batch, set []prepared, warnings []string) (draft, error)) (Outcome, []string, error) {
	call = c.ask(ctx, call)
	set, weight, err := c.prepare(ctx, u.changes())
	if err != nil {
		return Outcome{}, nil, err
	}
	warnings := []string{}
	o, err := c.submit(ctx, call, u.subject(), weight, func(b *batch) (draft, error) {
		err := b.stands(u)
		if err == nil {
			err = c.foreseeAll(b, call, set, weight, u.permitted)
		}
		if refused, ok := asRefused(err); ok {
			warnings = append(warnings, "applying this would be refused now: "+refused.Detail)
		} else if err != nil && !errors.Is(err, ErrMoved) {
			return draft{}, err
		}
		b.several = nil
		return then(b, set, warnings)
	})
	return o, warnings, err
}

// foreseeAll is changeAll without sockets, and without a ticket without what that holds.
func (c *Controller) foreseeAll(b *batch, call Call, set []prepared, weight int, agree func(*ticket.Ticket) error) error {
	if err := checkBounds(set, weight); err != nil || len(set) == 0 {
		return err
	}
	b.begin(call)
	set = inOrder(b.view, set)
	parts := b.drafts(set)
	var t *ticket.Ticket
	if call.Ticket != "" {
		var err error
		if t, _, err = b.gateAll(call, set, parts); err == nil {
			err = agree(t)
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.checkAll(b, set, parts); err != nil || t == nil {
		return err
	}
	for i := range set {
		b.several.made = i
		effect := set[i].effect(&parts[i])
		if err := b.checkBinding(t, set[i].Address, effect); err != nil {
			return err
		}
		if _, err := b.checkPolicies(call, t, set[i].Address, effect, false); err != nil {
			return err
		}
	}
	return nil
}

// planOne is the plan of one of several changes.
func (b *batch) planOne(call Call, p *prepared, d draft, warnings []string) (draft, error) {
	digest, err := p.effect(&d).Digest()
	if err != nil {
		return d, err
	}
	b.planned.note(call.Run, Plan{Address: p.Address, Op: p.op(), Object: p.Object}, b.time())
	seq, ok, err := b.planOf(digest, call.Run)
	if err != nil {
		return d, err
	}
	if ok {
		outcome, err := b.outcome(seq)
		outcome.Unchanged = true
		return draft{existing: &outcome}, err
	}
	d.kind, d.object, d.effect = audit.TypePlan, nil, digest
	d.body.Warnings = warnings
	return d, nil
}
