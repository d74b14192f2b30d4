package control

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// gate admits a change by its ticket, the freeze windows and its run. It does not
// look at what the change does: that is [batch.admitEffect]'s part.
func (b *batch) gate(call Call, op lb.Op, address lb.Address) (*ticket.Ticket, error) {
	if call.Ticket == "" {
		return nil, refuse(ticket.CodeRequired, "every change needs a change ticket: none was named for %s of %s", op, address)
	}
	t, err := b.ticketOf(call)
	if err != nil {
		return nil, err
	}
	if err := b.admits(call, t, op, address); err != nil {
		return nil, err
	}
	if known := call.elsewhere; known != nil && !known.At.IsZero() {
		// Another call may have mirrored an older word meanwhile: what this one was
		// told has to admit it too.
		own := known.Facts.Mirror(known.Authority, t, b.time())
		if err := b.admits(call, &own, op, address); err != nil {
			return nil, err
		}
	}
	if err := b.checkFreezes(t, address, b.time()); err != nil {
		return nil, err
	}
	return t, b.checkRun(call)
}

// admits holds an operation to a ticket alone: its state, window, scope and uses,
// and whether a ticket with a binding has such an operation at all.
func (b *batch) admits(call Call, t *ticket.Ticket, op lb.Op, address lb.Address) error {
	usage, err := b.usage(t.ID)
	if err != nil {
		return err
	}
	if err := b.checkElsewhere(call, t, b.time()); err != nil {
		return err
	}
	if err := t.Admit(ticket.Attempt{Op: op, Address: address, Actor: call.Actor.Name, Now: b.time(), Uses: usage.Applied}); err != nil {
		return err
	}
	if t.Binding != nil && t.Binding.For(op, address.String()) == nil {
		return refuse(ticket.CodeNotCovered, "ticket %s is bound to the %d effects that run %s planned, and %s of %s is not among them; plan again and amend the ticket, or open another one",
			t.ID, len(t.Binding.Effects), t.Binding.Run, op, address)
	}
	return nil
}

// ticketOf reads a call's ticket. Of one that lives elsewhere, was never seen here
// and can't be asked for now, it is not known whether there is one.
func (b *batch) ticketOf(call Call) (*ticket.Ticket, error) {
	t, err := b.ticket(call.Ticket)
	known := call.elsewhere
	if err == nil || known == nil || !known.At.IsZero() || known.Stale == "" {
		return t, err
	}
	if refused, ok := asRefused(err); !ok || refused.Code != ticket.CodeUnknown {
		return t, err
	}
	return nil, refuse(CodeAuthorityUnavailable, "ticket %s lives in %s, which can't be asked: %s; changes under it are refused until it answers", call.Ticket, known.Authority, known.Stale)
}

// ticket reads a ticket. One that does not exist is a refusal.
func (b *batch) ticket(id string) (*ticket.Ticket, error) {
	var t ticket.Ticket
	if ticket.CheckID(id) != "" {
		return nil, refuse(ticket.CodeUnknown, "%.64q is not a ticket's id", id)
	}
	revision, err := b.state(ticketPrefix+"/"+id, &t)
	if err != nil {
		return nil, err
	}
	if revision == 0 {
		return nil, refuse(ticket.CodeUnknown, "there is no ticket %s", id)
	}
	b.emergencies[id] = t.Type == ticket.Emergency
	return &t, nil
}

// admitEffect links a change to the plan that it fulfils, and holds what it does
// to the ticket's binding and to the policies.
func (b *batch) admitEffect(call Call, t *ticket.Ticket, address lb.Address, effect audit.Effect, d *draft) error {
	if err := b.linkPlan(call, address, effect, d); err != nil {
		return err
	}
	if err := b.checkBinding(t, address, effect); err != nil {
		return err
	}
	rules, err := b.checkPolicies(call, t, address, effect, d.unplanned)
	d.body.Rules = rules
	return err
}

// checkBinding refuses an effect that a ticket with a binding does not cover, and
// says what is different.
func (b *batch) checkBinding(t *ticket.Ticket, address lb.Address, effect audit.Effect) error {
	if t.Binding == nil {
		return nil
	}
	want := t.Binding.For(effect.Op, address.String()) // admits has asked for it
	masked, err := effect.Mask(want.Unknown)
	if err != nil {
		return err
	}
	digest, err := masked.Digest()
	if err != nil || digest == want.Digest {
		return err
	}
	plan, err := b.outcome(want.Plan)
	if errors.Is(err, errBodyErased) {
		return refuse(ticket.CodeEffectDiffers, "ticket %s covers another %s of %s than this (plan entry %d, whose body was erased since)", t.ID, effect.Op, address, want.Plan)
	}
	if err != nil {
		return err
	}
	vs, err := differences(t.ID, plan.Body, masked)
	if err != nil {
		return err
	}
	return refuseFields(ticket.CodeEffectDiffers, fmt.Sprintf("ticket %s covers another %s of %s than this (plan entry %d)", t.ID, effect.Op, address, want.Plan), vs)
}

const (
	maxDifferences    = 20
	maxDifferentValue = 80
)

// differences says at which fields an effect is not the one that was approved:
// in what is to be, and in what it is to be made of.
func differences(id string, plan audit.Body, effect audit.Effect) (lb.Violations, error) {
	after, err := lb.Diff(plan.After, effect.After)
	if err != nil {
		return nil, err
	}
	before, err := lb.Diff(plan.Before, effect.Before)
	if err != nil {
		return nil, err
	}
	var vs lb.Violations
	for _, c := range after {
		vs = append(vs, lb.Violation{Pointer: c.Path, Detail: fmt.Sprintf("would be %s; ticket %s covers %s", brief(c.Value), id, brief(c.Old))})
	}
	for _, c := range before {
		if slices.ContainsFunc(after, func(a lb.Change) bool { return a.Path == c.Path }) {
			continue
		}
		vs = append(vs, lb.Violation{Pointer: c.Path, Detail: fmt.Sprintf("is %s now; it was %s when the change was approved", brief(c.Value), brief(c.Old))})
	}
	return vs[:min(len(vs), maxDifferences)], nil
}

// brief is a value as a refusal shows it.
func brief(v jsontext.Value) string {
	if v == nil {
		return "nothing"
	}
	return Recordable(string(v), maxDifferentValue)
}

// checkFreezes refuses what a freeze window stops.
func (b *batch) checkFreezes(t *ticket.Ticket, address lb.Address, now time.Time) error {
	if t.Type == ticket.Emergency {
		return nil
	}
	for name, obj := range b.view.All(lb.KindFreeze) {
		freeze, ok := obj.(*lb.Freeze)
		if !ok || !lb.AnyGlobMatches(freeze.Addresses, address.String()) {
			continue
		}
		if w := b.windows.around(freeze, now); w.Contains(now) {
			return refuse(CodeFrozen, "%s is frozen by freeze/%s until %s: %s. Only an emergency ticket gets through",
				address, name, w.End.Format(time.RFC3339), strings.TrimRight(freeze.Reason, ". "))
		}
	}
	return nil
}

// windows remembers the windows of freezes, since a recurring one takes a walk
// over its rule. It belongs to the run loop's goroutine.
type windows map[*lb.Freeze]lb.Window

const maxWindows = 1000

// around returns the window that a time lies in, or the next one. One that is
// never to come again lies in the past.
func (m windows) around(f *lb.Freeze, now time.Time) lb.Window {
	if w, ok := m[f]; ok && (now.Before(w.End) || w.End.IsZero()) {
		return w
	}
	w, ok := f.Around(now)
	if !ok {
		w = lb.Window{}
	}
	if len(m) >= maxWindows {
		clear(m)
	}
	m[f] = w
	return w
}
