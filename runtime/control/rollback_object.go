package control

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Undo is what a rollback does to one object.
type Undo struct {
	Change
	// Before and After are the object's canonical JSON; nil where there is none.
	Before, After jsontext.Value
	// Effect is the effect digest.
	Effect string
	// From is the entry that made the object what it is.
	From int64
	// More is set when there are more changes since than Undone has.
	More bool
}

// Op is what is done to the object.
func (u *Undo) Op() lb.Op { return u.op() }

// undo works out how an object goes back to what it was at a revision. Now is what it is.
func (f *finder) undo(ctx context.Context, address lb.Address, now *history.Object, to int64) error {
	then, err := history.ObjectAt(ctx, f, address, to)
	if err != nil {
		return err
	}
	u := Undo{Change: Change{Address: address, Rollback: &audit.Rollback{Run: f.found.Run}}}
	if now != nil && now.Exists() {
		u.Before, u.Base = now.Encoded, now.Entry.Seq
		u.From = u.Base
	} else if now != nil {
		u.From = now.Entry.Seq
	}
	impossible, err := f.restore(ctx, &u, then)
	if err != nil || string(u.Before) == string(u.After) && impossible == nil {
		return err
	}
	if err := f.since(ctx, &u, to); err != nil {
		return err
	}
	if impossible != nil {
		f.found.Impossible = append(f.found.Impossible, *impossible)
		return nil
	}
	effect := audit.Effect{Kind: address.Kind, Name: address.Name, Op: u.op(), Before: u.Before, After: u.After}
	if u.Effect, err = effect.Digest(); err != nil {
		return err
	}
	if f.weight += len(u.Before) + len(u.After); f.weight > maxBatchBytes {
		return refuse(CodeTooLarge, "what would be taken back has more than %d bytes: more can't be at once", maxBatchBytes)
	}
	f.found.Effects = append(f.found.Effects, u)
	return nil
}

// restore fills in the object as it was, held to the rules of today. What keeps it from
// being restored is returned.
func (f *finder) restore(ctx context.Context, u *Undo, then *history.Object) (*Impossible, error) {
	if then == nil || !then.Exists() {
		return nil, nil
	}
	u.Rollback.To = then.Entry.Seq
	no := func(code, why string, vs lb.Violations) (*Impossible, error) {
		return &Impossible{u.Address, code, why, vs}, nil
	}
	if then.Gone {
		why := f.gone[then.Entry.Seq]
		if why == "" {
			why = "is gone"
		}
		return no(CodeRollbackImpossible, fmt.Sprintf("%s can't be restored: what it was stands in entry %d, whose body %s", u.Address, then.Entry.Seq, why), nil)
	}
	if string(then.Encoded) == string(u.Before) {
		u.After = then.Encoded
		return nil, nil
	}
	obj, err := lb.Decode(u.Address.Kind, then.Encoded)
	if err == nil {
		err = obj.Validate().Err()
	}
	if vs := lb.Violations(nil); errors.As(err, &vs) {
		return no(CodeInvalid, fmt.Sprintf("%s can't be restored: as it was in revision %d it is not valid today: %s", u.Address, then.Entry.Seq, vs.Error()), vs)
	}
	if err != nil {
		return nil, err
	}
	if vs := f.c.checkPrivateKey(ctx, obj); len(vs) > 0 {
		return no(CodeRollbackImpossible, fmt.Sprintf("%s can't be restored: %s", u.Address, vs[0].Detail), nil)
	}
	u.Object = obj
	u.After, err = lb.Encode(obj)
	return nil, err
}

// since finds what is taken back with an object. [Undoing.finish] leaves of it the conflicts.
func (f *finder) since(ctx context.Context, u *Undo, to int64) error {
	var entries []audit.Entry
	unread := false
	for through := f.found.At; ; {
		if unread = len(entries) > audit.MaxUndone || f.read >= maxChangesRead; unread {
			break
		}
		rows, err := f.c.opts.Store.Changes(ctx, u.Address.String(), through, rollbackAtOnce)
		if err != nil {
			return err
		}
		f.read += len(rows)
		for i := range rows {
			if rows[i].Seq <= to {
				rows = rows[:i]
				break
			}
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil {
				return fmt.Errorf("entry %d: %w", rows[i].Seq, err)
			}
			entries, through = append(entries, e), e.Seq-1
		}
		if len(rows) < rollbackAtOnce {
			break
		}
	}
	for _, e := range entries[:min(len(entries), audit.MaxUndone)] {
		u.Undone = append(u.Undone, e.Seq)
	}
	u.More = unread || len(entries) > len(u.Undone)
	for i := range entries {
		e := &entries[i]
		f.found.Conflicts = append(f.found.Conflicts, Conflict{Address: u.Address, LastChange: e.LastChange(), change: changeOfEntry(e)})
	}
	if unread {
		f.found.Conflicts = append(f.found.Conflicts, Conflict{Address: u.Address, More: true})
	}
	return nil
}

// meant is the change that is to be taken back; all others are conflicts. It is that of the
// run, else the oldest of those that are undone. Where not all were read nobody knows.
func (u *Undoing) meant() string {
	if u.Run != "" {
		return "run " + u.Run
	}
	meant, oldest := "", int64(math.MaxInt64)
	for i := range u.Conflicts {
		switch c := &u.Conflicts[i]; {
		case c.More:
			return ""
		case c.Revision < oldest:
			meant, oldest = c.change, c.Revision
		}
	}
	return meant
}

// changeOfEntry tells which change an entry is part of: what was changed in one run, or
// without one under one ticket, is one change.
func changeOfEntry(e *audit.Entry) string {
	switch {
	case e.RunID() != "":
		return "run " + e.RunID()
	case e.Ticket != "":
		return "ticket " + e.Ticket
	}
	return fmt.Sprint("entry ", e.Seq)
}
