package balance

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// maxRingPoints bounds the points of a ring.
	maxRingPoints = 1 << 19
	// pointsPerWeight is how many points stand for a weight of 1, as long as the
	// ring holds them.
	pointsPerWeight = 128

	ownerBits = math.MaxUint16
)

// newRing makes a ring of hashes on which every node has points in proportion to
// its weight. A hash belongs to the node of the first point at or behind it.
//
// A node's points depend on nothing but its key and its weight, so only keys of a
// node that leaves move, and only to a node that comes. The exception is where
// the sum of weights crosses a power of two from 4,096 on: there the number of
// points per weight halves or doubles.
func newRing(nodes []node) table {
	total := 0
	for _, n := range nodes {
		total += n.weight
	}
	// Points per weight are a power of two, maybe below 1.
	room := bits.Len(uint(maxRingPoints)) - 1 - bits.Len(uint(total-1))
	shift := min(room, bits.Len(uint(pointsPerWeight))-1)

	// The owner stands in a point's lowest bits, below anything that matters for
	// its place.
	var points []uint64
	for _, n := range nodes {
		count := n.weight
		if shift >= 0 {
			count <<= shift
		} else {
			count = max(1, count>>-shift)
		}
		at := n.hash
		for range count {
			at = mix(at + 0x9e3779b97f4a7c15)
			points = append(points, at&^ownerBits|uint64(n.share))
		}
	}
	slices.Sort(points)
	// Behind the last point the ring begins anew.
	points = append(points, math.MaxUint64&^ownerBits|points[0]&ownerBits)
	t := table{owners: make([]uint16, len(points)), nodes: nodes}
	for i, p := range points {
		t.owners[i] = uint16(p)
		points[i] = p | ownerBits
	}
	t.arcs = newIntervals(points)
	return t
}
