package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	f.found.finish()
	return f.found, nil
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
		if err := takenBack(&newest[0]); err != nil {
			return err
		}
		r.To = newest[0].Seq - 1
	}
	now, err := history.ObjectAt(ctx, f, r.Address, f.found.At)
	if err != nil {
		return err
	}
	return f.undo(ctx, r.Address, now, r.To)
}

// takenBack refuses to take the newest change back if that is a rollback: of two who see
// to the same failure the second would bring it back.
func takenBack(newest *audit.Row) error {
	e, err := audit.ParseLeaf(newest.Leaf)
	if err != nil {
		return fmt.Errorf("entry %d: %w", newest.Seq, err)
	}
	if e.Rollback == nil {
		return nil
	}
	last := e.LastChange()
	refused := refuse(CodePreconditionFailed, "the newest change of %s took something back already: revision %d by %s at %s; to take that back, name the point to go back to, such as %d",
		e.Resource, e.Seq, last.Actor, last.At.Format(time.RFC3339), e.Seq-1)
	refused.Current = &last
	return refused
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
			return refuse(CodeTooLarge, "more than %d objects are not as in revision %d: more can't be taken back at once; go back to a later revision first", MaxChanges, f.found.To)
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// finish tells conflicts from what is meant, puts what was found in order and digests it.
func (u *Undoing) finish() {
	meant := u.meant()
	u.Conflicts = slices.DeleteFunc(u.Conflicts, func(c Conflict) bool { return !c.More && c.change == meant })
	slices.SortFunc(u.Effects, func(a, b Undo) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	slices.SortFunc(u.Impossible, func(a, b Impossible) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	slices.SortStableFunc(u.Conflicts, func(a, b Conflict) int { return strings.Compare(a.Address.String(), b.Address.String()) })
	set := make([]ticket.Effect, len(u.Effects))
	for i := range u.Effects {
		e := &u.Effects[i]
		set[i] = ticket.Effect{Address: e.Address.String(), Op: e.op(), Digest: e.Effect}
	}
	u.Digest = ticket.SetDigest(set)
}
