package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Bounds of what is read to work a rollback out.
const (
	rollbackAtOnce = 20
	// maxRunChanges bounds the changes of a run that is taken back.
	maxRunChanges = 20_000
	// maxChangesRead bounds the entries that are looked at for conflicts; of an object
	// whose turn comes after that it is only said that there are more.
	maxChangesRead = 50_000
)

// PastBodies brings back a body that is not in the log any more; where it can't, it says
// what became of it.
type PastBodies func(ctx context.Context, row *audit.Row) (whole *audit.Row, gone string)

// finder works a rollback out as of one entry.
type finder struct {
	c      *Controller
	bodies PastBodies
	gone   map[int64]string
	found  *Undoing
	read   int
	weight int
}

// FindRollback works out what a rollback would do now. A [*Refused] says why there is
// no telling.
func (c *Controller) FindRollback(ctx context.Context, r Rollback, bodies PastBodies) (*Undoing, error) {
	extent, err := c.opts.Store.Extent(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log's head: %w", err)
	}
	f := &finder{c: c, bodies: bodies, gone: map[int64]string{}, found: &Undoing{Rollback: r, At: extent.Size - 1}}
	switch {
	case r.Run != "":
		err = f.ofRun(ctx)
	case r.Everything:
		err = f.ofEverything(ctx)
	default:
		err = f.ofObject(ctx)
	}
	if err != nil {
		return nil, err
	}
	return f.found, f.found.finish()
}

// Changes implements [history.Log], with the bodies that are kept elsewhere.
func (f *finder) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := f.c.opts.Store.Changes(ctx, resource, through, limit)
	return f.whole(ctx, rows), err
}

// ChangesAt implements [history.Log].
func (f *finder) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := f.c.opts.Store.ChangesAt(ctx, since, through, after, limit)
	return f.whole(ctx, rows), err
}

func (f *finder) whole(ctx context.Context, rows []audit.Row) []audit.Row {
	for i := range rows {
		if !rows[i].BodyErased() || f.bodies == nil {
			continue
		}
		whole, gone := f.bodies(ctx, &rows[i])
		if rows[i] = *whole; whole.BodyErased() {
			f.gone[whole.Seq] = gone
		}
	}
	return rows
}

func (f *finder) ofObject(ctx context.Context) error {
	r := &f.found.Rollback
	newest, err := f.c.opts.Store.Changes(ctx, r.Address.String(), f.found.At, 1)
	if err != nil {
		return err
	}
	if len(newest) == 0 {
		return refuse(CodeNotFound, "%s does not exist, and never did", r.Address)
	}
	if r.To == BeforeNewest {
		r.To = newest[0].Seq - 1
	}
	now, err := history.ObjectAt(ctx, f, r.Address, f.found.At)
	if err != nil {
		return err
	}
	return f.undo(ctx, r.Address, now, r.To)
}

// ofRun takes each object that a run changed to what it was before.
func (f *finder) ofRun(ctx context.Context) error {
	run := f.found.Run
	first, seen := map[lb.Address]int64{}, 0
	for q := (Query{Run: run, Types: []audit.Type{audit.TypeApply}, Before: f.found.At + 1, Limit: rollbackAtOnce}); ; {
		rows, err := f.c.opts.Store.Entries(ctx, q)
		if err != nil {
			return err
		}
		for i := range rows {
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil {
				return fmt.Errorf("entry %d: %w", rows[i].Seq, err)
			}
			address, err := lb.ParseAddress(e.Resource)
			if err != nil {
				return fmt.Errorf("entry %d: %w", e.Seq, err)
			}
			first[address], q.Before = e.Seq, e.Seq
		}
		if seen += len(rows); seen > maxRunChanges || len(first) > MaxChanges {
			return refuse(CodeTooLarge, "run %s changed more than can be taken back at once: at most %d objects, and %d changes of them", run, MaxChanges, maxRunChanges)
		}
		if len(rows) < rollbackAtOnce {
			break
		}
	}
	if len(first) == 0 {
		held, err := f.c.RunByID(ctx, run)
		if err == nil && held == nil {
			err = refuse(CodeNotFound, "there is no run %.200q", run)
		}
		return err
	}
	f.found.changedByRun = first
	for address, seq := range first {
		now, err := history.ObjectAt(ctx, f, address, f.found.At)
		if err == nil {
			err = f.undo(ctx, address, now, seq-1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) ofEverything(ctx context.Context) error {
	for after := ""; ; {
		differences, next, err := history.Diff(ctx, f, f.found.To, f.found.At, after, rollbackAtOnce)
		if err != nil {
			return err
		}
		for i := range differences {
			d := &differences[i]
			if d.Address.Kind.Governs() && !f.found.Governance {
				f.found.Left = append(f.found.Left, d.Address)
				continue
			}
			if err := f.undo(ctx, d.Address, d.After, f.found.To); err != nil {
				return err
			}
		}
		if len(f.found.Effects)+len(f.found.Impossible) > MaxChanges {
			return refuse(CodeTooLarge, "more than %d objects are not as in revision %d: more can't be taken back at once", MaxChanges, f.found.To)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

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
	if vs := (lb.Violations)(nil); errors.As(err, &vs) {
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

// since finds what is taken back with an object, and what of it is none of the caller's to
// take back without being told so.
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
	f.found.conflict(u.Address, entries, unread)
	return nil
}

// conflict notes the changes of an object that are not part of the one that is to be
// taken back: of a run all that are not the run's, else all but the oldest change. What
// was changed in one run, or without one under one ticket, is one change. Of what was not
// read nobody knows.
func (u *Undoing) conflict(address lb.Address, entries []audit.Entry, unread bool) {
	own := "run " + u.Run
	if u.Run == "" && !unread && len(entries) > 0 {
		own = changeOfEntry(&entries[len(entries)-1])
	}
	for i := range entries {
		if e := &entries[i]; changeOfEntry(e) != own {
			u.Conflicts = append(u.Conflicts, Conflict{Address: address, LastChange: e.LastChange()})
		}
	}
	if unread {
		u.Conflicts = append(u.Conflicts, Conflict{Address: address, More: true})
	}
}

// changeOfEntry tells which change an entry is part of.
func changeOfEntry(e *audit.Entry) string {
	switch {
	case e.RunID() != "":
		return "run " + e.RunID()
	case e.Ticket != "":
		return "ticket " + e.Ticket
	}
	return fmt.Sprint("entry ", e.Seq)
}

// finish puts what was found in order and digests it.
func (u *Undoing) finish() error {
	slices.SortFunc(u.Effects, func(a, b Undo) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	slices.SortFunc(u.Impossible, func(a, b Impossible) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	slices.SortStableFunc(u.Conflicts, func(a, b Conflict) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	set := make([]ticket.Effect, len(u.Effects))
	for i := range u.Effects {
		e := &u.Effects[i]
		set[i] = ticket.Effect{Address: e.Address.String(), Op: e.op(), Digest: e.Effect}
	}
	u.Digest = ticket.SetDigest(set)
	return nil
}

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
