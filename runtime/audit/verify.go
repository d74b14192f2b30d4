package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Finding is one thing that is not as the log says it was.
type Finding struct {
	// Seq is the entry concerned, or -1 where none can be named.
	Seq int64 `json:"seq"`
	// Resource is what the entry or state is about, where known.
	Resource string `json:"resource,omitzero"`
	Problem  string `json:"problem"`
}

// Error implements error.
func (f Finding) Error() string {
	switch {
	case f.Seq >= 0 && f.Resource != "":
		return fmt.Sprintf("entry %d (%s): %s", f.Seq, f.Resource, f.Problem)
	case f.Seq >= 0:
		return fmt.Sprintf("entry %d: %s", f.Seq, f.Problem)
	case f.Resource != "":
		return fmt.Sprintf("%s: %s", f.Resource, f.Problem)
	}
	return f.Problem
}

// Report is the result of a verification.
type Report struct {
	Origin string `json:"origin"`
	// Size is the number of entries that the checked checkpoint covers.
	Size int64 `json:"size"`
	// Root is the checkpoint's root hash, base64.
	Root string `json:"root"`
	// Findings are what is wrong, lowest seq first; at most MaxFindings.
	Findings []Finding `json:"findings"`
}

// OK reports that nothing is wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// MaxFindings bounds how many findings a verification collects.
const MaxFindings = 100

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
	if !ok || cp.Size < from.Size {
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

// CheckState checks one current state against the entry that is said to have
// made it: the header's hash in the tree, the body's digest, the state itself.
// It returns what is wrong, or "".
func CheckState(ctx context.Context, src Source, row *Row, current Current) (string, error) {
	w := &walk{src: src, fold: map[string]foldState{}}
	index := tlog.StoredHashIndex(0, row.Seq)
	stored, err := src.Hashes(ctx, index, index+1)
	if err != nil {
		return "", fmt.Errorf("read tree at entry %d: %w", row.Seq, err)
	}
	if len(stored) != 1 || stored[0].Hash != tlog.RecordHash(row.Leaf) {
		return "the header does not have the hash that the tree holds for it: header or hash was altered", nil
	}
	w.broken = true // one leaf says nothing of the tree
	w.entry(row.Seq, row, nil)
	w.compareCurrent(current.Resource, &current)
	if len(w.findings) > 0 {
		return w.findings[0].Problem, nil
	}
	return "", nil
}
