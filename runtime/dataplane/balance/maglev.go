package balance

// maglevSizes are the sizes of maglev tables: primes, so that every step from 1 to
// size-1 visits every slot. A table has at least slotsPerNode slots for each node, so
// that rounding a node's part to whole slots is felt in the per cents only.
var maglevSizes = [...]uint64{65_537, 262_147, 1_048_583}

const slotsPerNode = 100

// newMaglev fills a table by the method of Google's Maglev (Eisenbud et al., NSDI
// 2016, §3.4): every node has a preference among the slots, a permutation that its
// key determines, and nodes take turns to claim the first free slot they prefer. A
// node of less weight than the heaviest sits out turns in proportion.
//
// When a node comes or goes, a few per cent of the other nodes' keys move as well;
// in return, parts are even to within a slot and a lookup is one load.
func newMaglev(nodes []node) table {
	size := maglevSizes[len(maglevSizes)-1]
	for _, s := range maglevSizes {
		if uint64(len(nodes))*slotsPerNode <= s {
			size = s
			break
		}
	}
	type preference struct {
		slot, step uint64
		weight     int
		turns      int // weight times the turns that the node was asked
	}
	preferences := make([]preference, len(nodes))
	heaviest := 0
	for i, n := range nodes {
		preferences[i] = preference{
			slot:   below(mix(n.hash), size),
			step:   1 + below(mix(^n.hash), size-1),
			weight: n.weight,
		}
		heaviest = max(heaviest, n.weight)
	}
	const free = ^uint16(0) // no share: there are at most lb.MaxMembers
	t := table{owners: make([]uint16, size), nodes: nodes}
	for i := range t.owners {
		t.owners[i] = free
	}
	for filled := uint64(0); ; {
		for i := range preferences {
			p := &preferences[i]
			if p.turns += p.weight; p.turns < heaviest {
				continue
			}
			p.turns -= heaviest
			for t.owners[p.slot] != free {
				p.slot = (p.slot + p.step) % size
			}
			t.owners[p.slot] = nodes[i].share
			if filled++; filled == size {
				return t
			}
		}
	}
}
