package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// bodies finds bodies that are not in the log any more. It implements [server.Bodies].
type bodies struct {
	store   control.Store
	archive *archive.Archive // nil without one
	logger  *slog.Logger

	mu sync.Mutex // guards what follows
	// looked are the entries that each erasure looked at, in the order of erasures: a body
	// went when its own entry, or the one that replaced its state, was looked at. next is
	// where the erasures begin that are not among them yet.
	looked []window
	next   int64
}

// window is the entries from and to that the erasure of entry by looked at.
type window struct{ by, from, to int64 }

// nearby is how many entries of a resource are looked through for the one that replaced a
// state, before it is searched for.
const nearby = 20

// Erased implements [server.Bodies].
func (b *bodies) Erased(ctx context.Context, row *audit.Row) server.ErasedBody {
	found := server.ErasedBody{State: api.BodyUnavailable}
	x, e, err := b.erasure(ctx, row)
	if err != nil || x == nil {
		if err != nil && ctx.Err() == nil {
			b.logger.Warn("what became of a body was not found", "seq", row.Seq, "error", err)
		}
		return found
	}
	found.By = e.Seq
	if e.Op == audit.OpErase {
		found.State = api.BodyErased
		return found
	}
	if b.archive == nil {
		return found
	}
	body, err := b.archive.Body(ctx, row, x)
	if err != nil {
		level := slog.LevelWarn
		if errors.Is(err, archive.ErrSegment) {
			level = slog.LevelError
		}
		b.logger.Log(ctx, level, "archived body can't be shown", "seq", row.Seq, "segment", x.Segment, "error", err)
		return found
	}
	found.State, found.Salt, found.Body = api.BodyArchived, body.Salt, body.Body
	return found
}

// erasure finds what erased the body of an entry; nil when nothing says so.
func (b *bodies) erasure(ctx context.Context, row *audit.Row) (*audit.Erasure, audit.Entry, error) {
	looked, err := b.lookedAt(ctx, row)
	if err != nil || looked < 0 {
		return nil, audit.Entry{}, err
	}
	by, err := b.by(ctx, looked)
	if err != nil {
		return nil, audit.Entry{}, err
	}
	for _, seq := range by {
		entry, err := b.store.Entry(ctx, seq)
		if err != nil || entry == nil {
			return nil, audit.Entry{}, err
		}
		x, e, err := audit.ParseErasure(entry)
		if err != nil {
			return nil, e, fmt.Errorf("erasure %d: %w", seq, err)
		}
		if x.Covers(row.Seq) {
			return &x, e, nil
		}
	}
	return nil, audit.Entry{}, nil
}

// lookedAt is the entry that was looked at when a body went: its own or, if it made a
// state, the one that replaced it; -1 when there is none.
func (b *bodies) lookedAt(ctx context.Context, row *audit.Row) (int64, error) {
	e, err := audit.ParseLeaf(row.Leaf)
	if err != nil || !e.ChangesState() {
		return row.Seq, err
	}
	rows, err := b.store.RowsOf(ctx, e.Resource, row.Seq+1, nearby)
	if err != nil {
		return -1, err
	}
	for i := range rows {
		if rows[i].Columns.Type == e.Type && !rows[i].Columns.Refused {
			return rows[i].Seq, nil
		}
	}
	if len(rows) < nearby {
		return -1, nil
	}
	// There may be any number of plans and refusals between: bisect for the first that
	// is of the type, by the last that is before a point.
	extent, err := b.store.Extent(ctx)
	if err != nil {
		return -1, err
	}
	found := int64(-1)
	for low, high := rows[nearby-1].Seq+1, extent.Size; low < high; {
		middle := (low + high) / 2
		last, err := b.store.Entries(ctx, control.Query{Resource: e.Resource, Types: []audit.Type{e.Type}, Before: middle + 1, Limit: 1})
		if err != nil {
			return -1, err
		}
		if len(last) == 0 || last[0].Seq < low {
			low = middle + 1
		} else {
			found, high = last[0].Seq, last[0].Seq
		}
	}
	return found, nil
}

// by returns the erasures that looked at an entry, newest first: one, unless the log's
// note of how far they had come was lost.
func (b *bodies) by(ctx context.Context, looked int64) (seqs []int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	find := func() {
		for _, w := range slices.Backward(b.looked) {
			if w.from <= looked && looked <= w.to {
				seqs = append(seqs, w.by)
			}
		}
	}
	if find(); len(seqs) > 0 {
		return seqs, nil
	}
	extent, err := b.store.Extent(ctx)
	if err != nil {
		return nil, err
	}
	err = audit.EachErasure(ctx, b.store, b.next, extent.Size, func(x audit.Erasure, e audit.Entry) error {
		b.looked = append(b.looked, window{e.Seq, x.From, x.To})
		b.next = e.Seq + 1
		return nil
	})
	find()
	return seqs, err
}
