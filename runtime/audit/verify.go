package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const chunk = 1000

// Verify reads a whole log and checks it against its own signed checkpoint:
// every header's form, hash, order and index columns, every body's digest,
// every stored hash of the tree, and that the current state is the fold of the
// entries. It works on a log that is being written to: it checks the entries of
// the checkpoint it started from.
//
// An error means the log could not be read; what is wrong with one that could
// be is in the report. Progress, if not nil, is told entries done and in all.
func Verify(ctx context.Context, src Source, v note.Verifier, progress func(done, total int64)) (Report, error) {
	w := &walk{src: src, fold: map[string]foldState{}}
	extent, err := src.Extent(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read head: %w", err)
	}
	cp, ok := w.openHead(extent, v)
	if !ok {
		return w.report(Checkpoint{Origin: v.Name(), Size: extent.Size}), nil
	}
	if err := w.log(ctx, 0, cp, progress); err != nil {
		return Report{}, err
	}
	later, err := w.currents(ctx, cp.Size)
	if err != nil {
		return Report{}, err
	}
	if len(later) > 0 {
		if cp, err = w.catchUp(ctx, cp, v, later); err != nil {
			return Report{}, err
		}
	}
	return w.report(cp), nil
}

// catchUp follows a log that grew while it was verified: it walks the entries
// written since, and then compares the rows of current state that came from them.
func (w *walk) catchUp(ctx context.Context, from Checkpoint, v note.Verifier, later []Current) (Checkpoint, error) {
	extent, err := w.src.Extent(ctx)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read head: %w", err)
	}
	cp, ok := w.openHead(extent, v)
	if !ok {
		return from, nil
	}
	if cp.Size < from.Size {
		w.find(-1, "", fmt.Sprintf("the head went back from %d to %d entries while it was read: the log was rolled back", from.Size, cp.Size))
		return from, nil
	}
	if err := w.log(ctx, from.Size, cp, nil); err != nil {
		return Checkpoint{}, err
	}
	for _, row := range later {
		if state, ok := w.fold[row.Resource]; !ok || state.seq <= row.Seq {
			w.compareCurrent(row.Resource, &row)
		}
	}
	return cp, nil
}

// log walks the entries from a size to a checkpoint and compares the root.
func (w *walk) log(ctx context.Context, from int64, to Checkpoint, progress func(done, total int64)) error {
	for seq := from; seq < to.Size; seq += chunk {
		end := min(seq+chunk, to.Size)
		if err := w.entries(ctx, seq, end); err != nil {
			return err
		}
		if progress != nil {
			progress(end, to.Size)
		}
	}
	if !w.broken && w.tree.Root() != to.Root {
		w.find(-1, "", "the tree's root is not the one that the checkpoint signs: the log was rewritten")
	}
	return nil
}

// VerifyTail checks what a start needs to know, however long the log is: that
// the head is signed and the stored tree leads to it, that the entries since
// the last verified checkpoint are right, and that the current state of each
// resource they touched is theirs.
func VerifyTail(ctx context.Context, src Source, v note.Verifier) (Report, error) {
	w := &walk{src: src, fold: map[string]foldState{}}
	extent, err := src.Extent(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read head: %w", err)
	}
	cp, ok := w.openHead(extent, v)
	if !ok {
		return w.report(Checkpoint{Origin: v.Name(), Size: extent.Size}), nil
	}
	from := Checkpoint{Root: (&Tree{}).Root()}
	if len(extent.Verified) > 0 {
		if from, err = OpenCheckpoint(extent.Verified, v); err != nil || from.Size > cp.Size {
			w.find(-1, "", "the last verified checkpoint is not signed by this log's key or is ahead of the head: the log was rolled back")
			return w.report(cp), nil
		}
	}
	if w.tree, err = LoadTree(from.Size, HashReader(ctx, src)); err != nil {
		return Report{}, err
	}
	if w.tree.Root() != from.Root {
		w.find(-1, "", fmt.Sprintf("the stored tree at size %d is not the one verified before", from.Size))
		return w.report(cp), nil
	}
	if err := w.log(ctx, from.Size, cp, nil); err != nil {
		return Report{}, err
	}
	for resource := range w.fold {
		current, err := src.Current(ctx, resource)
		if err != nil {
			return Report{}, fmt.Errorf("read state of %s: %w", resource, err)
		}
		w.compareCurrent(resource, current)
	}
	return w.report(cp), nil
}

// CheckEntry checks one entry by itself: its header's hash in the tree, its
// columns, its body's digest. It returns what is wrong, or "".
func CheckEntry(ctx context.Context, src Source, row *Row) (string, error) {
	w, err := checkEntry(ctx, src, row)
	return w.first(), err
}

// CheckState checks one current state against the entry that is said to have
// made it, and that entry as CheckEntry does. It returns what is wrong, or "".
func CheckState(ctx context.Context, src Source, row *Row, current Current) (string, error) {
	w, err := checkEntry(ctx, src, row)
	if err == nil {
		w.compareCurrent(current.Resource, &current)
	}
	return w.first(), err
}

func checkEntry(ctx context.Context, src Source, row *Row) (*walk, error) {
	w := &walk{src: src, fold: map[string]foldState{}}
	index := tlog.StoredHashIndex(0, row.Seq)
	stored, err := src.Hashes(ctx, index, index+1)
	if err != nil {
		return w, fmt.Errorf("read tree at entry %d: %w", row.Seq, err)
	}
	if len(stored) != 1 || stored[0].Hash != tlog.RecordHash(row.Leaf) {
		w.find(row.Seq, row.Columns.Resource, headerAltered)
	}
	w.broken = true // one leaf says nothing of the tree
	w.entry(row.Seq, row, nil)
	return w, nil
}

func (w *walk) first() string {
	if len(w.findings) == 0 {
		return ""
	}
	return w.findings[0].Problem
}
