package control

import (
	"errors"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// decide takes one call through its decision.
func (b *batch) decide(r *request) (res result) {
	defer func() {
		if p := recover(); p != nil {
			res = result{err: fmt.Errorf("decision failed: %v", p)}
		}
		b.several = nil
	}()
	if err := r.ctx.Err(); err != nil {
		return result{err: fmt.Errorf("%w: %w", ErrLogUnavailable, err)}
	}
	if outcome, err := b.answeredBefore(r.call); outcome != nil || err != nil {
		if refused, ok := asRefused(err); ok {
			// The key keeps the answer it was given first.
			again := *r
			again.call.Key = ""
			outcome, err := b.reject(&again, draft{}, refused)
			return result{outcome, err}
		}
		if err != nil {
			return result{err: err}
		}
		return result{outcome: *outcome}
	}
	d, err := r.decide(b)
	if err != nil {
		if refused, ok := asRefused(err); ok {
			outcome, err := b.reject(r, d, refused)
			return result{outcome, err}
		}
		return result{err: err}
	}
	if d.existing != nil {
		return result{outcome: *d.existing}
	}
	if d.parts != nil {
		outcome, err := b.appendAll(r, d.parts)
		return result{outcome, err}
	}
	outcome, err := b.append(r.call, r.subject, d)
	if refused, ok := asRefused(err); ok {
		outcome, err = b.reject(r, draft{}, refused)
	}
	return result{outcome, err}
}

// reject records a refusal. What was attempted is kept with it where it is known.
func (b *batch) reject(r *request, d draft, refused *Refused) (Outcome, error) {
	refusal, subject := refused.Refusal, r.subject
	if d.subject != (Subject{}) {
		subject = d.subject
	}
	b.several = nil
	return b.append(r.call, subject, draft{
		kind:     audit.TypeReject,
		base:     d.base,
		rollback: d.rollback,
		body:     audit.Body{Before: d.body.Before, After: d.body.After, Rules: d.body.Rules, Refusal: &refusal},
	})
}

// answeredBefore looks whether the call was answered before under its key.
func (b *batch) answeredBefore(call Call) (*Outcome, error) {
	if call.Key == "" {
		return nil, nil
	}
	before, err := b.answeredUnder(call.scopedKey())
	if err != nil || before == nil {
		return nil, err
	}
	if before.Digest != call.Digest {
		return nil, refuse(CodeIdempotencyReused, "the idempotency key was used for another call before; take a new key for a new call")
	}
	outcome, err := b.answer(call, before.Seq)
	if errors.Is(err, errBodyErased) {
		return nil, nil // older than any key is remembered
	}
	if err != nil {
		return nil, err
	}
	return &outcome, nil
}

// answeredUnder is what was answered under a key, or nil.
func (b *batch) answeredUnder(key string) (*Answered, error) {
	if before, ok := b.answered[key]; ok {
		return &before, nil
	}
	return b.tx.Answered(b.ctx, key)
}
