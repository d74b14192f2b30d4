package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// A log is walked in chunks. Workers check chunks fast: whether all is well with
// one, not what is wrong. Where all is well, what a worker computed is taken
// over in order; any other chunk is walked slowly, which names what is wrong. So
// what is found does not depend on how many workers there are.

// chunk is how many entries are read at a time.
const chunk = 1000

// part is a chunk as a worker checked it.
type part struct {
	from, to int64
	// done is closed when the rest is final.
	done chan struct{}
	err  error
	// sound is set when nothing is wrong with the entries, but for what lies
	// between chunks: the tree before and the time of the entry before.
	sound bool
	// leaves are the entries' hashes, stored what is stored of the tree's hashes
	// that they complete; nil if not all are.
	leaves []tlog.Hash
	stored []byte
	// Where the tree before the chunk is begin, as its stored hashes have it, and
	// grown is set, the tree after it is end.
	begin, end Tree
	grown      bool
	// first and last are the times of the chunk's first and last entry.
	first, last int64
	// absent are the entries without a body.
	absent []int64
	// states are the states that the entries made, in order.
	states []madeState
}

type madeState struct {
	resource string
	foldState
}

// parallel checks the chunks of [from, to) with so many workers and hands each
// to merge, in order.
func (w *walk) parallel(ctx context.Context, from, to int64, merge func(context.Context, *part) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	// ahead bounds how far workers are ahead of what is merged.
	ahead := make(chan *part, 2*w.jobs)
	todo := make(chan *part)
	workers.Go(func() {
		defer close(ahead)
		defer close(todo)
		for seq := from; seq < to; seq = w.endOf(seq, to) {
			p := &part{from: seq, to: w.endOf(seq, to), done: make(chan struct{})}
			for _, queue := range []chan *part{ahead, todo} {
				select {
				case queue <- p:
				case <-ctx.Done():
					return
				}
			}
		}
	})
	for range w.jobs {
		workers.Go(func() {
			c := newChecker(w.src, w.depth)
			for p := range todo {
				p.err = c.check(ctx, p)
				close(p.done)
			}
		})
	}
	for p := range ahead {
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			return err // the part may not be done
		}
		if p.err != nil {
			return p.err
		}
		if err := merge(ctx, p); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// endOf is where the chunk ends that begins at seq. The size at which the log
// was seen before is an end, so that the root can be compared there.
func (w *walk) endOf(seq, to int64) int64 {
	end := min(seq+chunk, to)
	if seq < w.seen.Size {
		end = min(end, w.seen.Size)
	}
	return end
}

// merge takes over what a worker checked, or walks the chunk slowly.
func (w *walk) merge(ctx context.Context, p *part) error {
	tree, ok := p.end, p.grown
	if !ok || !sameEdge(&p.begin, &w.tree) {
		tree = w.tree
		ok = p.sound && p.stored != nil && grow(&tree, p.leaves, p.stored)
	}
	if !p.sound || p.first <= w.lastTime || !ok && !w.broken {
		return w.entries(ctx, p.from, p.to)
	}
	w.tree, w.lastTime = tree, p.last
	for _, seq := range p.absent {
		w.absent.add(seq)
	}
	for _, s := range p.states {
		w.fold[s.resource] = s.foldState
	}
	return nil
}

// grow appends leaves to a tree and reports whether the hashes to store for
// them are those that are stored.
func grow(t *Tree, leaves []tlog.Hash, stored []byte) bool {
	for _, h := range leaves {
		level := 0
		for ; ; level++ {
			if len(stored) < len(h) || tlog.Hash(stored[:len(h)]) != h {
				return false
			}
			stored = stored[len(h):]
			if t.size>>level&1 == 0 {
				break
			}
			h = tlog.NodeHash(t.edge[level], h)
		}
		t.edge[level] = h
		t.size++
	}
	return len(stored) == 0
}

// sameEdge reports whether two trees go on alike.
func sameEdge(a, b *Tree) bool {
	if a.size != b.size {
		return false
	}
	for level := range a.edge {
		if a.size>>level&1 == 1 && a.edge[level] != b.edge[level] {
			return false
		}
	}
	return true
}

// checker is what a worker needs to check chunks.
type checker struct {
	src   Source
	depth Depth
	// sum and buffer are used over and over.
	sum    hash.Hash
	buffer []byte
}

func newChecker(src Source, depth Depth) *checker {
	return &checker{src: src, depth: depth, sum: sha256.New()}
}

// errUnsound ends the reading of a chunk in which something is wrong.
var errUnsound = errors.New("not sound")

func (c *checker) check(ctx context.Context, p *part) (err error) {
	p.leaves = make([]tlog.Hash, 0, p.to-p.from)
	p.last = math.MinInt64
	if c.depth == DepthShape {
		// That there is one header for each seq, and that each is its own, leaves no
		// other seq that its row can have.
		err = c.src.ScanLeaves(ctx, p.from, p.to, func(leaf []byte) error {
			seq, micros, ok := orderOf(leaf)
			return c.add(p, leaf, seq, micros, ok)
		})
	} else {
		err = c.src.Scan(ctx, p.from, p.to, func(row *Row) error {
			micros, ok := c.row(row, p)
			return c.add(p, row.Leaf, row.Seq, micros, ok)
		})
	}
	if errors.Is(err, errUnsound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read entries from %d: %w", p.from, err)
	}
	if p.sound = int64(len(p.leaves)) == p.to-p.from; !p.sound {
		return nil
	}
	if p.stored, err = c.src.HashBlock(ctx, tlog.StoredHashIndex(0, p.from), tlog.StoredHashIndex(0, p.to)); err != nil {
		return fmt.Errorf("read tree from entry %d: %w", p.from, err)
	}
	if p.begin, err = LoadTree(p.from, HashReader(ctx, c.src)); err != nil {
		return err
	}
	p.end = p.begin
	p.grown = p.stored != nil && grow(&p.end, p.leaves, p.stored)
	return nil
}

// add adds an entry to a part, if it is sound and the next.
func (c *checker) add(p *part, leaf []byte, seq, micros int64, ok bool) error {
	if !ok || seq != p.from+int64(len(p.leaves)) || micros <= p.last {
		return errUnsound
	}
	if p.last = micros; len(p.leaves) == 0 {
		p.first = micros
	}
	p.leaves = append(p.leaves, c.leafHash(leaf))
	return nil
}

// row checks one row by itself: all that walk.entry does.
func (c *checker) row(row *Row, p *part) (micros int64, ok bool) {
	var h header
	if !scanHeader(row.Leaf, &h) {
		e, err := ParseLeaf(row.Leaf)
		if err != nil {
			return 0, false
		}
		h = headerOf(&e)
	}
	if h.seq != row.Seq || !h.columnsMatch(&row.Columns) {
		return 0, false
	}
	if row.BodyErased() && row.Seq > 0 && row.Columns.Type != TypeSystem { // columns match the header
		p.absent = append(p.absent, row.Seq)
		if h.changesState() {
			p.states = append(p.states, madeState{row.Columns.Resource, foldState{seq: row.Seq, absent: true}})
		}
		return h.micros, true
	}
	if !c.bodyMatches(row, h.bodyDigest) {
		return 0, false
	}
	if h.changesState() {
		body, err := ParseBody(row.Body)
		if err != nil {
			return 0, false
		}
		p.states = append(p.states, madeState{row.Columns.Resource, foldOf(row.Seq, body.After)})
	}
	return h.micros, true
}

// bodyMatches is [Record.BodyMatches].
func (c *checker) bodyMatches(row *Row, digest []byte) bool {
	if len(row.Salt) != SaltBytes {
		return false
	}
	c.sum.Reset()
	c.sum.Write(row.Salt)
	c.sum.Write(row.Body)
	c.buffer = c.sum.Sum(c.buffer[:0])
	c.buffer = hex.AppendEncode(c.buffer, c.buffer)
	return bytes.Equal(c.buffer[sha256.Size:], digest)
}

// leafHash is [tlog.RecordHash].
func (c *checker) leafHash(leaf []byte) tlog.Hash {
	c.buffer = append(append(c.buffer[:0], 0), leaf...)
	return sha256.Sum256(c.buffer)
}
