package balance

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Why no member could be chosen.
var (
	// ErrNoMember: no member is healthy and active.
	ErrNoMember = errors.New("no member of the pool can serve")
	// ErrSaturated: there are healthy members, all at their limits.
	ErrSaturated = errors.New("every member of the pool is at its limit")
)

// Config is what of a pool's configuration choices go by.
type Config struct {
	Algorithm lb.Algorithm
	// SlowStart is how long a member that has become eligible in a running pool
	// takes to its full weight; 0 for none.
	SlowStart time.Duration
	// Outlier is nil when no member is to be ejected. It must not change any more.
	Outlier *lb.OutlierDetection
	// HashAffinity lets requests with a hash stay with one member, whatever the
	// algorithm is: their choice is maglev's, or ring_hash's where that is the
	// algorithm.
	HashAffinity bool
	// MaxPending is how many requests of the pool may wait at once, see
	// [Balancer.Wait].
	MaxPending int
}

// Share is a member's part in a balancer.
type Share struct {
	Member *Member
	// Weight is at least 1, at most [lb.MaxWeight].
	Weight int
	// Backup members are chosen only while no other member is eligible.
	Backup bool
	// Limit is how many active requests the member may have; 0: no limit.
	Limit int
}

// Request is what a choice goes by. The zero value wishes for nothing.
type Request struct {
	// Hash of what ties requests together: of the pool's hash key, or of what
	// affinity goes by.
	Hash uint64
	// Hashed is false when the request lacks the part that is hashed. Algorithms
	// that hash then choose as random_two does.
	Hashed bool
	// Prefer is the index of the share that affinity asks for, see
	// [Balancer.Lookup]; it comes before Hash.
	Prefer int
	// Preferred is false when affinity asks for none.
	Preferred bool
	// Tried are the indexes of members that have had this request. They are chosen
	// again only when no other member can take it.
	Tried []int
}

// Choice is the member that was chosen.
type Choice struct {
	// Index in the balancer's shares; -1 beside an error.
	Index int
	// Backup: no other member is eligible.
	Backup bool
	// AffinityBroken: the request asked for another member, by Prefer or by Hash,
	// which is not eligible, is at its limit or has been tried.
	AffinityBroken bool
}

var none = Choice{Index: -1}

// Balancer chooses among the eligible ones of a fixed list of members. Its methods
// are safe for concurrent use.
type Balancer struct {
	group  *Group
	config Config
	shares []Share
	tags   map[uint64]uint16
	// tables of hashed choices: of backups at 1, of the others at 0. A table
	// without slots stands for no members, or for an algorithm without hashes.
	tables [2]table

	// eligible is replaced under group.mu.
	eligible atomic.Pointer[eligible]
	queue    queue

	_   [64]byte // every choice of a rotation writes seq: a cache line of its own
	seq atomic.Uint64
	_   [56]byte
}

// NewBalancer returns a balancer over members of the group, at most
// [lb.MaxMembers]. Members that must get nothing new (drain, disabled) are left out
// of shares by the caller. From now on the group's ejections and slow starts go by
// this configuration; balancers made before go on choosing by their own.
//
// A member that the balancer before did not have begins its slow start. One that
// it had and this one has not is no longer ejected.
func (g *Group) NewBalancer(config Config, shares []Share) *Balancer {
	b := &Balancer{group: g, config: config, shares: slices.Clone(shares), tags: make(map[uint64]uint16, len(shares))}
	for i, s := range b.shares {
		b.tags[s.Member.hash] = uint16(i)
	}
	g.mu.Lock()
	newest := g.current
	g.mu.Unlock()
	b.buildTables(newest)

	g.mu.Lock()
	defer g.mu.Unlock()
	now, first := time.Now(), g.current == nil
	before := g.generation
	g.current = b
	g.generation++
	for _, s := range b.shares {
		joined := s.Member.generation != before
		s.Member.generation = g.generation
		if joined && !first {
			g.startRamp(s.Member, now)
		}
	}
	g.outlier.Store(config.Outlier)
	ended := g.endEjections(now, func(m *Member) bool {
		return config.Outlier == nil || m.generation != g.generation
	})
	if stepped := g.stepRamps(now); ended || stepped {
		g.changed()
	}
	b.rebuild(now)
	return b
}

// Acquire chooses a member and counts a request on it, which the caller ends
// with [Member.Release]. It fails with [ErrNoMember], or with [ErrSaturated], also
// while others wait: nobody overtakes the queue of [Balancer.Wait].
//
// When ejections alone have emptied the pool, its ejected members serve as if
// they were not: a poor answer is better than none, and all of them failing
// points at something else than the members. Unhealthy members never serve.
func (b *Balancer) Acquire(r Request) (Choice, error) {
	if b.queue.length.Load() > 0 {
		return none, ErrSaturated
	}
	return b.acquire(r)
}

func (b *Balancer) acquire(r Request) (Choice, error) {
	e := b.refresh()
	for {
		c := b.choose(e, r, r.Tried)
		if c.Index < 0 && len(r.Tried) > 0 {
			c = b.choose(e, r, nil)
		}
		if c.Index >= 0 {
			return c, nil
		}
		if e.seen == b.group.changes.Load() {
			break
		}
		// All of an outdated set are gone. This is the one place where a choice
		// waits for a lock: there is nobody else to go to.
		b.group.mu.Lock()
		e = b.rebuild(time.Now())
		b.group.mu.Unlock()
	}
	if len(e.candidates) == 0 {
		return none, ErrNoMember
	}
	return none, ErrSaturated
}

// choose takes a member out of a set of eligible ones, and counts on it. Index is
// -1 when all of them are tried, at their limits or no longer eligible.
func (b *Balancer) choose(e *eligible, r Request, tried []int) Choice {
	c := Choice{Index: -1, Backup: e.backup, AffinityBroken: r.Preferred}
	if r.Preferred && e.serves(b.shares, r.Prefer) && b.take(e, r.Prefer, tried) {
		c.Index, c.AffinityBroken = r.Prefer, false
		return c
	}
	if len(e.candidates) == 0 {
		return c
	}
	if table := &b.tables[e.tier()]; r.Hashed && len(table.owners) > 0 {
		var moved bool
		c.Index, moved = b.takeHashed(e, table, r.Hash, tried)
		c.AffinityBroken = c.AffinityBroken || moved
		return c
	}
	switch b.config.Algorithm {
	case lb.RoundRobin:
		c.Index = b.takeNext(e, tried)
	case lb.LeastRequests:
		c.Index = b.takeLeastLoaded(e, tried)
	default:
		c.Index = b.takeOfTwo(e, tried)
	}
	return c
}

// take counts a request on a share's member if it can have one more.
func (b *Balancer) take(e *eligible, share int, tried []int) bool {
	s := &b.shares[share]
	return s.Member.out.Load()&e.barred == 0 && !slices.Contains(tried, share) && s.Member.claim(int64(s.Limit))
}
