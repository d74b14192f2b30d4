package balance

import (
	"math/bits"
	"math/rand/v2"
)

// wheel is a circle on which every candidate has a stretch as long as its weight.
type wheel struct {
	size      uint64 // sum of weights
	stretches intervals
}

func newWheel(candidates []candidate) wheel {
	last, size := make([]uint64, len(candidates)), uint64(0)
	for i, c := range candidates {
		size += uint64(c.weight)
		last[i] = size - 1
	}
	return wheel{size: size, stretches: newIntervals(last)}
}

// at returns the candidate on whose stretch a point lies.
func (w *wheel) at(point uint64) int { return w.stretches.find(point) }

// two draws two different candidates by weight, or the same one twice when there
// is no other.
func (w *wheel) two() (first, second int) {
	r := rand.Uint64()
	first = w.at(below(r, w.size))
	start, end := uint64(0), w.stretches.last[first]+1
	if first > 0 {
		start = w.stretches.last[first-1] + 1
	}
	rest := w.size - (end - start)
	if rest == 0 {
		return first, first
	}
	// The second point falls on the circle without the first one's stretch.
	point := below(mix(r), rest)
	if point >= start {
		point += end - start
	}
	return first, w.at(point)
}

// intervals tells which of adjoining intervals a point lies in, in constant
// expected time: points are sorted into about as many equal parts as there are
// intervals, and the guide names the first interval that reaches into each.
type intervals struct {
	last  []uint64 // the last point of each, ascending; the first begins at 0
	guide []uint32
	shift int
}

func newIntervals(last []uint64) intervals {
	end := last[len(last)-1]
	v := intervals{last: last, shift: max(0, bits.Len64(end)-bits.Len(uint(len(last))))}
	v.guide = make([]uint32, end>>v.shift+1)
	i := uint32(0)
	for part := range v.guide {
		for last[i] < uint64(part)<<v.shift {
			i++
		}
		v.guide[part] = i
	}
	return v
}

// find returns the interval of a point, which must not lie behind the last one.
func (v *intervals) find(point uint64) int {
	i := int(v.guide[point>>v.shift])
	for v.last[i] < point {
		i++
	}
	return i
}

// below maps a random number to one below n, evenly but for n parts in 2^64.
func below(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}

// mix makes of a number another one in which every bit depends on every bit of
// the first: the finalizer of MurmurHash3, one to one.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
