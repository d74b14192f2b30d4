// Package balance chooses the member that serves next.
//
// A [Group] and its [Member] values are the live side of a pool: they count
// active requests, know who is healthy, and outlive configurations. A
// [Balancer] belongs to one version of a pool's configuration: it holds weights
// and the position in their rotation.
package balance

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Group is what the members of a pool share for as long as the pool exists.
type Group struct {
	// changes counts changes of health, so that a balancer sees with one load
	// whether its list of eligible members is still right.
	changes atomic.Uint64
}

// Member is the live side of one member. Its methods are safe for concurrent use.
type Member struct {
	group   *Group
	active  atomic.Int64
	healthy atomic.Bool
}

// NewMember returns a healthy member without requests.
func (g *Group) NewMember() *Member {
	m := &Member{group: g}
	m.healthy.Store(true)
	return m
}

// Active is the number of requests, or of connections of a tcp pool, that the
// member is serving.
func (m *Member) Active() int64 { return m.active.Load() }

// Healthy reports whether the member may be chosen.
func (m *Member) Healthy() bool { return m.healthy.Load() }

// SetHealthy records the member's health; choices made afterwards respect it.
func (m *Member) SetHealthy(healthy bool) {
	if m.healthy.Swap(healthy) != healthy {
		m.group.changes.Add(1)
	}
}

// Release ends a request that [Balancer.Acquire] began.
func (m *Member) Release() { m.active.Add(-1) }

// Share is a member's part in a balancer.
type Share struct {
	Member *Member
	// Weight is at least 1.
	Weight int
	// Backup members are chosen only while no other member is healthy.
	Backup bool
}

// Balancer chooses among the healthy ones of a fixed list of members.
type Balancer struct {
	group     *Group
	algorithm lb.Algorithm
	shares    []Share

	mu sync.Mutex // protects what follows
	// seen is the group's count of changes for which eligible was built.
	seen     uint64
	built    bool
	eligible []int // indexes into shares
	rotation rotation
}

// NewBalancer returns a balancer over members of the group. Members that must
// get nothing new (drain, disabled) are left out of shares by the caller.
func (g *Group) NewBalancer(algorithm lb.Algorithm, shares []Share) *Balancer {
	return &Balancer{group: g, algorithm: algorithm, shares: shares}
}

// Acquire chooses a member and counts a request on it, which the caller ends
// with [Member.Release]. It returns the member's index in the shares, or -1 when
// no member is healthy.
func (b *Balancer) Acquire() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if changes := b.group.changes.Load(); !b.built || changes != b.seen {
		b.refresh(changes)
	}
	if len(b.eligible) == 0 {
		return -1
	}
	var chosen int
	if b.algorithm == lb.LeastRequests {
		chosen = b.leastLoaded()
	} else {
		chosen = b.rotation.next()
	}
	// Counted under the lock, so that concurrent choices see each other.
	b.shares[chosen].Member.active.Add(1)
	return chosen
}

// refresh rebuilds the list of eligible members. The rotation begins anew, at a
// random phase: members must not profit from their place in the list when
// health or configuration changes often.
func (b *Balancer) refresh(changes uint64) {
	b.seen, b.built = changes, true
	b.eligible = b.healthy(false)
	if len(b.eligible) == 0 {
		b.eligible = b.healthy(true)
	}
	if b.algorithm != lb.LeastRequests {
		b.rotation = newRotation(b.shares, b.eligible)
	}
}

func (b *Balancer) healthy(backup bool) []int {
	var out []int
	for i, s := range b.shares {
		if s.Backup == backup && s.Member.Healthy() {
			out = append(out, i)
		}
	}
	return out
}

// leastLoaded returns the member with the fewest active requests per weight; an
// idle member comes before every busy one. Ties are drawn by weight. It looks at
// every eligible member, which a pool of thousands feels.
func (b *Balancer) leastLoaded() int {
	best, bestActive, bestWeight, tied := -1, int64(0), int64(1), int64(0)
	for _, i := range b.eligible {
		active, weight := b.shares[i].Member.Active(), int64(b.shares[i].Weight)
		mine, theirs := active*bestWeight, bestActive*weight
		switch {
		case best < 0 || mine < theirs:
			best, bestActive, bestWeight, tied = i, active, weight, weight
		case mine == theirs:
			// Each of the tied ends up chosen with a chance of weight over tied.
			if tied += weight; rand.Int64N(tied) < weight {
				best, bestActive, bestWeight = i, active, weight
			}
		}
	}
	return best
}
