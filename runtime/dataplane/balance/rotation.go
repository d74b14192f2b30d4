package balance

import (
	"math"
	"math/rand/v2"
	"slices"
)

// maxSchedule is up to which sum of weights a rotation is written down.
const maxSchedule = 1 << 14

// rotation is smooth weighted round robin: any run of as many turns as the sum of
// weights holds each candidate exactly weight times, spread as evenly as can be.
// It begins at a random turn, so that none profits from its place in the list when
// rotations are built often.
//
// A short rotation is a schedule of turns, each candidate's at equal distances. A
// long one goes around a [wheel] in strides of about the golden section of its size.
// Stride and size have no common divisor, so as many strides as the size touch every
// point once. By the three-gap theorem the distances between a candidate's turns
// are of at most three lengths, and they are close to their mean, whatever the
// weight, as long as the continued fraction of stride/size has small terms only.
type rotation struct {
	cycle    uint64 // sum of weights
	phase    uint64
	schedule []uint16 // candidates; nil in a long rotation
	wheel    wheel
	stride   uint64
}

func newRotation(candidates []candidate) rotation {
	cycle := int64(0)
	for _, c := range candidates {
		cycle += c.weight
	}
	r := rotation{cycle: uint64(cycle), phase: rand.Uint64N(uint64(cycle))}
	if cycle <= maxSchedule {
		r.schedule = newSchedule(candidates, cycle)
		return r
	}
	r.wheel = newWheel(candidates)
	r.stride = strideFor(r.cycle)
	return r
}

// strideFor returns, of some hundred strides near the golden section, one that has
// no divisor in common with the cycle and the smallest terms.
func strideFor(cycle uint64) uint64 {
	golden := uint64(float64(cycle) / math.Phi)
	best, least := uint64(1), cycle
	for stride := golden; stride < golden+512 && stride < cycle; stride++ {
		if most, common := largestTerm(stride, cycle); common == 1 && most < least {
			best, least = stride, most
		}
	}
	return best
}

// largestTerm returns the largest term of the continued fraction of a/b and the
// greatest common divisor of the two: both fall out of Euclid's algorithm.
func largestTerm(a, b uint64) (term, divisor uint64) {
	for a != 0 {
		term = max(term, b/a)
		a, b = b%a, a
	}
	return term, b
}

// at returns the candidate whose turn is the seq-th.
func (r *rotation) at(seq uint64) int {
	turn := (seq + r.phase) % r.cycle
	if r.schedule != nil {
		return int(r.schedule[turn])
	}
	// Below 2^52: 10,000 members of weight 256 in 20 steps of slow start.
	return r.wheel.at(turn * r.stride % r.cycle)
}

// newSchedule orders the turns of a cycle of time 1 by when they are due: the k-th
// of a candidate of weight w at (k + offset) / w. Offsets are spread evenly over 0
// to 1, in random order, so that candidates of equal weight don't come in clusters.
func newSchedule(candidates []candidate, cycle int64) []uint16 {
	const scale = 1 << 47 // of time, above 16 bits for the candidate
	due := make([]uint64, 0, cycle)
	n := float64(len(candidates))
	for i, place := range rand.Perm(len(candidates)) {
		offset, weight := (float64(place)+0.5)/n, candidates[i].weight
		for k := range weight {
			at := (float64(k) + offset) / float64(weight)
			due = append(due, uint64(at*scale)<<16|uint64(i))
		}
	}
	slices.Sort(due)
	schedule := make([]uint16, cycle)
	for turn, d := range due {
		schedule[turn] = uint16(d)
	}
	return schedule
}
