package balance

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// hashing are the configurations whose choices go by a hash.
var hashing = []struct {
	name   string
	config Config
	// stray is the share of keys that may move although neither their old nor
	// their new member has changed.
	stray float64
	// uneven is how many times the mean the member with the most keys may have.
	uneven float64
}{
	{"ring_hash", Config{Algorithm: lb.RingHash}, 0, 1.25},
	{"maglev", Config{Algorithm: lb.Maglev}, 0.04, 1.05},
	{"round_robin with affinity", Config{Algorithm: lb.RoundRobin, HashAffinity: true}, 0.04, 1.05},
}

const keys = 10_000

// owners returns the key of the member that each of many hashes is given to.
func owners(t testing.TB, b *Balancer) []string {
	t.Helper()
	out := make([]string, keys)
	for i := range out {
		c, err := b.Acquire(Request{Hash: uint64(i), Hashed: true})
		if err != nil {
			t.Fatal(err)
		}
		m := b.shares[c.Index].Member
		m.Release()
		out[i] = m.Key()
	}
	return out
}

// moves counts the keys that moved away from a member, the keys that moved to
// it, and those that moved between others.
func moves(before, after []string, member string) (from, to, stray int) {
	for i := range before {
		switch {
		case before[i] == after[i]:
		case before[i] == member:
			from++
		case after[i] == member:
			to++
		default:
			stray++
		}
	}
	return from, to, stray
}

func count(owners []string, member string) (n int) {
	for _, o := range owners {
		if o == member {
			n++
		}
	}
	return n
}

func TestKeysOfAMemberThatFallsOutMoveAloneAndComeBack(t *testing.T) {
	for _, tc := range hashing {
		for _, members := range []int{3, 20} {
			t.Run(fmt.Sprintf("%s of %d", tc.name, members), func(t *testing.T) {
				g := new(Group)
				b := g.NewBalancer(tc.config, fill(g, alike(members)...))
				before, m := owners(t, b), b.shares[1].Member
				m.SetHealthy(false)
				away := owners(t, b)
				from, to, stray := moves(before, away, m.Key())
				if from != count(before, m.Key()) || to != 0 || stray != 0 {
					t.Errorf("%d keys moved from it, %d to it, %d others; it had %d", from, to, stray, count(before, m.Key()))
				}
				// They spread over all others instead of falling on one.
				took := map[string]int{}
				for i := range before {
					if before[i] != away[i] {
						took[away[i]]++
					}
				}
				for heir, n := range took {
					if even := from / (members - 1); n > 2*even+20 {
						t.Errorf("%s took over %d of its %d keys; %d would be even", heir, n, from, even)
					}
				}
				m.SetHealthy(true)
				if !slices.Equal(owners(t, b), before) {
					t.Error("keys are not where they were before the member failed")
				}
			})
		}
	}
}

func TestFewKeysMoveWhenMembersComeAndGo(t *testing.T) {
	for _, tc := range hashing {
		for _, pool := range []struct{ members, weight int }{{5, 1}, {50, 1}, {11, 100}} {
			t.Run(fmt.Sprintf("%s of %d with weight %d", tc.name, pool.members, pool.weight), func(t *testing.T) {
				g := new(Group)
				shares := fill(g, slices.Repeat([]int{pool.weight}, pool.members)...)
				without := slices.Delete(slices.Clone(shares), 2, 3)
				changed := shares[2].Member.Key()

				all := owners(t, g.NewBalancer(tc.config, shares))
				fewer := owners(t, g.NewBalancer(tc.config, without))
				from, to, stray := moves(all, fewer, changed)
				if from != count(all, changed) || to != 0 || float64(stray) > tc.stray*keys {
					t.Errorf("removed: %d keys moved from it, %d to it, %d others", from, to, stray)
				}
				from, to, stray = moves(fewer, all, changed)
				if from != 0 || to != count(all, changed) || float64(stray) > tc.stray*keys {
					t.Errorf("added: %d keys moved from it, %d to it, %d others", from, to, stray)
				}
				t.Logf("%d of %d keys belong to the member, %d others moved", to, keys, stray)
			})
		}
	}
}

func TestFewKeysMoveWhenAWeightChanges(t *testing.T) {
	for _, tc := range hashing {
		t.Run(tc.name, func(t *testing.T) {
			g := new(Group)
			shares := fill(g, slices.Repeat([]int{4}, 10)...)
			before := owners(t, g.NewBalancer(tc.config, shares))
			shares[3].Weight = 2
			after := owners(t, g.NewBalancer(tc.config, shares))
			m := shares[3].Member.Key()
			from, to, stray := moves(before, after, m)
			// It had a tenth, and is to have 2 of 38.
			ideal := float64(count(before, m)) - float64(count(after, m))
			if float64(from) < ideal || float64(from) > ideal+tc.stray*keys || float64(to) > tc.stray*keys || float64(stray) > tc.stray*keys {
				t.Errorf("%d keys moved from the member, %d to it, %d others; ideal are %v, 0 and 0", from, to, stray, ideal)
			}
		})
	}
}

func TestKeysSpreadByWeight(t *testing.T) {
	for _, tc := range hashing {
		for name, weights := range map[string][]int{
			"equal": alike(20), "mixed": {1, 2, 3, 4, 10}, "hundred": slices.Repeat([]int{100}, 10),
		} {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				g := new(Group)
				b := g.NewBalancer(tc.config, fill(g, weights...))
				total := 0
				for _, w := range weights {
					total += w
				}
				got, worst := owners(t, b), 0.0
				for i, w := range weights {
					mean := keys * float64(w) / float64(total)
					// Keys are random: allow four standard deviations.
					n := float64(count(got, b.shares[i].Member.Key()))
					worst = max(worst, n/mean)
					if slack := 1 + 4/math.Sqrt(mean); n > mean*tc.uneven*slack || n < mean/tc.uneven/slack {
						t.Errorf("a member of weight %d of %d has %v of %d keys", w, total, n, keys)
					}
				}
				t.Logf("max/mean %.3f", worst)
			})
		}
	}
}

func TestOwnersGoByKeyAndNotByPlaceInTheList(t *testing.T) {
	for _, tc := range hashing {
		t.Run(tc.name, func(t *testing.T) {
			g := new(Group)
			shares := fill(g, 3, 1, 4, 1, 5, 9, 2, 6)
			before := owners(t, g.NewBalancer(tc.config, shares))
			slices.Reverse(shares)
			if !slices.Equal(owners(t, g.NewBalancer(tc.config, shares)), before) {
				t.Error("owners changed with the order of the list")
			}
			// Another process, or node, has members of its own.
			other := new(Group)
			if !slices.Equal(owners(t, other.NewBalancer(tc.config, fill(other, 3, 1, 4, 1, 5, 9, 2, 6))), before) {
				t.Error("owners differ between two balancers of one configuration")
			}
		})
	}
}

func TestTablesOutliveChangesOfSomethingElse(t *testing.T) {
	for _, tc := range hashing {
		for _, change := range []struct {
			name string
			do   func(*Config, []Share)
			kept bool
		}{
			{"slow start", func(c *Config, _ []Share) { c.SlowStart = 5 }, true},
			{"limit", func(_ *Config, s []Share) { s[0].Limit = 5 }, true},
			{"weight", func(_ *Config, s []Share) { s[0].Weight = 5 }, false},
			{"member", func(_ *Config, s []Share) { s[0].Member = s[0].Member.group.NewMember("new") }, false},
			{"order", func(_ *Config, s []Share) { s[0], s[1] = s[1], s[0] }, false},
			{"algorithm", func(c *Config, _ []Share) {
				if c.Algorithm == lb.RingHash {
					c.Algorithm = lb.Maglev
				} else {
					c.Algorithm = lb.RingHash
				}
			}, false},
		} {
			t.Run(tc.name+"/"+change.name, func(t *testing.T) {
				g, config := new(Group), tc.config
				shares := fill(g, 1, 2, 3)
				before := g.NewBalancer(config, shares)
				change.do(&config, shares)
				after := g.NewBalancer(config, shares)
				if kept := &before.tables[0].owners[0] == &after.tables[0].owners[0]; kept != change.kept {
					t.Errorf("the table was kept: %t, want %t", kept, change.kept)
				}
			})
		}
	}
}

func TestARequestWithoutAHashGoesToAnyMember(t *testing.T) {
	for _, tc := range hashing {
		g := new(Group)
		b := g.NewBalancer(tc.config, fill(g, 1, 1, 1))
		if counts := tally(choose(t, b, 600), 3); slices.Min(counts) < 100 {
			t.Errorf("%s: 600 requests without a hash went %v", tc.name, counts)
		}
	}
}

func TestAHashGoesOnToTheSameMemberWhenItsOwnIsFullOrTried(t *testing.T) {
	for _, tc := range hashing {
		t.Run(tc.name, func(t *testing.T) {
			g := new(Group)
			shares := fill(g, alike(10)...)
			for i := range shares {
				shares[i].Limit = 1
			}
			b := g.NewBalancer(tc.config, shares)
			for key := range uint64(200) {
				r := Request{Hash: key, Hashed: true}
				own, _ := b.Acquire(r) // and fills it
				next, err := b.Acquire(r)
				shares[own.Index].Member.Release()
				shares[next.Index].Member.Release()
				if err != nil || own.AffinityBroken || !next.AffinityBroken {
					t.Fatalf("key %d: chose %+v, then %+v (%v)", key, own, next, err)
				}
				r.Tried = []int{own.Index}
				again, _ := b.Acquire(r)
				shares[again.Index].Member.Release()
				if again.Index != next.Index || !again.AffinityBroken {
					t.Fatalf("key %d goes on to %d when its member is full, to %d when it was tried", key, next.Index, again.Index)
				}
			}
		})
	}
}

func TestKeysStayWhenNearlyAllMembersAreGone(t *testing.T) {
	for _, tc := range hashing {
		t.Run(tc.name, func(t *testing.T) {
			g := new(Group)
			b := g.NewBalancer(tc.config, fill(g, alike(200)...))
			for _, s := range b.shares[4:] {
				s.Member.SetHealthy(false)
			}
			before := owners(t, b)
			for _, s := range b.shares[:4] {
				if n := count(before, s.Member.Key()); n < keys/8 || n > keys/2 {
					t.Errorf("%s, one of four left, has %d of %d keys", s.Member.Key(), n, keys)
				}
			}
			m := b.shares[0].Member
			m.SetHealthy(false)
			if from, to, stray := moves(before, owners(t, b), m.Key()); to != 0 || stray != 0 {
				t.Errorf("%d keys moved from the member, %d to it and %d others", from, to, stray)
			}
		})
	}
}

func TestMaglevSizesArePrimes(t *testing.T) {
	for _, size := range maglevSizes {
		for d := uint64(2); d*d <= size; d++ {
			if size%d == 0 {
				t.Errorf("%d is %d times %d", size, d, size/d)
			}
		}
	}
}

func TestARingIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name    string
		weights []int
	}{
		{"one member", []int{256}},
		{"many members", alike(lb.MaxMembers)},
		{"many heavy members", slices.Repeat([]int{lb.MaxWeight}, lb.MaxMembers)},
		{"many heavy members and a light one", append([]int{1}, slices.Repeat([]int{lb.MaxWeight}, lb.MaxMembers-1)...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := balancer(lb.RingHash, tc.weights...)
			points := map[uint16]int{}
			for _, o := range b.tables[0].owners {
				points[o]++
			}
			if n := len(b.tables[0].owners); n > maxRingPoints+len(tc.weights)+1 || len(points) != len(tc.weights) {
				t.Errorf("the ring has %d points of %d members; there are %d", n, len(points), len(tc.weights))
			}
		})
	}
}
