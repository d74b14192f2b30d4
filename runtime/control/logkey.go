package control

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// RotateKey changes the key that signs the log's checkpoints: an entry names the
// new one, and both keys sign the checkpoint that has it, so that who trusts the
// old key can follow. The new key must be of the same origin and already be
// kept where the next start finds it. Why says why it is changed.
func (c *Controller) RotateKey(ctx context.Context, call Call, next *audit.Signer, why string) (Outcome, error) {
	return c.submit(ctx, call, Subject{audit.ResourceLog, audit.OpRotate}, 0, func(b *batch) (draft, error) {
		current := c.signer.Load() // which no other batch changes meanwhile
		switch {
		case next.Origin() != current.Origin():
			return draft{}, fmt.Errorf("the new key is for %q, and the log is %q: an origin is for good", next.Origin(), current.Origin())
		case next.PublicKey() == current.PublicKey():
			return draft{}, errors.New("the new key is the one in use")
		case b.next != nil:
			return draft{}, errors.New("the key is being changed already")
		}
		after, err := lb.Canonical(audit.LogKey{Origin: next.Origin(), PublicKey: next.PublicKey(), PreviousKey: current.PublicKey(), Reason: Recordable(why, maxReason)})
		if err != nil {
			return draft{}, err
		}
		return draft{kind: audit.TypeSystem, body: audit.Body{After: after}, next: next}, nil
	})
}

// settleKey finds out whether a change of key took effect whose commit said that it
// failed: then both keys signed the head, and the new one is the key.
func (c *Controller) settleKey() {
	if next := c.unsettled; next != nil {
		if _, err := audit.OpenCheckpoint(c.Checkpoint(), next.Verifier()); err == nil {
			c.signer.Store(next)
		}
	}
	c.unsettled = nil
}

// maxReason bounds why something was done to the log, in bytes.
const maxReason = 500

// Restart makes a log go on under a new origin and key, those of opts.Signer,
// after it was put back to an earlier state on purpose. Its entries stay what they
// are, and can be proved under the new key; the first entry under the new name cites the
// checkpoint that it goes on from, and the newest that is known of what was lost. The log must be
// as the old key, of which only the public part is needed, signed it.
func Restart(ctx context.Context, opts Options, old note.Verifier, call Call, lost []byte, why string) (audit.Entry, error) {
	if old.Name() == opts.Signer.Origin() {
		return audit.Entry{}, fmt.Errorf("a log that lost entries goes on under another origin than %q: who has seen the lost ones must be able to tell", old.Name())
	}
	c := newController(opts)
	report, err := audit.VerifyTail(ctx, opts.Store, old)
	if err != nil {
		return audit.Entry{}, fmt.Errorf("verify the log: %w", err)
	}
	if !report.OK() {
		return audit.Entry{}, &IntegrityError{report.Findings}
	}
	extent, err := opts.Store.Extent(ctx)
	if err != nil {
		return audit.Entry{}, fmt.Errorf("read the log's head: %w", err)
	}
	if err := c.loadTree(ctx, extent.Note, old); err != nil {
		return audit.Entry{}, err
	}
	body, err := restartBody(opts.Signer, extent.Note, lost, old, why)
	if err != nil {
		return audit.Entry{}, err
	}
	tx, err := opts.Store.Begin(ctx)
	if err != nil {
		return audit.Entry{}, err
	}
	defer tx.Rollback()
	b := c.newBatch(ctx, tx)
	b.marks = true
	outcome, err := b.append(call, Subject{audit.ResourceLog, audit.OpRestart}, draft{kind: audit.TypeSystem, body: body})
	if err != nil {
		return audit.Entry{}, err
	}
	return outcome.Entry, c.write(ctx, b)
}

// restartBody is what the first entry under a new origin says.
func restartBody(signer *audit.Signer, head, lost []byte, old note.Verifier, why string) (audit.Body, error) {
	says := audit.LogKey{
		Origin: signer.Origin(), PublicKey: signer.PublicKey(),
		PreviousOrigin: old.Name(), PreviousCheckpoint: string(head), Reason: Recordable(why, maxReason),
	}
	if lost != nil {
		cp, err := audit.OpenCheckpoint(lost, old)
		if err != nil {
			return audit.Body{}, fmt.Errorf("the last checkpoint that was seen: %w", err)
		}
		says.LostCheckpoint = string(cp.Note)
	}
	after, err := lb.Canonical(says)
	return audit.Body{After: after}, err
}
