package traffic

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// SampleEvery is the time between two looks.
	SampleEvery = 10 * time.Second
	// Keep is how long anything is kept.
	Keep = 14 * 24 * time.Hour
	// MaxBytes bounds what all looks take in memory.
	MaxBytes = 64 << 20
	// MaxKeys bounds the pairs of a listener and a pool that are told apart within Keep.
	// Further ones are left out, until others have aged out.
	MaxKeys = 10_000
)

// Source is what is looked at.
type Source interface{ Traffic() *dataplane.Traffic }

// Recorder keeps series of traffic. Its methods are safe for concurrent use.
type Recorder struct {
	source Source
	now    func() time.Time
	began  time.Time
	// bytes and keys are the bounds.
	maxBytes, maxKeys int

	mu     sync.Mutex // protects what follows
	last   *dataplane.Traffic
	lastAt time.Time
	// ids number the keys that slots name, and keys has them by number. A number is given
	// to another key when no slot can name it any more.
	ids   map[key]uint64
	keys  []heldKey
	tiers []*tier // finest first
}

type heldKey struct {
	key
	seen time.Time // zero: the number is free
}

// New returns a recorder that counts from now on. Now is the clock; nil is time.Now.
func New(source Source, now func() time.Time) *Recorder {
	if now == nil {
		now = time.Now
	}
	r := &Recorder{
		source: source, now: now, maxBytes: MaxBytes, maxKeys: MaxKeys, ids: map[key]uint64{},
		tiers: []*tier{newTier(SampleEvery, 2*time.Hour), newTier(time.Minute, 24*time.Hour), newTier(10*time.Minute, Keep)},
	}
	r.began = now()
	r.last, r.lastAt = source.Traffic(), r.began
	return r
}

// Run looks every [SampleEvery], on the clock's multiples of it, until ctx ends.
func (r *Recorder) Run(ctx context.Context) {
	for {
		now := r.now()
		timer := time.NewTimer(now.Truncate(SampleEvery).Add(SampleEvery).Sub(now))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			r.Sample()
		}
	}
}

// Sample looks now.
func (r *Recorder) Sample() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, traffic := r.now(), r.source.Traffic()
	took := now.Sub(r.lastAt)
	if took <= 0 {
		return // the clock was put back: the next look has it all
	}
	counted := traffic.Since(r.last)
	r.last, r.lastAt = traffic, now
	look := slot{covered: took, revision: counted.Revision, cells: r.encode(counted, now)}
	middle := now.Add(-took / 2).Unix()
	for _, t := range r.tiers {
		t.add(middle, look, merge)
	}
	r.makeRoom()
}

// encode writes what was counted. The lock is held.
func (r *Recorder) encode(counted *dataplane.Traffic, now time.Time) []byte {
	var out []byte
	put := func(k key, c *cell) {
		if *c == (cell{}) {
			return
		}
		if id, ok := r.number(k, now); ok {
			out = appendCell(out, id, c)
		}
	}
	for name, l := range counted.Listeners {
		tcp := withoutHTTP(l.Protocol)
		c := listenerCell(&l)
		put(key{name, "", tcp}, &c)
		for pool, p := range l.Pools {
			if pool != "" {
				c := poolCell(&p)
				put(key{name, pool, tcp}, &c)
			}
		}
	}
	return slices.Clip(out)
}

func withoutHTTP(p lb.ListenerProtocol) bool {
	return p == lb.ListenerTCP || p == lb.ListenerTLSPassthrough
}

// number returns the number of a key, unless there are too many. The lock is held.
func (r *Recorder) number(k key, now time.Time) (id uint64, ok bool) {
	if id, ok = r.ids[k]; ok {
		r.keys[id].seen = now
		return id, true
	}
	if len(r.ids) >= r.maxKeys {
		r.forget(now)
	}
	if len(r.ids) >= r.maxKeys {
		return 0, false
	}
	free := len(r.keys)
	if len(r.ids) < len(r.keys) {
		free = slices.IndexFunc(r.keys, func(h heldKey) bool { return h.seen.IsZero() })
	} else {
		r.keys = append(r.keys, heldKey{})
	}
	r.keys[free], r.ids[k] = heldKey{k, now}, uint64(free)
	return uint64(free), true
}

// forget frees the numbers of keys that no slot names any more. The lock is held.
func (r *Recorder) forget(now time.Time) {
	for id, h := range r.keys {
		if !h.seen.IsZero() && now.Sub(h.seen) > Keep+2*time.Hour {
			delete(r.ids, h.key)
			r.keys[id] = heldKey{}
		}
	}
}

// makeRoom gives up the oldest looks, of the tier that takes most, until what is left
// fits. The lock is held.
func (r *Recorder) makeRoom() {
	for {
		bytes, largest := 0, r.tiers[0]
		for _, t := range r.tiers {
			bytes += t.bytes
			if t.bytes > largest.bytes {
				largest = t
			}
		}
		if bytes <= r.maxBytes || !largest.dropOldest() {
			return
		}
	}
}

// merge adds the cells of two looks.
func merge(a, b []byte) []byte {
	cells := map[uint64]*cell{}
	var order []uint64
	for _, part := range [][]byte{a, b} {
		eachCell(part, func(uint64) bool { return true }, func(id uint64, c *cell) {
			if cells[id] == nil {
				cells[id], order = &cell{}, append(order, id)
			}
			cells[id].add(c)
		})
	}
	out := make([]byte, 0, len(a)+len(b)/4)
	for _, id := range order {
		out = appendCell(out, id, cells[id])
	}
	return slices.Clip(out)
}
