package balance

import (
	"math/rand/v2"
	"slices"
)

const (
	// maxDraws is how many candidates are drawn before all are looked at.
	maxDraws = 8
	// leastWindow is how many candidates least_requests compares.
	leastWindow = 128
)

// takeNext takes the candidate whose turn it is, or the next that has room.
func (b *Balancer) takeNext(e *eligible, tried []int) int {
	for range maxDraws {
		share := e.candidates[e.rotation.at(b.seq.Add(1))].share
		if b.take(e, share, tried) {
			return share
		}
	}
	return b.takeAny(e, tried)
}

// takeOfTwo draws two candidates by weight and takes the one with fewer active
// requests per weight, the first if they are even.
func (b *Balancer) takeOfTwo(e *eligible, tried []int) int {
	for range maxDraws / 2 {
		i, j := e.wheel.two()
		first, second := &e.candidates[i], &e.candidates[j]
		if second.member.Active()*first.weight < first.member.Active()*second.weight {
			first, second = second, first
		}
		if b.take(e, first.share, tried) {
			return first.share
		}
		if b.take(e, second.share, tried) {
			return second.share
		}
	}
	return b.takeAny(e, tried)
}

// takeLeastLoaded takes the candidate with the fewest active requests per weight;
// an idle one comes before every busy one. Ties are drawn by weight.
//
// It compares up to leastWindow candidates from a random place in the list on.
// That is all of most pools; in a larger one every member is as likely to be among
// those compared as any other.
func (b *Balancer) takeLeastLoaded(e *eligible, tried []int) int {
	for range maxDraws {
		c, active := e.leastLoaded(tried)
		if c == nil {
			break
		}
		// Not taken if its count has changed since: choices at the same time must
		// not all fall on the one member that is idle.
		if c.member.claimAt(active) {
			return c.share
		}
	}
	return b.takeAny(e, tried)
}

// leastLoaded returns the candidate to take and the count of active requests by
// which it was chosen; nil when none that it compared has room.
func (e *eligible) leastLoaded(tried []int) (best *candidate, bestActive int64) {
	random, n := rand.Uint64(), len(e.candidates)
	i, tied := int(below(random, uint64(n))), int64(0)
	for range min(n, leastWindow) {
		c := &e.candidates[i]
		if i++; i == n {
			i = 0
		}
		active := c.member.Active()
		var mine, theirs int64
		if best != nil {
			mine, theirs = active*best.weight, bestActive*c.weight
		}
		if mine > theirs || !e.hasRoom(c, active, tried) {
			continue
		}
		if best != nil && mine == theirs {
			// Each of the tied ends up chosen with a chance of weight over tied.
			tied += c.weight
			if random = mix(random); int64(below(random, uint64(tied))) >= c.weight {
				continue
			}
		} else {
			tied = c.weight
		}
		best, bestActive = c, active
	}
	return best, bestActive
}

// hasRoom reports whether a candidate with so many active requests can be taken.
func (e *eligible) hasRoom(c *candidate, active int64, tried []int) bool {
	return (c.limit == 0 || active < c.limit) && c.member.out.Load()&e.barred == 0 && !slices.Contains(tried, c.share)
}

// takeAny takes the first candidate that has room, from a random place in the list
// on; -1 when none has. It looks at all of them, which only a pool that is near
// its limits, or has just lost most of its members, comes to.
func (b *Balancer) takeAny(e *eligible, tried []int) int {
	n := len(e.candidates)
	i := rand.IntN(n)
	for range n {
		if share := e.candidates[i].share; b.take(e, share, tried) {
			return share
		}
		if i++; i == n {
			i = 0
		}
	}
	return -1
}
