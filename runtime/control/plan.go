package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Plan is a change that somebody intends.
type Plan struct {
	Address lb.Address
	Op      lb.Op
	// Object is the object as it would be; nil for a deletion.
	Object lb.Object
	// Unknown lists pointers into the object whose values are not known yet.
	Unknown []string
}

// maxPlansSearched bounds how many plans of an object are compared with an
// apply when plans left values unknown.
const maxPlansSearched = 20

// Plan records an intended change after validating it against the live
// configuration. The same plan in the same run is one entry, however often it
// is sent: Terraform plans twice.
func (c *Controller) Plan(ctx context.Context, call Call, plan Plan) (Outcome, error) {
	var encoded jsontext.Value
	if plan.Object != nil {
		var err error
		if encoded, err = lb.Encode(plan.Object); err != nil {
			return Outcome{}, err
		}
	}
	subject := Subject{plan.Address.String(), string(plan.Op)}
	call, err := c.consult(ctx, call)
	if err != nil {
		return Outcome{}, err
	}
	prepared, err := c.compile(ctx, plan.Address, plan.Object)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, subject, 2*len(encoded), func(b *batch) (draft, error) {
		return b.plan(call, plan, encoded, prepared.mistakes)
	})
}

func (b *batch) plan(call Call, plan Plan, encoded jsontext.Value, mistakes lb.Violations) (draft, error) {
	d := draft{kind: audit.TypePlan, body: audit.Body{After: encoded}}
	if err := b.checkRun(call); err != nil {
		return d, err
	}
	current := b.view.get(plan.Address)
	if current != nil && plan.Op != lb.OpCreate {
		d.base, d.body.Before = current.Last.Revision, current.Encoded
	}
	warnings, err := b.checkPlan(call, plan, current, mistakes)
	if err != nil {
		d.body.After = nil // see put
		return d, err
	}
	b.planned.note(call.Run, plan, b.time())
	effect, err := audit.Effect{
		Kind: plan.Address.Kind, Name: plan.Address.Name, Op: plan.Op, Before: d.body.Before, After: encoded,
	}.Mask(plan.Unknown)
	if err != nil {
		return d, err
	}
	d.body.After, d.body.Unknown = effect.After, effect.Unknown
	if d.effect, err = effect.Digest(); err != nil {
		return d, err
	}
	if d.body.Warnings, err = b.foresee(call, plan.Address, effect, warnings); err != nil {
		return d, err
	}
	if call.Run == "" {
		return d, nil
	}
	seq, ok, err := b.planOf(d.effect, call.Run)
	if err != nil || !ok {
		return d, err
	}
	outcome, err := b.outcome(seq)
	outcome.Unchanged = true
	return draft{existing: &outcome}, err
}

// checkPlan refuses what could never be applied and warns of what could not be
// applied now.
func (b *batch) checkPlan(call Call, plan Plan, current *Object, mistakes lb.Violations) (warnings []string, err error) {
	warnings = []string{}
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	switch {
	case plan.Op == lb.OpCreate && current != nil:
		warn("%s exists already (revision %d, by %s); import it or choose another name, unless it is being replaced",
			plan.Address, current.Last.Revision, current.Last.Actor)
	case plan.Op != lb.OpCreate && current == nil:
		warn("%s does not exist", plan.Address)
	}
	if plan.Object == nil {
		return warnings, nil
	}
	found := append(plan.Object.Validate(), mistakes...)
	known := lb.Settled(plan.Address.Kind, found, plan.Unknown)
	if len(known) > 0 {
		return nil, refuseFields(CodeInvalid, plan.Address.String()+" is not valid", known)
	}
	missing, unsuitable := lb.CheckReferences(b.view, plan.Object)
	for _, ref := range missing {
		if lb.Unsettled(plan.Address.Kind, ref.Pointer, plan.Unknown) {
			continue
		}
		if !b.planned.makes(call.Run, ref.To, b.time()) {
			warn("%s does not exist and is not planned in this run so far", ref.To)
		}
	}
	for _, v := range unsuitable {
		if !lb.Unsettled(plan.Address.Kind, v.Pointer, plan.Unknown) {
			warn("%s: %s", v.Pointer, v.Detail)
		}
	}
	return warnings, b.checkPlannedListener(call, plan)
}

// foresee adds to a plan's warnings why its ticket, the freeze windows or the
// policies would refuse it now.
func (b *batch) foresee(call Call, address lb.Address, effect audit.Effect, warnings []string) ([]string, error) {
	if call.Ticket == "" {
		return warnings, nil
	}
	t, err := b.gate(call, effect.Op, address)
	if err == nil {
		if err = b.checkBinding(t, address, effect); err == nil {
			_, err = b.checkPolicies(call, t, address, effect, false)
		}
	}
	if err == nil {
		return warnings, nil
	}
	refused, ok := asRefused(err)
	if !ok {
		return nil, err
	}
	return append(warnings, "applying this would be refused now: "+refused.Detail), nil
}

// checkPlannedListener holds a planned listener's address against the live
// listeners, less those that the same run plans to move or delete, and against
// those that it plans to make.
func (b *batch) checkPlannedListener(call Call, plan Plan) error {
	l, ok := plan.Object.(*lb.Listener)
	if !ok || lb.Unsettled(lb.KindListener, "/port", plan.Unknown) || lb.Unsettled(lb.KindListener, "/address", plan.Unknown) {
		return nil
	}
	if other := lb.CheckOverlap(b.planned.over(call.Run, b.view, b.time()), plan.Address.Name, l); other != "" {
		return overlap(plan.Address, l, other)
	}
	return nil
}

// linkPlan finds the plan that an apply fulfils: the same run's if there is
// one, else the newest with the same effect. Where a plan left values unknown
// the effects are compared without those values.
func (b *batch) linkPlan(call Call, address lb.Address, effect audit.Effect, d *draft) error {
	digest, err := effect.Digest()
	if err != nil {
		return err
	}
	d.effect = digest
	recent := sync.OnceValues(func() ([]Outcome, error) { return b.recentPlans(address, maxPlansSearched) })
	for _, run := range slices.Compact([]string{call.Run, ""}) {
		seq, ok, err := b.planOf(digest, run)
		if err == nil && !ok {
			seq, ok, err = maskedPlan(recent, run, effect)
		}
		if err != nil {
			return err
		}
		if ok {
			d.plan = seq
			return nil
		}
	}
	d.unplanned = true
	return nil
}

// maskedPlan finds the newest of the plans with unknown values that an effect
// fulfils, of the run if run is not empty.
func maskedPlan(recent func() ([]Outcome, error), run string, effect audit.Effect) (seq int64, ok bool, err error) {
	plans, err := recent()
	if err != nil {
		return 0, false, err
	}
	for _, p := range plans {
		if len(p.Body.Unknown) == 0 || (run != "" && p.Entry.RunID() != run) {
			continue
		}
		masked, err := effect.Mask(p.Body.Unknown)
		if err != nil {
			return 0, false, err
		}
		if digest, err := masked.Digest(); err == nil && digest == p.Entry.EffectDigest {
			return p.Entry.Seq, true, nil
		}
	}
	return 0, false, nil
}

// recentPlans returns the newest plans of an object, newest first, those of the
// batch included.
func (b *batch) recentPlans(address lb.Address, limit int) ([]Outcome, error) {
	var out []Outcome
	for _, r := range slices.Backward(b.add.Records) {
		if r.Entry.Type == audit.TypePlan && r.Entry.Resource == address.String() {
			o, err := newOutcome(r.Entry, r.Body)
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
	}
	rows, err := b.reader.Entries(b.ctx, Query{Resource: address.String(), Types: []audit.Type{audit.TypePlan}, Limit: limit})
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		e, err := audit.ParseLeaf(row.Leaf)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", row.Seq, err)
		}
		o, err := newOutcome(e, row.Body)
		if errors.Is(err, errBodyErased) {
			break // and so are those before it
		}
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}
