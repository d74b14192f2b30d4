package witness

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// candidate is a checkpoint with what was signed of it so far.
type candidate struct {
	head
	note  *note.Note // with the log's signatures
	found map[int]note.Signature
	open  int // witnesses that have it in hand
	// changed says that a cosignature came that was not kept yet.
	kept, changed bool
}

// restore takes up what was kept before.
func (c *Collector) restore(ctx context.Context) {
	text, err := c.log.Cosigned(ctx)
	if err == nil && text != nil {
		err = c.restoreNote(text)
	}
	if err != nil {
		c.cfg.OnFailed(fmt.Errorf("read the cosigned checkpoint: %w", err))
	}
}

func (c *Collector) restoreNote(text []byte) error {
	n, found, err := c.cfg.Policy.open(text)
	if err != nil {
		return err
	}
	h, err := parseHead(n.Text)
	if err != nil {
		return err
	}
	for _, p := range c.peers {
		if _, ok := found[p.index]; ok {
			p.known = h.size
		}
	}
	// The policy may be another one than when it was kept.
	if !c.cfg.Policy.met(found) || len(found) == 0 {
		return nil
	}
	n.Sigs = nil
	c.kept = &candidate{head: h, note: n, found: found, kept: true}
	c.candidates = append(c.candidates, c.kept)
	c.report(c.kept, time.Time{})
	return nil
}

// newest reads the log's checkpoint.
func (c *Collector) newest(ctx context.Context) (*candidate, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	text, err := c.log.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	n, err := openUnverified(text)
	if err != nil {
		return nil, err
	}
	for _, known := range c.candidates {
		if known.note.Text == n.Text {
			known.note = n // the log's key may have changed
			return known, nil
		}
	}
	h, err := parseHead(n.Text)
	if err != nil {
		return nil, err
	}
	newest := &candidate{head: h, note: n, found: map[int]note.Signature{}}
	c.candidates = append(c.candidates, newest)
	if len(c.candidates) > maxCandidates {
		c.candidates = c.candidates[1:]
	}
	return newest, nil
}

// settle takes what became of one try.
func (c *Collector) settle(ctx context.Context, a answer) {
	p, now := a.peer, time.Now()
	p.busy = false
	a.candidate.open--
	if a.err == nil {
		p.failures, p.known, p.due = 0, a.candidate.size, now.Add(refreshEvery)
		a.candidate.found[p.index], a.candidate.changed = a.sig, true
	} else {
		p.failures++
		p.due = now.Add(backoff(p.failures, c.cfg.Every))
	}
	if ctx.Err() == nil {
		c.note(p, a, now)
		c.cfg.OnResult(p.Name, a.err)
	}
	c.keep(ctx, a.candidate)
}

// keep keeps a checkpoint when it meets the policy: once when it comes to, and once
// more when all who had it in hand have answered, with what they added. Nothing goes
// back to a smaller one.
func (c *Collector) keep(ctx context.Context, to *candidate) {
	if !to.changed || to.kept && to.open > 0 || c.kept != nil && c.kept.size > to.size || !c.cfg.Policy.met(to.found) {
		return
	}
	if err := c.write(ctx, to); err != nil {
		c.unkept = to
		if ctx.Err() == nil {
			c.cfg.OnFailed(fmt.Errorf("keep the cosigned checkpoint: %w", err))
		}
		return
	}
	to.kept, to.changed = true, false
	c.kept = to
	c.report(to, time.Now())
	c.cfg.OnKept(to.size, len(to.found))
}

func (c *Collector) write(ctx context.Context, to *candidate) error {
	text, err := to.marshal(c.cfg.Policy)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	return c.log.KeepCosigned(ctx, text)
}

// marshal writes the checkpoint with the log's signature first, then the
// cosignatures in the policy's order.
func (to *candidate) marshal(p *Policy) ([]byte, error) {
	full := &note.Note{Text: to.note.Text}
	for _, sig := range to.note.UnverifiedSigs {
		if _, err := p.Verifier(sig.Name, sig.Hash); err != nil {
			full.Sigs = append(full.Sigs, sig)
		}
	}
	for i := range p.Witnesses {
		if sig, ok := to.found[i]; ok {
			full.Sigs = append(full.Sigs, sig)
		}
	}
	return note.Sign(full)
}
