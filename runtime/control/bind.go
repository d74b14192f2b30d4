package control

import (
	"context"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// effects are what a run has planned up to an entry. They are read before the call
// gets in line: a run's plans may be many and large.
type effects struct {
	planned []ticket.Effect
	// through is the newest entry that was looked at.
	through int64
	// erased is why there is nothing to bind to, where the plans' bodies are gone.
	erased error
}

const (
	// plansAtOnce is how many plans are in memory together, with their objects.
	plansAtOnce = 10
	// maxPlansOfRun bounds how many plans of a run are read: each of its effects, and
	// as many that were planned again.
	maxPlansOfRun = 2 * ticket.MaxEffects
)

// findEffects reads what a run has planned; nothing without a run.
func (c *Controller) findEffects(ctx context.Context, run string) (effects, error) {
	var found effects
	if run == "" {
		return found, nil
	}
	q := Query{Run: run, Types: []audit.Type{audit.TypePlan}, Limit: plansAtOnce}
	for len(found.planned) <= maxPlansOfRun {
		rows, err := c.opts.Store.Entries(ctx, q)
		if err != nil {
			return found, fmt.Errorf("plans of run %s: %w", run, err)
		}
		for i := range rows {
			q.Before = rows[i].Seq
			found.through = max(found.through, rows[i].Seq)
			effect, err := effectOf(&rows[i])
			if _, refused := asRefused(err); refused {
				// Recorded as the call's refusal, once it is in line.
				found.erased = err
				return found, nil
			}
			if err != nil {
				return found, err
			}
			found.planned = append(found.planned, effect)
		}
		if len(rows) < plansAtOnce {
			break
		}
	}
	return found, nil
}

func effectOf(row *audit.Row) (ticket.Effect, error) {
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil {
		return ticket.Effect{}, fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	if row.BodyErased() {
		return ticket.Effect{}, refuseFields(CodeRunUnknown, "the ticket can't be bound", lb.Violations{{
			Pointer: "/run", Detail: fmt.Sprintf("what the run planned was erased from the log since (plan entry %d): plan again, as another run", row.Seq),
		}})
	}
	body, err := audit.ParseBody(row.Body)
	if err != nil {
		return ticket.Effect{}, fmt.Errorf("entry %d: %w", row.Seq, err)
	}
	return ticket.Effect{Address: e.Resource, Op: lb.Op(e.Op), Digest: e.EffectDigest, Unknown: body.Unknown, Plan: e.Seq}, nil
}

// bind makes the binding to what a run has planned, with what it planned since its
// effects were read; nil without a run.
func (b *batch) bind(run string, found effects) (*ticket.Binding, error) {
	if run == "" {
		return nil, nil
	}
	var registered Run
	revision, err := b.state(runPrefix+"/"+run, &registered)
	if err != nil {
		return nil, err
	}
	if revision == 0 {
		return nil, refuseFields(CodeRunUnknown, "the ticket can't be bound", lb.Violations{{Pointer: "/run", Detail: fmt.Sprintf("there is no run %.200q", run)}})
	}
	if found.erased != nil {
		return nil, found.erased
	}
	planned := found.planned
	for i := range b.add.Records {
		r := &b.add.Records[i]
		if r.Entry.Type != audit.TypePlan || r.Entry.RunID() != run {
			continue
		}
		effect, err := effectOf(&audit.Row{Seq: r.Entry.Seq, Leaf: r.Leaf, Body: r.Body})
		if err != nil {
			return nil, err
		}
		planned = append(planned, effect)
	}
	for q := (Query{Run: run, Types: []audit.Type{audit.TypePlan}, Limit: plansAtOnce}); ; {
		rows, err := b.reader.Entries(b.ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if q.Before = rows[i].Seq; rows[i].Seq <= found.through {
				return ticket.Bind(run, planned)
			}
			effect, err := effectOf(&rows[i])
			if err != nil {
				return nil, err
			}
			planned = append(planned, effect)
		}
		if len(rows) < plansAtOnce {
			return ticket.Bind(run, planned)
		}
	}
}
