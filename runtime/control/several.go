package control

import (
	"errors"
	"time"
)

// several is a call that does several things at once, while it is decided: each is looked
// at as if those before it were recorded already.
type several struct {
	// ticket is the call's, and made how many things come before the one in hand.
	ticket string
	made   int
	// began is the time of the first entry; those after it follow by a microsecond each.
	began time.Time
}

func (s *several) time() time.Time {
	return s.began.Add(time.Duration(s.made) * time.Microsecond)
}

// begin makes ready to decide on several things at once, until the call is decided.
func (b *batch) begin(call Call) {
	b.several = &several{ticket: call.Ticket, began: b.time()}
}

// lastOf is the key under which the last entry of several is kept that answer a call.
// Entries of one call have no gap between them.
func lastOf(key string) string { return key + " last" }

// appendAll seals the entries of several things and adds them to the batch: all of them,
// or, where one can't be, a refusal alone.
func (b *batch) appendAll(r *request, parts []draft) (Outcome, error) {
	answer := Outcome{Unchanged: true, Parts: make([]Outcome, len(parts))}
	take := make([]func(), 0, len(parts))
	first := b.tree.Size()
	for i, d := range parts {
		b.several.made = i
		if d.existing != nil {
			answer.Parts[i] = *d.existing
			continue
		}
		record, err := b.seal(r.call, d.subject, d, first+int64(len(take)))
		if refused, ok := asRefused(err); ok {
			return b.reject(r, draft{subject: d.subject}, refused)
		}
		if err != nil {
			return Outcome{}, err
		}
		answer.Parts[i] = Outcome{Entry: record.Entry, Body: d.body}
		take = append(take, func() { b.take(record, d) })
	}
	for _, f := range take {
		f()
	}
	if len(take) > 0 {
		answer.Unchanged = false
		key := r.call.scopedKey()
		b.keepAnswer(key, r.call, first)
		b.keepAnswer(lastOf(key), r.call, b.tree.Size()-1)
	}
	last := answer.Parts[len(parts)-1]
	answer.Entry, answer.Body = last.Entry, last.Body
	return answer, nil
}

// answer reads the answer back that begins with an entry.
func (b *batch) answer(call Call, first int64) (Outcome, error) {
	last, err := b.answeredUnder(lastOf(call.scopedKey()))
	if err != nil {
		return Outcome{}, err
	}
	if last == nil {
		return b.outcome(first)
	}
	if last.Seq < first || last.Seq-first >= MaxChanges {
		return Outcome{}, errors.New("what is kept under an idempotency key contradicts itself")
	}
	var answer Outcome
	for seq := first; seq <= last.Seq; seq++ {
		part, err := b.outcome(seq)
		if err != nil {
			return Outcome{}, err
		}
		answer.Parts = append(answer.Parts, part)
		answer.Entry, answer.Body = part.Entry, part.Body
	}
	return answer, nil
}
