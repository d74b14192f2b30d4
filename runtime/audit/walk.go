package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const headerAltered = "the header does not have the hash that the tree holds for it: header or hash was altered"

// walk goes over entries in order, keeping the tree and the fold.
type walk struct {
	src   Source
	depth Depth
	// jobs is how many chunks are checked at once.
	jobs     int
	tree     Tree
	fold     map[string]foldState
	lastTime int64
	findings []Finding
	// last is the highest seq that is stored; what is missing beyond it is one
	// finding, made when the head was read.
	last int64
	// resumed is what an earlier verification did that this one goes on with, or
	// nil; seen the checkpoint that it was to lead to.
	resumed *Resumed
	seen    Checkpoint
	// absent are the entries without a body; erased what became of those bodies, once
	// they are judged.
	absent seqSet
	erased *ErasedBodies
	// said is what erasures were found to say.
	said *coverage
	// broken is set when a leaf's hash is missing, so that the tree can't be
	// rebuilt and its root says nothing more.
	broken bool
}

func newWalk(src Source) *walk {
	return &walk{src: src, depth: DepthDeep, jobs: runtime.GOMAXPROCS(0), fold: map[string]foldState{}}
}

// readFrom is the first entry that is read.
func (w *walk) readFrom() int64 {
	if w.resumed == nil {
		return 0
	}
	return w.resumed.Size
}

// foldState is the state of a resource after the entries walked so far.
type foldState struct {
	seq     int64
	sum     [sha256.Size]byte
	deleted bool
	// absent is set where the body that the state was made of is not there.
	absent bool
}

// openHead checks the head's signature and that the tables end where it says.
func (w *walk) openHead(x Extent, v note.Verifier) (Checkpoint, bool) {
	cp, err := OpenCheckpoint(x.Note, v)
	if err != nil {
		w.find(-1, "", "the head's checkpoint is not signed by this log's key")
		return Checkpoint{}, false
	}
	if cp.Size != x.Size {
		w.find(-1, "", fmt.Sprintf("the head says %d entries but its checkpoint signs %d", x.Size, cp.Size))
	}
	w.last = x.Last
	switch {
	case x.Entries == 0 && cp.Size > 0:
		w.find(0, "", "the entry is missing, and all after it: the checkpoint signs them")
		w.last = -1
	case x.Last >= cp.Size:
		w.find(cp.Size, "", fmt.Sprintf("the entry is not covered by the checkpoint, which signs %d entries: it was inserted", cp.Size))
	case x.Last < cp.Size-1:
		w.find(x.Last+1, "", fmt.Sprintf("the entry is missing, and all after it: the checkpoint signs %d entries", cp.Size))
	}
	if x.Entries > 0 && x.First < 0 {
		w.find(x.First, "", "the entry has a negative seq: it was inserted")
	}
	if x.Hashes > tlog.StoredHashCount(cp.Size) {
		w.find(-1, "", "the stored tree has hashes beyond the checkpoint: they were inserted")
	}
	return cp, true
}

// entries walks [from, to), a chunk, and names what is wrong with it.
func (w *walk) entries(ctx context.Context, from, to int64) error {
	first, end := tlog.StoredHashIndex(0, from), tlog.StoredHashIndex(0, to)
	hashes, err := w.src.Hashes(ctx, first, end)
	if err != nil {
		return fmt.Errorf("read tree from entry %d: %w", from, err)
	}
	stored := make(map[int64]tlog.Hash, len(hashes))
	for _, h := range hashes {
		stored[h.Index] = h.Hash
	}
	seq := from
	// Whatever the depth, so that findings can name resources.
	err = w.src.Scan(ctx, from, to, func(row *Row) error {
		for ; seq < row.Seq; seq++ {
			w.missing(seq, stored)
		}
		w.entry(seq, row, stored)
		seq++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read entries from %d: %w", from, err)
	}
	for ; seq < to; seq++ {
		w.missing(seq, stored)
	}
	return nil
}

func (w *walk) missing(seq int64, stored map[int64]tlog.Hash) {
	if seq < w.last {
		w.find(seq, "", "the entry is missing: it was deleted")
	}
	w.hashes(seq, "", nil, stored)
}

// entry checks one row: form, order, columns, body, hashes; then folds it.
func (w *walk) entry(seq int64, row *Row, stored map[int64]tlog.Hash) {
	leaf := tlog.RecordHash(row.Leaf)
	w.hashes(seq, row.Columns.Resource, &leaf, stored)
	if w.depth == DepthShape {
		w.order(seq, row)
		return
	}
	e, err := ParseLeaf(row.Leaf)
	if err != nil {
		w.find(seq, row.Columns.Resource, "the "+err.Error())
		return
	}
	if !w.inOrder(seq, e.Resource, e.Seq, e.Time.UnixMicro()) {
		return
	}
	if want := ColumnsOf(&e); row.Columns != want {
		w.find(seq, e.Resource, "an index column is not what the header says: "+columnDifference(row.Columns, want))
	}
	w.body(seq, row, &e)
}

// order checks of a row what there is to check without reading all of it.
func (w *walk) order(seq int64, row *Row) {
	own, micros, ok := orderOf(row.Leaf)
	if !ok {
		w.find(seq, row.Columns.Resource, "the header does not parse")
		return
	}
	w.inOrder(seq, row.Columns.Resource, own, micros)
}

// inOrder checks the seq and the time that a header has. It is false where
// the header is another entry's, and says nothing more of this one.
func (w *walk) inOrder(seq int64, resource string, own, micros int64) bool {
	if own != seq {
		w.find(seq, resource, fmt.Sprintf("the header belongs to entry %d", own))
		return false
	}
	if micros <= w.lastTime {
		w.find(seq, resource, "the time is not after the entry before")
	} else {
		w.lastTime = micros
	}
	return true
}

// body compares a body with what the header commits to, and folds it.
func (w *walk) body(seq int64, row *Row, e *Entry) {
	if row.BodyErased() && e.Erasable() {
		w.absent.add(seq)
		if e.ChangesState() {
			w.fold[e.Resource] = foldState{seq: seq, absent: true}
		}
		return
	}
	record := Record{Entry: *e, Leaf: row.Leaf, Salt: row.Salt, Body: row.Body}
	if !record.BodyMatches() {
		w.find(seq, e.Resource, "the body is not the one that the header commits to")
	}
	if e.ChangesState() {
		body, err := ParseBody(row.Body)
		if err != nil {
			w.find(seq, e.Resource, "the "+err.Error())
			return
		}
		w.fold[e.Resource] = foldOf(seq, body.After)
	}
}

func foldOf(seq int64, state jsontext.Value) foldState {
	if state == nil {
		return foldState{seq: seq, deleted: true}
	}
	return foldState{seq: seq, sum: sha256.Sum256(state)}
}

// hashes compares what a leaf adds to the tree with what is stored. Where the
// leaf is missing or differs it goes on with the stored leaf hash, so that one
// altered entry is one finding and not one for each of its ancestors.
func (w *walk) hashes(seq int64, resource string, leaf *tlog.Hash, stored map[int64]tlog.Hash) {
	if w.broken {
		return
	}
	got, ok := stored[tlog.StoredHashIndex(0, seq)]
	if !ok {
		w.find(seq, resource, "the entry's hash is missing from the stored tree")
		w.broken = true
		return
	}
	if leaf != nil && got != *leaf {
		w.find(seq, resource, headerAltered)
	}
	for _, h := range w.tree.Append(got)[1:] {
		if got, ok := stored[h.Index]; !ok || got != h.Hash {
			level, n := tlog.SplitStoredHashIndex(h.Index)
			w.find(seq, resource, fmt.Sprintf("the stored tree hash over entries %d to %d was altered", n<<level, (n+1)<<level-1))
		}
	}
}

// currents compares the whole current state with the fold. Rows that claim an
// entry at or after size are returned: a log in use may have written them
// meanwhile.
func (w *walk) currents(ctx context.Context, size int64) (later []Current, err error) {
	seen := make(map[string]bool, len(w.fold))
	for after := ""; ; {
		rows, err := w.src.Currents(ctx, after, chunk)
		if err != nil {
			return nil, fmt.Errorf("read current state: %w", err)
		}
		for _, row := range rows {
			after = row.Resource
			seen[row.Resource] = true
			if row.Seq < size {
				w.compareCurrent(row.Resource, &row)
			} else {
				later = append(later, row)
			}
		}
		if len(rows) < chunk {
			break
		}
	}
	for resource, state := range w.fold {
		if !seen[resource] {
			w.findState(state.seq, resource, "the current state has no row for what this entry made")
		}
	}
	return later, nil
}

func (w *walk) compareCurrent(resource string, current *Current) {
	want, known := w.fold[resource]
	switch {
	case current == nil:
		w.findState(want.seq, resource, "the current state has no row for what this entry made")
	case !known:
		w.findState(current.Seq, resource, "the current state has a row that no entry made")
	case current.Seq != want.seq:
		w.findState(want.seq, resource, fmt.Sprintf("the current state claims to be of entry %d, but this one changed it last", current.Seq))
	case want.absent:
		w.findState(want.seq, resource, "the body was erased, but the current state is what this entry made")
	case foldOf(want.seq, current.State) != want:
		w.findState(want.seq, resource, "the current state is not what this entry made")
	}
}

func columnDifference(got, want Columns) string {
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"time", got.TimeMicros, want.TimeMicros},
		{"type", got.Type, want.Type},
		{"outcome", got.Refused, want.Refused},
		{"actor", got.Actor, want.Actor},
		{"ticket", got.Ticket, want.Ticket},
		{"run", got.Run, want.Run},
		{"resource", got.Resource, want.Resource},
		{"workspace", got.Workspace, want.Workspace},
		{"owner", got.Owner, want.Owner},
		{"effect", got.Effect, want.Effect},
	} {
		if c.got != c.want {
			return fmt.Sprintf("%s is %v, the header says %v", c.name, c.got, c.want)
		}
	}
	return "unknown column"
}
