package control

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// ErrNoEntry means that the log has no entry of a seq.
var ErrNoEntry = errors.New("there is no such entry")

// KeptCosigned is where the newest checkpoint is kept that witnesses cosigned, and
// keptRotation begins where the checkpoints are that both keys of a rotation signed.
const (
	KeptCosigned = "cosigned"
	keptRotation = "rotation/"
)

// PublicKey is the key that checks the log's checkpoints.
func (c *Controller) PublicKey() string { return c.signer.Load().PublicKey() }

// Cosigned returns the newest checkpoint that witnesses cosigned in the number
// that their policy asks for, or nil.
func (c *Controller) Cosigned(ctx context.Context) (*audit.Checkpoint, error) {
	note, err := c.opts.Store.Kept(ctx, KeptCosigned)
	if err != nil || note == nil {
		return nil, err
	}
	cp, err := audit.OpenCheckpoint(note, c.signer.Load().Verifier())
	if err != nil {
		return nil, nil //nolint:nilerr // cosigned before the log changed its key: the next one is not far
	}
	return &cp, nil
}

// Head returns the log's newest checkpoint.
func (c *Controller) Head(ctx context.Context) (audit.Checkpoint, error) {
	extent, err := c.opts.Store.Extent(ctx)
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("read the log's head: %w", err)
	}
	return audit.OpenCheckpoint(extent.Note, c.signer.Load().Verifier())
}

// Prove returns a proof of an entry: in the tree that witnesses cosigned last if
// that has the entry, and otherwise in the newest. It is [ErrNoEntry] when there
// is none.
func (c *Controller) Prove(ctx context.Context, seq int64) (audit.Proof, error) {
	row, err := c.opts.Store.Entry(ctx, seq)
	if err != nil {
		return audit.Proof{}, err
	}
	if row == nil {
		return audit.Proof{}, ErrNoEntry
	}
	cp, err := c.Head(ctx)
	if err != nil {
		return audit.Proof{}, err
	}
	cosigned, err := c.Cosigned(ctx)
	if err != nil {
		return audit.Proof{}, err
	}
	if cosigned != nil && cosigned.Size > seq {
		cp = *cosigned
	}
	p, err := c.proof(ctx, row, cp)
	if err != nil {
		return audit.Proof{}, err
	}
	p.Rotations, err = c.Rotations(ctx)
	return p, err
}

func (c *Controller) proof(ctx context.Context, row *audit.Row, cp audit.Checkpoint) (audit.Proof, error) {
	path, err := tlog.ProveRecord(cp.Size, row.Seq, audit.HashReader(ctx, c.opts.Store))
	if err != nil {
		return audit.Proof{}, fmt.Errorf("prove entry %d: %w", row.Seq, err)
	}
	return audit.Proof{Seq: row.Seq, Hashes: path, Checkpoint: cp.Note, Leaf: row.Leaf, Salt: row.Salt, Body: row.Body}, nil
}

// Rotations returns the proofs of the log's changes of key, in order: who trusts
// the first key can come to trust the one in use by them.
func (c *Controller) Rotations(ctx context.Context) ([]audit.Proof, error) {
	var out []audit.Proof
	err := c.logEntries(ctx, func(e *audit.Entry, row *audit.Row) error {
		switch e.Op {
		case audit.OpRotate:
		case audit.OpRestart:
			// What was before stands under another name.
			out = nil
			return nil
		default:
			return nil
		}
		note, err := c.opts.Store.Kept(ctx, fmt.Sprint(keptRotation, e.Seq))
		if err != nil {
			return err
		}
		// Its signatures are for who checks the proof. Other entries of the same commit
		// may be in its tree.
		cp, err := audit.ReadCheckpoint(note)
		if err != nil {
			return nil //nolint:nilerr // it was lost beside the log: nobody can follow over it
		}
		p, err := c.proof(ctx, row, cp)
		out = append(out, p)
		return err
	})
	return out[max(0, len(out)-audit.MaxRotations):], err
}

// LogRestart is an entry by which the log went on under another origin.
type LogRestart struct {
	Entry audit.Entry
	Key   audit.LogKey
}

// Restarts returns the log's restarts, in order.
func (c *Controller) Restarts(ctx context.Context) ([]LogRestart, error) {
	var out []LogRestart
	err := c.logEntries(ctx, func(e *audit.Entry, row *audit.Row) error {
		if e.Op != audit.OpRestart {
			return nil
		}
		key, err := audit.ParseLogKey(row.Body)
		out = append(out, LogRestart{*e, key})
		return err
	})
	return out, err
}

// maxLogEntries is how many entries about the log itself are looked through.
const maxLogEntries = 1000

// logEntries calls f with the entries about the log itself, oldest first.
func (c *Controller) logEntries(ctx context.Context, f func(*audit.Entry, *audit.Row) error) error {
	rows, err := c.opts.Store.Entries(ctx, Query{Resource: audit.ResourceLog, Types: []audit.Type{audit.TypeSystem}, Limit: maxLogEntries})
	if err != nil {
		return err
	}
	for i := len(rows) - 1; i >= 0; i-- {
		e, err := audit.ParseLeaf(rows[i].Leaf)
		if err != nil {
			return fmt.Errorf("entry %d: %w", rows[i].Seq, err)
		}
		if err := f(&e, &rows[i]); err != nil {
			return fmt.Errorf("entry %d: %w", rows[i].Seq, err)
		}
	}
	return nil
}
