package balance

import (
	"cmp"
	"math"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// maxSlots is how many slots of a table are looked at for one choice.
const maxSlots = 32

// table says which member a hash belongs to. It is built of all members of one
// tier, by key and configured weight, and does not change with their health: the
// keys of a member that is not eligible go on to the owners of the slots behind,
// which are others for every slot, and all other keys stay where they are. When it
// is back, so are its keys, and no others move.
type table struct {
	owners []uint16 // shares, by slot
	// arcs are the stretches of a ring that the slots stand for; none for maglev,
	// whose slots are of one size.
	arcs intervals
	// nodes are what the table was built of.
	nodes []node
}

func (t *table) isRing() bool { return len(t.arcs.last) > 0 }

// slot returns the slot of a hash.
func (t *table) slot(hash uint64) int {
	if t.isRing() {
		return t.arcs.find(hash)
	}
	return int(below(hash, uint64(len(t.owners))))
}

// node is a member that a table is built of.
type node struct {
	share  uint16
	key    string
	hash   uint64
	weight int
}

// buildTables builds the tables that the configuration asks for. Those of the
// balancer before, which may be nil, are taken over where they are of the same
// members: most changes of a pool are of something else.
func (b *Balancer) buildTables(before *Balancer) {
	ring := b.config.Algorithm == lb.RingHash
	if !ring && b.config.Algorithm != lb.Maglev && !b.config.HashAffinity {
		return
	}
	var tiers [len(b.tables)][]node
	for i, s := range b.shares {
		tier := 0
		if s.Backup {
			tier = 1
		}
		tiers[tier] = append(tiers[tier], node{uint16(i), s.Member.key, s.Member.hash, s.Weight})
	}
	for tier, nodes := range tiers {
		// In an order of the nodes' own, so that two lists of the same members make
		// the same table.
		slices.SortFunc(nodes, func(a, b node) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.key, b.key))
		})
		switch {
		case len(nodes) == 0:
		case before != nil && before.tables[tier].isRing() == ring && slices.Equal(before.tables[tier].nodes, nodes):
			b.tables[tier] = before.tables[tier]
		case ring:
			b.tables[tier] = newRing(nodes)
		default:
			b.tables[tier] = newMaglev(nodes)
		}
	}
}

// takeHashed takes the owner of the hash's slot, or of one of the next slots; where
// none of those can, the member that rendezvous hashing chooses of all candidates.
// Both go by the hash and by who has room, and nothing else. Moved: the owner was
// eligible no more, at its limit or tried; a slow start does not count.
func (b *Balancer) takeHashed(e *eligible, t *table, hash uint64, tried []int) (share int, moved bool) {
	hash = mix(hash) // nobody's keys may lie close together
	slot := t.slot(hash)
	for range maxSlots {
		share := int(t.owners[slot])
		if e.admits(share, b.shares[share].Member, hash) {
			if b.take(e, share, tried) {
				return share, moved
			}
			moved = true
		}
		if slot++; slot == len(t.owners) {
			slot = 0
		}
	}
	return b.takeRendezvous(e, hash, tried), moved
}

// admits reports whether a member's slow start is far enough for a hash: its keys
// come to it one after the other, and none of them goes away again. While all
// climb, the highest counts as being at the top.
func (e *eligible) admits(share int, m *Member, hash uint64) bool {
	if e.ramp == nil || m.out.Load()&e.barred != 0 {
		return true
	}
	return below(mix(hash^m.hash), uint64(e.top)) < uint64(e.ramp[share])
}

// takeRendezvous takes the candidate that scores best for the hash: weighted
// rendezvous hashing, in which a candidate's chance is in proportion to its weight.
// The best without room fall out one by one, -1 when all have.
func (b *Balancer) takeRendezvous(e *eligible, hash uint64, tried []int) int {
	for range maxDraws {
		best, least := -1, math.Inf(1)
		for i := range e.candidates {
			c := &e.candidates[i]
			if !e.hasRoom(c, c.member.Active(), tried) {
				continue
			}
			// A number in (0, 1] that is exponentially distributed when it is minus
			// its logarithm, with the weight as its rate.
			even := float64(mix(hash^c.member.hash)>>11+1) / (1 << 53)
			if score := -math.Log(even) / float64(c.weight); score < least {
				best, least = c.share, score
			}
		}
		if best < 0 {
			return -1
		}
		if b.take(e, best, tried) {
			return best
		}
	}
	return -1
}
