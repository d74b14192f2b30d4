package audit

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// What entries are about that say that bodies are gone, and what became of those.
const (
	ResourceBodies = "log/bodies"
	// OpErase is when bodies are nowhere any more, OpArchive when a segment holds them.
	OpErase   = "erase"
	OpArchive = "archive"
)

// Erasure is what an entry of ResourceBodies holds: which bodies were erased from the
// log with it, and why. Salts go with the bodies. The entries themselves stay.
type Erasure struct {
	// Setting is the setting that asked for it, as it stands in the configuration.
	Setting string `json:"setting"`
	// Before is the time before which an entry had to be written, or its state to
	// have been replaced.
	Before time.Time `json:"before"`
	// From and To are the first and last entry that were looked at.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Bodies counts those erased, Kept the entries from From to To that kept theirs:
	// the state that they made was still needed, or they are about the log itself.
	Bodies int `json:"bodies"`
	Kept   int `json:"kept,omitzero"`
	// Erased names the bodies erased, in order. They may lie before From: a state goes
	// once the entry that replaced it is looked at.
	Erased []Span `json:"erased"`
	// Segment and SHA256, in hex, are where they were archived.
	Segment string `json:"segment,omitzero"`
	SHA256  string `json:"sha256,omitzero"`
}

// Span is the entries from the first to the second, both included.
type Span [2]int64

// Spans are the spans of seqs in order.
func Spans(seqs []int64) (out []Span) {
	for _, seq := range seqs {
		if n := len(out); n > 0 && out[n-1][1]+1 == seq {
			out[n-1][1] = seq
		} else {
			out = append(out, Span{seq, seq})
		}
	}
	return out
}

// Covers reports whether the erasure names an entry.
func (e *Erasure) Covers(seq int64) bool {
	for _, s := range e.Erased {
		if s[0] <= seq && seq <= s[1] {
			return true
		}
	}
	return false
}

// BodyErased reports whether the row has no body any more. Every body has at least two
// bytes.
func (r *Row) BodyErased() bool { return len(r.Body) == 0 && len(r.Salt) == 0 }

// Erasable reports whether the body of an entry may ever go: not that of entry 0,
// and not what the log says of itself, erasures among it.
func (e *Entry) Erasable() bool { return e.Seq > 0 && e.Type != TypeSystem }

// errNoErasure means that a row does not say that bodies were erased.
var errNoErasure = errors.New("not an erasure")

// ParseErasure reads the entry of an erasure, whose body it checks.
func ParseErasure(row *Row) (Erasure, Entry, error) {
	e, err := ParseLeaf(row.Leaf)
	if err != nil {
		return Erasure{}, e, err
	}
	if e.Seq != row.Seq || e.Type != TypeSystem || e.Outcome != OutcomeOK || e.Resource != ResourceBodies || e.Op != OpErase && e.Op != OpArchive {
		return Erasure{}, e, errNoErasure
	}
	record := Record{Entry: e, Salt: row.Salt, Body: row.Body}
	if !record.BodyMatches() {
		return Erasure{}, e, ErrBody
	}
	body, err := ParseBody(row.Body)
	if err != nil {
		return Erasure{}, e, err
	}
	var x Erasure
	if err := json.Unmarshal(body.After, &x, json.RejectUnknownMembers(true)); err != nil {
		return Erasure{}, e, errNoErasure
	}
	for _, s := range x.Erased {
		if s[0] < 1 || s[0] > s[1] || s[1] >= e.Seq {
			return Erasure{}, e, errNoErasure
		}
	}
	return x, e, nil
}

// seqSet is a set of seqs, one bit each.
type seqSet struct {
	words []uint64
	n     int64
}

func (s *seqSet) add(seq int64) {
	for int64(len(s.words)) <= seq/64 {
		s.words = append(s.words, make([]uint64, len(s.words)+64)...)
	}
	if word := &s.words[seq/64]; *word>>(seq%64)&1 == 0 {
		*word |= 1 << (seq % 64)
		s.n++
	}
}

func (s *seqSet) has(seq int64) bool {
	return seq/64 < int64(len(s.words)) && s.words[seq/64]>>(seq%64)&1 == 1
}

// each visits the seqs in order, until visit returns false.
func (s *seqSet) each(visit func(seq int64) bool) {
	for i, word := range s.words {
		for ; word != 0; word &= word - 1 {
			if !visit(int64(i)*64 + int64(bits.TrailingZeros64(word))) {
				return
			}
		}
	}
}

func (s *seqSet) spans() (out []Span) {
	s.each(func(seq int64) bool {
		if n := len(out); n > 0 && out[n-1][1]+1 == seq {
			out[n-1][1] = seq
		} else {
			out = append(out, Span{seq, seq})
		}
		return true
	})
	return out
}

func (s *seqSet) addSpans(spans []Span) {
	for _, span := range spans {
		for seq := span[0]; seq <= span[1]; seq++ {
			s.add(seq)
		}
	}
}

// ErasedBodies says how many bodies are not in the log any more, which entries from
// First to Last say so.
type ErasedBodies struct {
	Erased   int64 `json:"erased"`
	Archived int64 `json:"archived"`
	First    int64 `json:"first"`
	Last     int64 `json:"last"`
}

// coverage is what the erasures of a log of a size say.
type coverage struct {
	size             int64
	erased, archived seqSet
	first, last      int64
}

// EachErasure visits the erasures of a log with seqs from a first one to below a
// size, in order. What only claims to be one is passed over.
func EachErasure(ctx context.Context, src Source, from, size int64, visit func(Erasure, Entry) error) error {
	for {
		rows, err := src.RowsOf(ctx, ResourceBodies, from, 100)
		if err != nil {
			return fmt.Errorf("read erasures: %w", err)
		}
		for i := range rows {
			if from = rows[i].Seq + 1; rows[i].Seq >= size {
				return nil
			}
			x, e, err := ParseErasure(&rows[i])
			if err != nil {
				continue // if it is an entry of the log, verification names it
			}
			if err := visit(x, e); err != nil {
				return err
			}
		}
		if len(rows) < 100 {
			return nil
		}
	}
}

// coverage reads what the erasures below a size say. Each must be in the tree that was
// walked: it may lie where an earlier verification read, and have been put there since.
func (w *walk) coverage(ctx context.Context, size int64) (c coverage, err error) {
	if w.said != nil && w.said.size == size {
		return *w.said, nil
	}
	c.size = size
	err = EachErasure(ctx, w.src, 0, size, func(x Erasure, e Entry) error {
		if ok, err := w.inTree(ctx, e); !ok {
			return err
		}
		if c.first == 0 {
			c.first = e.Seq
		}
		c.last = e.Seq
		set := &c.erased
		if e.Op == OpArchive {
			set = &c.archived
		}
		set.addSpans(x.Erased)
		return nil
	})
	if err == nil {
		w.said = &c
	}
	return c, err
}

// inTree reports whether an entry is in the tree that was walked. Without a whole tree,
// something was found already, and every entry is taken for its own.
func (w *walk) inTree(ctx context.Context, e Entry) (bool, error) {
	if w.broken {
		return true, nil
	}
	leaf, err := lb.Canonical(e)
	if err != nil || e.Seq >= w.tree.size {
		return false, err
	}
	proof, err := tlog.ProveRecord(w.tree.size, e.Seq, HashReader(ctx, w.src))
	if err != nil {
		return false, fmt.Errorf("read tree at entry %d: %w", e.Seq, err)
	}
	return tlog.CheckRecord(proof, w.tree.size, w.tree.Root(), e.Seq, tlog.RecordHash(leaf)) == nil, nil
}

// allCovered reports whether erasures below a size cover every body that was not there.
func (w *walk) allCovered(ctx context.Context, size int64) (bool, error) {
	if w.absent.n == 0 {
		return true, nil
	}
	c, err := w.coverage(ctx, size)
	all := true
	w.absent.each(func(seq int64) bool {
		all = c.erased.has(seq) || c.archived.has(seq)
		return all
	})
	return all, err
}

// judgeAbsent names the bodies that are not there and that no erasure covers, and
// counts the others.
func (w *walk) judgeAbsent(ctx context.Context, size int64) error {
	if w.absent.n == 0 {
		return nil
	}
	c, err := w.coverage(ctx, size)
	if err != nil {
		return err
	}
	w.erased = &ErasedBodies{First: c.first, Last: c.last}
	w.absent.each(func(seq int64) bool {
		switch {
		case c.archived.has(seq):
			w.erased.Archived++
		case c.erased.has(seq):
			w.erased.Erased++
		default:
			w.find(seq, "", "the body is not there, and no entry says that it was erased")
		}
		return len(w.findings) < MaxFindings
	})
	return nil
}
