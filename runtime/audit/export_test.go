package audit

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Chunk is how many entries are read at a time.
const Chunk = chunk

// VerifySlowly verifies without workers: every chunk is walked by what otherwise
// walks only those in which something is wrong.
func VerifySlowly(ctx context.Context, src Source, v note.Verifier, depth Depth) (Report, error) {
	w := newWalk(src)
	w.depth = depth
	extent, err := src.Extent(ctx)
	if err != nil {
		return Report{}, err
	}
	cp, ok := w.openHead(extent, v)
	if !ok {
		return w.report(Checkpoint{Origin: v.Name(), Size: extent.Size}), nil
	}
	for seq := int64(0); seq < cp.Size; seq += chunk {
		if err := w.entries(ctx, seq, min(seq+chunk, cp.Size)); err != nil {
			return Report{}, err
		}
	}
	if !w.broken && w.tree.Root() != cp.Root {
		w.find(-1, "", "the tree's root is not the one that the checkpoint signs: the log was rewritten")
	}
	if depth == DepthDeep {
		_, err = w.currents(ctx, cp.Size)
	}
	return w.report(cp), err
}

// Scanned is what one pass over a leaf reads of it, as an entry.
func Scanned(leaf []byte) (Entry, bool) {
	var h header
	if !scanHeader(leaf, &h) {
		return Entry{}, false
	}
	return h.entry(), true
}

// Reduced is an entry with only what Scanned reads.
func Reduced(e *Entry) Entry {
	h := headerOf(e)
	return h.entry()
}

func (h *header) entry() Entry {
	e := Entry{
		Seq: h.seq, Time: time.UnixMicro(h.micros).UTC(), Type: Type(h.kind), Outcome: string(h.outcome), Actor: Actor{Name: string(h.actor)},
		Ticket: string(h.ticket), Resource: string(h.resource), EffectDigest: string(h.effect), Owner: string(h.owner), BodyDigest: string(h.bodyDigest),
	}
	if len(h.run) > 0 {
		e.Run = &RunRef{ID: string(h.run), Workspace: string(h.workspace)}
	}
	return e
}

// OrderOf reads seq and time of a header.
var OrderOf = orderOf
