package audit

import (
	"context"
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
