package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Verification says how a whole log is verified. The zero value is a deep one
// that uses every processor Go may use.
type Verification struct {
	// Depth is DepthDeep by default.
	Depth Depth
	// Jobs is how many chunks of entries are checked at once; by default as many
	// as there are processors.
	Jobs int
	// Progress, if not nil, is told entries done and in all.
	Progress func(done, total int64)

	// Keep, if not nil, is given from time to time what a later verification needs
	// to go on from where this one is, for as long as nothing wrong was found.
	Keep func(state []byte) error
	// KeepEvery is DefaultKeepEvery by default. Keeping never takes more than a
	// twentieth of the time.
	KeepEvery time.Duration
	// Resume is what Keep was given last; nil to begin with the first entry.
	Resume []byte
	// Version is the program's: one does not go on with what another began.
	Version string
}

// DefaultKeepEvery is how much time a verification that is broken off loses.
const DefaultKeepEvery = 5 * time.Second

// Verify is a deep verification.
func Verify(ctx context.Context, src Source, v note.Verifier, progress func(done, total int64)) (Report, error) {
	return Verification{Progress: progress}.Run(ctx, src, v)
}

// Run reads a whole log and checks it against its own signed checkpoint:
// every header's form, hash, order and index columns, every body's digest,
// every stored hash of the tree, and that the current state is the fold of the
// entries; or, of all this, what its depth says ([Depth.Checks]). It works on a
// log that is being written to: it checks the entries of the checkpoint it
// started from.
//
// An error means that the log could not be read, that ctx was done, or
// ErrNotResumable; what is wrong with a log that could be read is in the report.
func (o Verification) Run(ctx context.Context, src Source, v note.Verifier) (Report, error) {
	w := newWalk(src)
	w.depth = cmp.Or(o.Depth, DepthDeep)
	if o.Jobs > 0 {
		w.jobs = o.Jobs
	}
	began := time.Now()
	var before *kept
	if o.Resume != nil {
		var err error
		if before, err = parseKept(o.Resume, v, w.depth, o.Version); err != nil {
			return Report{}, err
		}
	}
	extent, err := src.Extent(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("read head: %w", err)
	}
	cp, ok := w.openHead(extent, v)
	if !ok {
		return w.report(Checkpoint{Origin: v.Name(), Size: extent.Size}), nil
	}
	if before != nil {
		if err := w.resume(ctx, cp, before); err != nil {
			return Report{}, err
		}
		if w.resumed != nil {
			began = w.resumed.Began
		}
	}
	save := func() error {
		if o.Keep == nil || len(w.findings) > 0 || w.tree.size == w.readFrom() {
			return nil
		}
		b, err := w.keep(began, cp, v, o.Version)
		if err == nil {
			err = o.Keep(b)
		}
		return err
	}
	pace := pacer{every: cmp.Or(o.KeepEvery, DefaultKeepEvery), next: began}
	pace.rest(0)
	err = w.log(ctx, w.readFrom(), cp, func(done int64) error {
		if o.Progress != nil {
			o.Progress(done, cp.Size)
		}
		return pace.turn(save)
	})
	if err != nil {
		return Report{}, errors.Join(err, save())
	}
	if w.depth == DepthShape {
		return w.report(cp), nil
	}
	later, err := w.currents(ctx, cp.Size)
	if err != nil {
		return Report{}, errors.Join(err, save())
	}
	// Bodies that are erased while the log is read are covered by what was written since.
	covered, err := w.allCovered(ctx, cp.Size)
	if err != nil {
		return Report{}, errors.Join(err, save())
	}
	if len(later) > 0 || !covered {
		if cp, err = w.catchUp(ctx, cp, v, later); err != nil {
			return Report{}, err
		}
	}
	if err := w.judgeAbsent(ctx, cp.Size); err != nil {
		return Report{}, err
	}
	return w.report(cp), nil
}

// pacer lets something be done every so often, and seldom if it takes long.
type pacer struct {
	every time.Duration
	next  time.Time
}

func (p *pacer) rest(took time.Duration) { p.next = time.Now().Add(max(p.every, 20*took)) }

func (p *pacer) turn(do func() error) error {
	now := time.Now()
	if now.Before(p.next) {
		return nil
	}
	err := do()
	p.rest(time.Since(now))
	return err
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

// log walks the entries from a size to a checkpoint and compares the root. Each
// is told, if not nil, how many entries are done.
func (w *walk) log(ctx context.Context, from int64, to Checkpoint, each func(done int64) error) error {
	err := w.parallel(ctx, from, to.Size, func(ctx context.Context, p *part) error {
		if err := w.merge(ctx, p); err != nil {
			return err
		}
		if p.to == w.seen.Size && !w.broken && w.tree.Root() != w.seen.Root {
			w.find(-1, "", fmt.Sprintf("the tree at size %d is not the one that was signed when the log was verified before: the log was rewritten", p.to))
		}
		if each == nil {
			return nil
		}
		return each(p.to)
	})
	if err == nil && !w.broken && w.tree.Root() != to.Root {
		w.find(-1, "", "the tree's root is not the one that the checkpoint signs: the log was rewritten")
	}
	return err
}

// VerifyTail checks what a start needs to know, however long the log is: that
// the head is signed and the stored tree leads to it, that the entries since
// the last verified checkpoint are right, and that the current state of each
// resource they touched is theirs.
func VerifyTail(ctx context.Context, src Source, v note.Verifier) (Report, error) {
	w := newWalk(src)
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
	if err := w.judgeAbsent(ctx, cp.Size); err != nil {
		return Report{}, err
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
	w := newWalk(src)
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
	err = w.judgeAbsent(ctx, math.MaxInt64)
	return w, err
}

func (w *walk) first() string {
	if len(w.findings) == 0 {
		return ""
	}
	return w.findings[0].Problem
}
