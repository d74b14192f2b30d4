package control

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Precondition is what a change expects to find (RFC 9110 §13.1). The zero
// value expects nothing of what is there; only Absent creates.
type Precondition struct {
	// Absent expects that the object does not exist: If-None-Match: *.
	Absent bool
	// Exists expects that it exists, at whatever revision: If-Match: *.
	Exists bool
	// Revision expects the object at this revision: If-Match: "12".
	Revision int64
}

// Put is an object to create or update.
type Put struct {
	Address      lb.Address
	Object       lb.Object
	Precondition Precondition
	// PrivateKey is the key of a certificate, in PEM, or "" to keep the one
	// that is stored.
	PrivateKey string
}

// op is what the precondition makes of a put, for the record of a refusal.
func (p Put) op() lb.Op {
	if p.Precondition.Absent {
		return lb.OpCreate
	}
	return lb.OpUpdate
}

// Put creates or updates an object. An object that is already as asked is left
// alone: the outcome is Unchanged and nothing is recorded.
func (c *Controller) Put(ctx context.Context, call Call, put Put) (Outcome, error) {
	encoded, err := lb.Encode(put.Object)
	if err != nil {
		return Outcome{}, err
	}
	if call, err = c.consult(ctx, call); err != nil {
		return Outcome{}, err
	}
	violations := put.Object.Validate()
	prepared, err := c.compile(ctx, put.Address, put.Object)
	if err != nil {
		return Outcome{}, err
	}
	subject := Subject{put.Address.String(), string(put.op())}
	return c.submit(ctx, call, subject, 2*len(encoded), func(b *batch) (draft, error) {
		return c.put(b, call, put, encoded, violations, prepared)
	})
}

func (c *Controller) put(b *batch, call Call, put Put, encoded jsontext.Value, violations lb.Violations, prepared program) (draft, error) {
	d := draft{kind: audit.TypeApply, body: audit.Body{After: encoded}}
	current := b.view.get(put.Address)
	if current != nil {
		d.base, d.body.Before = current.Last.Revision, current.Encoded
	}
	if len(violations) > 0 {
		// What does not validate is not recorded: there may be a private key
		// where it does not belong.
		d.body.After = nil
	}
	t, err := b.gate(call, put.op(), put.Address)
	if err != nil {
		return d, err
	}
	if len(violations) > 0 {
		return d, refuseFields(CodeInvalid, put.Address.String()+" is not valid", violations)
	}
	if err := checkPrecondition(put.Address, put.Precondition, current); err != nil {
		return d, err
	}
	secrets, err := c.privateKey(put, current)
	if err != nil {
		return d, err
	}
	if current != nil && bytes.Equal(current.Encoded, encoded) && len(secrets) == 0 {
		outcome, err := b.outcome(current.Last.Revision)
		outcome.Unchanged = true
		return draft{existing: &outcome}, err
	}
	if err := c.fits(b, put.Address, put.Object, prepared.mistakes); err != nil {
		return d, err
	}
	if prepared.of != nil {
		b.compiled[prepared.of] = prepared.compiled
	}
	d.secrets = secrets
	d.object = &Object{Address: put.Address, Object: put.Object, Encoded: encoded}
	effect := audit.Effect{Kind: put.Address.Kind, Name: put.Address.Name, Op: put.op(), Before: d.body.Before, After: encoded}
	err = b.admitEffect(call, t, put.Address, effect, &d)
	return d, err
}

// Delete removes an object that nothing refers to.
func (c *Controller) Delete(ctx context.Context, call Call, address lb.Address, pre Precondition) (Outcome, error) {
	subject := Subject{address.String(), string(lb.OpDelete)}
	call, err := c.consult(ctx, call)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, subject, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeApply}
		current := b.view.get(address)
		if current != nil {
			d.base, d.body.Before = current.Last.Revision, current.Encoded
		}
		t, err := b.gate(call, lb.OpDelete, address)
		if err != nil {
			return d, err
		}
		if current == nil {
			return d, refuse(CodeNotFound, "%s does not exist", address)
		}
		if err := checkPrecondition(address, pre, current); err != nil {
			return d, err
		}
		if referents := lb.Referents(b.view, address); len(referents) > 0 {
			return d, stillReferenced(address, referents)
		}
		d.object = current
		effect := audit.Effect{Kind: address.Kind, Name: address.Name, Op: lb.OpDelete, Before: current.Encoded}
		err = b.admitEffect(call, t, address, effect, &d)
		return d, err
	})
}

func stillReferenced(address lb.Address, referents []lb.Address) *Refused {
	names := make([]string, len(referents))
	for i, a := range referents {
		names[i] = a.String()
	}
	slices.Sort(names)
	shown := names
	if len(shown) > 10 {
		shown = shown[:10]
	}
	r := refuse(CodeReferenced, "%s is still used by %s; change or delete those first", address, strings.Join(shown, ", "))
	if len(names) > len(shown) {
		r.Detail = fmt.Sprintf("%s is still used by %d objects, %s and others; change or delete those first", address, len(names), strings.Join(shown, ", "))
	}
	r.Referents = names
	return r
}

// checkPrecondition compares what a change expects with what is there.
func checkPrecondition(address lb.Address, pre Precondition, current *Object) error {
	switch {
	case pre.Absent && current != nil:
		return conflict(current, "%s exists already", address)
	case !pre.Absent && current == nil:
		return refuse(CodePreconditionFailed, "%s does not exist (any more)", address)
	case pre.Revision > 0 && current.Last.Revision != pre.Revision:
		return conflict(current, "%s was changed since revision %d", address, pre.Revision)
	}
	return nil
}

// conflict refuses and tells who changed the object last.
func conflict(current *Object, format string, args ...any) *Refused {
	last := current.Last
	by := fmt.Sprintf(": revision %d by %s at %s under ticket %s", last.Revision, last.Actor, last.At.Format("2006-01-02T15:04:05Z07:00"), last.Ticket)
	if last.Run != "" {
		by += " in run " + last.Run
	}
	r := refuse(CodePreconditionFailed, format+"%s", append(args, by)...)
	r.Current = &last
	return r
}

// fits holds an object against the rest of the configuration, and binds the
// socket of a listener. Mistakes are what a policy's compiler found.
func (c *Controller) fits(b *batch, address lb.Address, obj lb.Object, mistakes lb.Violations) error {
	missing, unsuitable := lb.CheckReferences(b.view, obj)
	if len(missing) > 0 {
		return refuseFields(CodeReferenceMissing, address.String()+" refers to what does not exist", lb.Missing(missing))
	}
	unsuitable = append(unsuitable, lb.CheckDependents(b.view, address, obj)...)
	unsuitable = append(unsuitable, mistakes...)
	if len(unsuitable) > 0 {
		return refuseFields(CodeReferenceUnsuited, address.String()+" does not fit", unsuitable)
	}
	l, ok := obj.(*lb.Listener)
	if !ok {
		return nil
	}
	if other := lb.CheckOverlap(b.view, address.Name, l); other != "" {
		return overlap(address, l, other)
	}
	release, err := c.opts.Publisher.Reserve(address.Name, l)
	if err != nil {
		return unbindable(address, l, err)
	}
	b.finished = append(b.finished, release)
	return nil
}

func unbindable(address lb.Address, l *lb.Listener, err error) *Refused {
	return refuseFields(CodeAddressUnavailable, address.String()+" can't be bound", lb.Violations{{
		Pointer: "/port",
		Detail:  fmt.Sprintf("%s can't be bound on this machine: %v", l.BindAddress(), err),
	}})
}

func overlap(address lb.Address, l *lb.Listener, other string) *Refused {
	return refuseFields(CodeAddressInUse, address.String()+" is in the way of another listener", lb.Violations{{
		Pointer: "/port",
		Detail:  fmt.Sprintf("%s collides with listener/%s; give one of them another address or port", l.BindAddress(), other),
	}})
}
