package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrNotResumable means that a verification can't go on from what was kept of
// an earlier one.
var ErrNotResumable = errors.New("the earlier verification can't be gone on with")

// kept is how far a verification came that found nothing wrong so far, in the
// form in which it is kept: JSON, a line feed, and the SHA-256 of the JSON in hex.
//
// The sum shows damage, not intent: whoever can write the file can make it say
// that other entries were verified, though not lead to the signed root from a
// tree that is not the log's.
type kept struct {
	Format  int    `json:"format"`
	Version string `json:"version"`
	Origin  string `json:"origin"`
	Key     string `json:"key"`
	Depth   Depth  `json:"depth"`
	// Size is the number of entries verified, from Began to At.
	Size  int64     `json:"size"`
	Began time.Time `json:"began"`
	At    time.Time `json:"at"`
	// Checkpoint is the signed one that the verification was to lead to.
	Checkpoint string `json:"checkpoint"`
	// Edge is the tree's right edge at Size, highest level first; LastTime the time
	// of the last entry, in microseconds.
	Edge     []tlog.Hash `json:"edge"`
	LastTime int64       `json:"last_time"`
	// Absent are the entries without a body.
	Absent []Span `json:"absent,omitzero"`
	// Fold is the state that the entries make.
	Fold map[string]keptState `json:"fold,omitzero"`

	seen Checkpoint
}

const keptFormat = 1

// keptState is a foldState; Sum is nil where the resource was deleted.
type keptState struct {
	Seq    int64  `json:"seq"`
	Sum    []byte `json:"sum,omitzero"`
	Absent bool   `json:"absent,omitzero"`
}

// keep encodes how far a walk has come.
func (w *walk) keep(began time.Time, cp Checkpoint, v note.Verifier, version string) ([]byte, error) {
	k := kept{
		Format: keptFormat, Version: version, Origin: v.Name(), Key: keyID(v), Depth: w.depth,
		Size: w.tree.size, Began: began.UTC(), At: time.Now().UTC(),
		Checkpoint: string(cp.Note), Edge: edgeOf(&w.tree), LastTime: w.lastTime, Absent: w.absent.spans(),
	}
	if w.depth == DepthDeep {
		k.Fold = make(map[string]keptState, len(w.fold))
	}
	for resource, s := range w.fold {
		state := keptState{Seq: s.seq, Absent: s.absent}
		if !s.deleted && !s.absent {
			state.Sum = s.sum[:]
		}
		k.Fold[resource] = state
	}
	b, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("keep progress: %w", err)
	}
	return append(b, "\n"+sumOf(b)+"\n"...), nil
}

// parseKept reads what keep wrote and holds it to what is to be verified now.
func parseKept(b []byte, v note.Verifier, depth Depth, version string) (*kept, error) {
	refuse := func(format string, args ...any) (*kept, error) {
		return nil, fmt.Errorf("%w: %s", ErrNotResumable, fmt.Sprintf(format, args...))
	}
	text, sum, ok := bytes.Cut(b, []byte("\n"))
	if !ok || string(sum) != sumOf(text)+"\n" {
		return refuse("what was kept of it is damaged or was edited")
	}
	var k kept
	if err := json.Unmarshal(text, &k, json.RejectUnknownMembers(true)); err != nil || k.Format != keptFormat {
		return refuse("what was kept of it has another form")
	}
	switch {
	case k.Origin != v.Name():
		return refuse("it is of the log %q, not of %q", k.Origin, v.Name())
	case k.Key != keyID(v):
		return refuse("it was made with the public key %s, not with %s", k.Key, keyID(v))
	case k.Depth != depth:
		return refuse("its depth is %s, not %s", k.Depth, depth)
	case k.Version != version:
		return refuse("it was made by version %q of this program, not by %q", k.Version, version)
	}
	var err error
	if k.seen, err = OpenCheckpoint([]byte(k.Checkpoint), v); err != nil {
		return refuse("its checkpoint is not signed by this log's key")
	}
	if k.Size < 1 || k.Size > k.seen.Size || len(k.Edge) != bits.OnesCount64(uint64(k.Size)) {
		return refuse("what was kept of it contradicts itself")
	}
	for _, s := range k.Absent {
		if s[0] < 0 || s[0] > s[1] || s[1] >= k.Size {
			return refuse("what was kept of it contradicts itself")
		}
	}
	for resource, s := range k.Fold {
		if len(s.Sum) != 0 && len(s.Sum) != sha256.Size || s.Seq < 0 || s.Seq >= k.Size {
			return refuse("what was kept of %s contradicts itself", resource)
		}
	}
	return &k, nil
}

// tree is the tree that was verified.
func (k *kept) tree() Tree {
	t, _ := LoadTree(k.Size, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return k.Edge, nil }))
	return t
}

// restore lets a walk go on where the earlier one was.
func (k *kept) restore(w *walk) {
	w.tree, w.lastTime = k.tree(), k.LastTime
	w.absent.addSpans(k.Absent)
	for resource, s := range k.Fold {
		state := foldState{seq: s.Seq, deleted: s.Sum == nil && !s.Absent, absent: s.Absent}
		copy(state.sum[:], s.Sum)
		w.fold[resource] = state
	}
}

// resume goes on from where an earlier verification was, if the stored tree
// still is what it was then; otherwise the walk begins with the first entry.
func (w *walk) resume(ctx context.Context, cp Checkpoint, before *kept) error {
	if cp.Size < before.seen.Size {
		w.find(-1, "", fmt.Sprintf("the log has %d entries, but had %d when it was verified before, at %s: the log was rolled back",
			cp.Size, before.seen.Size, before.At.Format(time.RFC3339)))
		return nil
	}
	w.seen = before.seen
	stored, err := LoadTree(before.Size, HashReader(ctx, w.src))
	if err != nil {
		return err
	}
	if verified := before.tree(); !sameEdge(&stored, &verified) {
		w.find(-1, "", fmt.Sprintf("the stored tree at size %d is not the one that was verified before, at %s: the log was altered since",
			before.Size, before.At.Format(time.RFC3339)))
		return nil
	}
	before.restore(w)
	w.resumed = &Resumed{Size: before.Size, Began: before.Began, At: before.At}
	return nil
}

func edgeOf(t *Tree) []tlog.Hash {
	edge := []tlog.Hash{}
	for level := len(t.edge) - 1; level >= 0; level-- {
		if t.size>>level&1 == 1 {
			edge = append(edge, t.edge[level])
		}
	}
	return edge
}

func keyID(v note.Verifier) string { return fmt.Sprintf("%08x", v.KeyHash()) }

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
