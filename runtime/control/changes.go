package control

import (
	"context"
	"fmt"
	"maps"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// MaxChanges bounds the changes that are made at once. Together they weigh no more
// than a batch.
const MaxChanges = 1000

// Change is one of several that are made at once.
type Change struct {
	Address lb.Address
	// Object is the object as it is to be; nil is a deletion. The private key of a
	// certificate is the one that is kept under its fingerprint.
	Object lb.Object
	// Base is the revision that the change is made to; 0 expects that there is no such
	// object.
	Base int64
	// Rollback and Undone say what the change takes back, if it does.
	Rollback *audit.Rollback
	Undone   []int64
}

// op is what the change does.
func (c *Change) op() lb.Op {
	switch {
	case c.Object == nil:
		return lb.OpDelete
	case c.Base == 0:
		return lb.OpCreate
	}
	return lb.OpUpdate
}

// prepared is a change with what takes longer than deciding on it.
type prepared struct {
	Change
	encoded    jsontext.Value
	violations lb.Violations
	program    program
}

// effect is what the change does to what is there.
func (p *prepared) effect(d *draft) audit.Effect {
	return audit.Effect{Kind: p.Address.Kind, Name: p.Address.Name, Op: p.op(), Before: d.body.Before, After: p.encoded}
}

// prepare encodes, validates and compiles what is to be changed.
func (c *Controller) prepare(ctx context.Context, changes []Change) (set []prepared, weight int, err error) {
	set = make([]prepared, len(changes))
	for i, change := range changes {
		p := prepared{Change: change}
		if change.Object != nil {
			if p.encoded, err = lb.Encode(change.Object); err != nil {
				return nil, 0, err
			}
			p.violations = change.Object.Validate()
			if len(p.violations) == 0 {
				p.violations = c.checkPrivateKey(ctx, change.Object)
			}
			if p.program, err = c.compile(ctx, change.Address, change.Object); err != nil {
				return nil, 0, err
			}
		}
		set[i], weight = p, weight+2*len(p.encoded)
	}
	return set, weight, nil
}

// Change makes several changes at once: all of them, or none. The objects are held to
// each other as they will be after all of it; tickets, freeze windows and policies as
// they were before. A refusal is of one change, and its entry is about that.
func (c *Controller) Change(ctx context.Context, call Call, subject Subject, changes []Change) (Outcome, error) {
	call, err := c.consult(ctx, call)
	if err != nil {
		return Outcome{}, err
	}
	set, weight, err := c.prepare(ctx, changes)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, subject, weight, func(b *batch) (draft, error) {
		return c.changeAll(b, call, set, weight, nil)
	})
}

// changeAll decides on several changes. Agree, if not nil, has a say once the ticket has
// admitted them.
func (c *Controller) changeAll(b *batch, call Call, set []prepared, weight int, agree func(*ticket.Ticket) error) (draft, error) {
	if err := checkBounds(set, weight); err != nil {
		return draft{}, err
	}
	b.begin(call)
	set = inOrder(b.view, set)
	parts := b.drafts(set)
	t, d, err := b.gateAll(call, set, parts)
	if err != nil {
		return d, err
	}
	if agree != nil {
		if err := agree(t); err != nil {
			return draft{}, err
		}
	}
	if d, err := c.checkAll(b, set, parts); err != nil {
		return d, err
	}
	for i := range set {
		if d, err := c.reserve(b, &set[i], &parts[i]); err != nil {
			return d, err
		}
	}
	for i := range set {
		b.several.made = i
		if err := b.admitEffect(call, t, set[i].Address, set[i].effect(&parts[i]), &parts[i]); err != nil {
			return parts[i], err
		}
	}
	return draft{parts: parts}, nil
}

func checkBounds(set []prepared, weight int) error {
	if len(set) > MaxChanges {
		return refuse(CodeTooLarge, "%d changes at once are too many: at most %d are made", len(set), MaxChanges)
	}
	if weight > maxBatchBytes {
		return refuse(CodeTooLarge, "the changes have %d bytes; at most %d are made at once", weight, maxBatchBytes)
	}
	seen := make(map[lb.Address]bool, len(set))
	for i := range set {
		if address := set[i].Address; seen[address] {
			return refuse(CodeInvalid, "%s is changed twice at once", address)
		}
		seen[set[i].Address] = true
	}
	return nil
}

// drafts are the changes' entries as far as they follow from what is there.
func (b *batch) drafts(set []prepared) []draft {
	parts := make([]draft, len(set))
	for i := range set {
		p := &set[i]
		d := draft{kind: audit.TypeApply, rollback: p.Rollback, subject: Subject{p.Address.String(), string(p.op())}}
		d.body = audit.Body{After: p.encoded, Undone: p.Undone}
		current := b.view.get(p.Address)
		if current != nil {
			d.base, d.body.Before = current.Last.Revision, current.Encoded
		}
		if d.object = current; p.Object != nil {
			d.object = &Object{Address: p.Address, Object: p.Object, Encoded: p.encoded}
		}
		if len(p.violations) > 0 {
			d.body.After = nil // see put
		}
		parts[i] = d
	}
	return parts
}

// gateAll admits changes by their ticket, the freeze windows and the run. What it refuses
// comes with the draft of the change that is to blame, if one is.
func (b *batch) gateAll(call Call, set []prepared, parts []draft) (t *ticket.Ticket, d draft, err error) {
	for i := range set {
		b.several.made = i
		if t, err = b.gate(call, set[i].op(), set[i].Address); err == nil {
			continue
		}
		refused, ok := asRefused(err)
		switch {
		case !ok:
			return nil, draft{}, err
		case refused.Code == ticket.CodeOutOfScope, refused.Code == ticket.CodeNotCovered, refused.Code == CodeFrozen:
			return nil, parts[i], refused
		case refused.Code == ticket.CodeUsedUp && len(set) > 1:
			refused, err = b.tooManyUses(call.Ticket, len(set))
			if err != nil {
				return nil, draft{}, err
			}
		}
		return nil, draft{}, refused
	}
	return t, draft{}, nil
}

func (b *batch) tooManyUses(id string, wanted int) (*Refused, error) {
	t, err := b.ticket(id)
	if err != nil {
		return nil, err
	}
	u, err := b.recordedUsage(id)
	return refuse(ticket.CodeUsedUp, "ticket %s permits %d changes, and %d were made under it; these are %d more, to be made at once or not at all: open another one",
		id, t.MaxUses, u.Applied, wanted), err
}

// checkAll holds changes to themselves, to what they expect to find, and to the rest of
// the configuration as it will be.
func (c *Controller) checkAll(b *batch, set []prepared, parts []draft) (draft, error) {
	after := overlay{base: b.view.base, changed: maps.Clone(b.view.changed)}
	for i := range set {
		p := &set[i]
		if len(p.violations) > 0 {
			return parts[i], refuseFields(CodeInvalid, p.Address.String()+" is not valid", p.violations)
		}
		pre := Precondition{Absent: p.Base == 0, Revision: p.Base}
		if err := checkPrecondition(p.Address, pre, b.view.get(p.Address)); err != nil {
			return parts[i], err
		}
		if after.changed[p.Address] = nil; p.Object != nil {
			after.changed[p.Address] = parts[i].object
		}
	}
	if i, err := fitTogether(after, set); err != nil {
		return parts[i], err
	}
	for i := range set {
		if compiled := set[i].program; compiled.of != nil {
			b.compiled[compiled.of] = compiled.compiled
		}
	}
	return draft{}, nil
}

// reserve binds the socket of a listener.
func (c *Controller) reserve(b *batch, p *prepared, part *draft) (draft, error) {
	l, ok := p.Object.(*lb.Listener)
	if !ok {
		return draft{}, nil
	}
	release, err := c.opts.Publisher.Reserve(p.Address.Name, l)
	if err != nil {
		return *part, unbindable(p.Address, l, err)
	}
	b.finished = append(b.finished, release)
	return draft{}, nil
}

// checkPrivateKey looks for the private key of a certificate whose key does not come with it.
func (c *Controller) checkPrivateKey(ctx context.Context, obj lb.Object) lb.Violations {
	cert, ok := obj.(*lb.Certificate)
	if !ok {
		return nil
	}
	key, err := Keys{Reader: c.opts.Store, Sealer: c.opts.Sealer}.PrivateKey(ctx, cert.Fingerprint)
	if err == nil {
		_, err = lb.KeyPair(cert.ChainPEM, key)
	}
	if err != nil {
		c.opts.Logger.Warn("private key of a certificate can't be used", "fingerprint", cert.Fingerprint, "error", err)
		return lb.Violations{{Pointer: "/fingerprint", Detail: fmt.Sprintf("the private key of the public key %s can't be had any more", cert.Fingerprint)}}
	}
	return nil
}
