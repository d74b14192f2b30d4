package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Retention says which bodies may leave the log. Entries never do.
//
// A body goes once it has been of no use for the period: that of an entry that made
// a state once the entry that replaced the state is older than the period, any other
// once its own entry is. So the state that is, and every state that was within the
// period, keep the body that they were made of, and one walk over the log, in order,
// meets each body that has become due: nothing has to be remembered of those that
// were not due the first time.
type Retention struct {
	// Period is how long a body is kept: at least MinRetention.
	Period time.Duration
	// Setting is the setting that asks for it, for the entries that say so.
	Setting string
	// Archive keeps bodies elsewhere before they go; nil erases them for good.
	Archive Archive
}

// Archive is where bodies go to.
type Archive interface {
	// Keep writes the rows' bodies to a segment and reads them back. It returns the
	// segment's name and the hex SHA-256 of its bytes once they are there to stay.
	// Keeping the same rows again is the same segment.
	Keep(ctx context.Context, rows []audit.Row) (segment, sha256 string, err error)
}

const (
	// MinRetention is a day more than a call can be retried under its idempotency key,
	// which is answered from the body.
	MinRetention = 8 * 24 * time.Hour
	// maxErased and maxErasedBytes bound what goes with one entry, erasedAtOnce the
	// rows in memory beside it.
	maxErased      = 500
	maxErasedBytes = 8 << 20
	erasedAtOnce   = 20
	// keptRetention is what the next entry to look at is kept under, beside the log.
	keptRetention = "retention"
)

// Erased is what one step of a retention did.
type Erased struct {
	// Entry says so; its Seq is 0 when there was nothing to erase.
	Entry  audit.Entry
	Bodies int
	// Next is the entry that the next step begins with; More is set when there may be
	// more to erase already.
	Next int64
	More bool
}

// Erase takes one step: it erases the bodies that are due, a few hundred at most, with
// an entry that names them. It is for one caller at a time.
func (c *Controller) Erase(ctx context.Context, r Retention) (Erased, error) {
	if r.Period < MinRetention {
		return Erased{}, fmt.Errorf("bodies must be kept for at least %s", MinRetention)
	}
	due, err := c.due(ctx, r.Period)
	if err != nil {
		return Erased{}, fmt.Errorf("find the bodies that are due: %w", err)
	}
	if len(due.rows) == 0 {
		if due.next > due.from {
			err = c.opts.Store.Keep(ctx, keptRetention, strconv.AppendInt(nil, due.next, 10))
		}
		return Erased{Next: due.next, More: due.more}, err
	}
	x := audit.Erasure{
		Setting: r.Setting, Before: due.before, From: due.from, To: due.next - 1, Bodies: len(due.rows), Kept: due.kept,
	}
	op, seqs := audit.OpErase, make([]int64, len(due.rows))
	for i := range due.rows {
		seqs[i] = due.rows[i].Seq
	}
	x.Erased = audit.Spans(seqs)
	if r.Archive != nil {
		op = audit.OpArchive
		if x.Segment, x.SHA256, err = r.Archive.Keep(ctx, due.rows); err != nil {
			return Erased{}, fmt.Errorf("archive bodies: %w", err)
		}
	}
	after, err := lb.Canonical(x)
	if err != nil {
		return Erased{}, err
	}
	call := Call{Actor: System("retention")}
	o, err := c.submit(ctx, call, Subject{audit.ResourceBodies, op}, len(after), func(b *batch) (draft, error) {
		if err := b.erase(due.rows); err != nil {
			return draft{}, err
		}
		if err := b.tx.Keep(b.ctx, keptRetention, strconv.AppendInt(nil, due.next, 10)); err != nil {
			return draft{}, err
		}
		b.add.Erase = append(b.add.Erase, seqs...)
		return draft{kind: audit.TypeSystem, body: audit.Body{After: after}}, nil
	})
	if err != nil {
		return Erased{}, err
	}
	return Erased{Entry: o.Entry, Bodies: len(due.rows), Next: due.next, More: due.more}, nil
}

// erase checks that no current state is made of a body. States only move on, so this
// can't find anything that was not so before, unless somebody edited the database.
func (b *batch) erase(rows []audit.Row) error {
	for i := range rows {
		current, ok := b.states[rows[i].Columns.Resource]
		if !ok {
			var err error
			if current, err = b.tx.State(b.ctx, rows[i].Columns.Resource); err != nil {
				return err
			}
		}
		if current != nil && current.Seq == rows[i].Seq {
			return fmt.Errorf("the current state of %s is made of the body of entry %d", current.Resource, current.Seq)
		}
	}
	return nil
}

// dueBodies are bodies to be erased, found by looking at the entries [from, next).
type dueBodies struct {
	from, next int64
	before     time.Time
	// rows are in order. kept counts the entries looked at whose bodies stay.
	rows []audit.Row
	kept int
	more bool
}

// due finds bodies that are due, beginning where the last step ended.
func (c *Controller) due(ctx context.Context, period time.Duration) (dueBodies, error) {
	d := dueBodies{before: c.opts.Now().UTC().Add(-period).Truncate(time.Microsecond)}
	var err error
	if d.from, err = erasedUpTo(ctx, c.opts.Store); err != nil {
		return d, err
	}
	d.next = d.from
	head, err := c.Head(ctx)
	if err != nil {
		return d, err
	}
	for size := 0; ; {
		rows, err := c.opts.Store.Rows(ctx, d.next, erasedAtOnce)
		if err != nil {
			return d, err
		}
		for i := range rows {
			// The column with the time is not under the log's hashes.
			e, err := audit.ParseLeaf(rows[i].Leaf)
			if err != nil {
				return d, fmt.Errorf("entry %d: %w", rows[i].Seq, err)
			}
			if rows[i].Seq >= head.Size || !e.Time.Before(d.before) {
				return d.sorted(), nil
			}
			if len(d.rows) >= maxErased || size >= maxErasedBytes || d.next-d.from >= 4*maxErased {
				d.more = true
				return d.sorted(), nil
			}
			row, err := c.outlived(ctx, &rows[i], &e)
			if err != nil {
				return d, err
			}
			if row != nil && !row.BodyErased() {
				if err := errors.Join(c.intact(ctx, head, &rows[i]), c.intact(ctx, head, row)); err != nil {
					return d, err
				}
			}
			if d.next = rows[i].Seq + 1; !rows[i].BodyErased() {
				d.kept++
			}
			if row != nil && !row.BodyErased() {
				if d.rows = append(d.rows, *row); row.Seq >= d.from {
					d.kept--
				}
				size += len(row.Body)
			}
		}
		if len(rows) < erasedAtOnce {
			return d.sorted(), nil
		}
	}
}

func (d dueBodies) sorted() dueBodies {
	slices.SortFunc(d.rows, func(a, b audit.Row) int { return int(a.Seq - b.Seq) })
	return d
}

// intact checks that an entry is what the head signs, body and columns included: an
// edit of the database must not bring an erasure about, nor be covered up by one.
func (c *Controller) intact(ctx context.Context, head audit.Checkpoint, row *audit.Row) error {
	p, err := c.proof(ctx, row, head)
	if err != nil {
		return err
	}
	if tlog.CheckRecord(p.Hashes, head.Size, head.Root, row.Seq, tlog.RecordHash(row.Leaf)) != nil {
		return fmt.Errorf("entry %d is not the one that the log signed: see auditlb verify", row.Seq)
	}
	problem, err := audit.CheckEntry(ctx, c.opts.Store, row)
	if err == nil && problem != "" {
		err = fmt.Errorf("entry %d: %s: see auditlb verify", row.Seq, problem)
	}
	return err
}

// erasedUpTo is the entry that the next step begins with.
func erasedUpTo(ctx context.Context, log Reader) (int64, error) {
	kept, err := log.Kept(ctx, keptRetention)
	if err != nil || kept == nil {
		return 0, err
	}
	next, err := strconv.ParseInt(string(kept), 10, 64)
	if err != nil || next < 0 {
		return 0, errors.New("what is kept of the last step is not the number of an entry")
	}
	return next, nil
}

// outlived returns the entry whose body is of no use since this one: itself or, if it
// made a state, the one that made the state before. Nil is none.
func (c *Controller) outlived(ctx context.Context, row *audit.Row, e *audit.Entry) (*audit.Row, error) {
	if !e.Erasable() {
		return nil, nil
	}
	if !e.ChangesState() {
		return row, nil
	}
	before, err := c.opts.Store.Entries(ctx, Query{Resource: e.Resource, Types: []audit.Type{e.Type}, Before: e.Seq, Limit: 1})
	if err != nil || len(before) == 0 {
		return nil, err
	}
	return &before[0], nil
}

// RetentionStatus is how far the erasing of bodies has come.
type RetentionStatus struct {
	// Next is the first entry that was not looked at yet; Due counts the entries from
	// there on that are older than the period, whose bodies may be due.
	Next int64 `json:"next"`
	Due  int64 `json:"due"`
}

// ReadRetention tells how far the erasing of bodies has come, by a period.
func ReadRetention(ctx context.Context, log Reader, now time.Time, period time.Duration) (RetentionStatus, error) {
	next, err := erasedUpTo(ctx, log)
	if err != nil {
		return RetentionStatus{}, err
	}
	status := RetentionStatus{Next: next}
	newest, err := log.Entries(ctx, Query{Until: now.Add(-period), Limit: 1})
	if err == nil && len(newest) == 1 {
		status.Due = max(0, newest[0].Seq+1-next)
	}
	return status, err
}
