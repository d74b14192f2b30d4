package balance

import (
	"container/heap"
	"math/rand/v2"
)

// rotation is smooth weighted round robin in O(log n) a choice: earliest
// deadline first. In a cycle of time 1, a member of weight w is due w times, at
// (k + offset) / w for k = 0 … w-1, so any run of as many choices as the sum of
// weights holds each member exactly weight times. Every member has an offset
// of its own in [0, 1), drawn from its own n-th of that range in random order:
// members of equal weight spread over the cycle instead of lining up, and none
// profits from its place in the list when rotations are rebuilt often.
type rotation struct {
	turns turns
	total int // sum of weights: choices in a cycle
	done  int // choices made in this cycle
}

// turn is one member's place in the rotation.
type turn struct {
	share  int // index into the balancer's shares
	weight int64
	picks  int64 // k
	offset int64 // in units of 1/unit, distinct
}

// turns is a heap, the earliest deadline first.
type turns struct {
	list []turn
	unit int64 // n parts of grain steps
}

// grain is how finely an offset is drawn within its part. The products in Less
// stay below 2^50 for 10,000 members of weight 256.
const grain = 1 << 16

func newRotation(shares []Share, eligible []int) rotation {
	r := rotation{turns: turns{list: make([]turn, len(eligible)), unit: grain * int64(len(eligible))}}
	for i, order := range rand.Perm(len(eligible)) {
		weight := shares[eligible[i]].Weight
		r.turns.list[i] = turn{share: eligible[i], weight: int64(weight), offset: grain*int64(order) + rand.Int64N(grain)}
		r.total += weight
	}
	heap.Init(&r.turns)
	return r
}

// next returns the share whose deadline is earliest. The rotation must not be empty.
func (r *rotation) next() int {
	share := r.turns.list[0].share
	r.turns.list[0].picks++
	heap.Fix(&r.turns, 0)
	if r.done++; r.done == r.total {
		// Invariant: after a cycle every member was picked weight times. Taking
		// that off moves all deadlines by 1: the order stays, numbers stay small.
		r.done = 0
		for i := range r.turns.list {
			r.turns.list[i].picks -= r.turns.list[i].weight
		}
	}
	return share
}

func (t *turns) Len() int { return len(t.list) }

// Less compares (picks + offset/unit) / weight without dividing.
func (t *turns) Less(i, j int) bool {
	a, b := &t.list[i], &t.list[j]
	left, right := (a.picks*t.unit+a.offset)*b.weight, (b.picks*t.unit+b.offset)*a.weight
	if left != right {
		return left < right
	}
	return a.share < b.share
}
func (t *turns) Swap(i, j int) { t.list[i], t.list[j] = t.list[j], t.list[i] }
func (t *turns) Push(any)      { panic("balance: a rotation has a fixed size") }
func (t *turns) Pop() any      { panic("balance: a rotation has a fixed size") }
