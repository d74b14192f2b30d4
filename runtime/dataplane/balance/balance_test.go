package balance

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// fill returns shares of new members m0, m1 … of the given weights.
func fill(g *Group, weights ...int) []Share {
	shares := make([]Share, len(weights))
	for i, w := range weights {
		shares[i] = Share{Member: g.NewMember(fmt.Sprintf("m%d", i)), Weight: w}
	}
	return shares
}

func balancer(algorithm lb.Algorithm, weights ...int) *Balancer {
	g := new(Group)
	return g.NewBalancer(Config{Algorithm: algorithm}, fill(g, weights...))
}

// alike returns n times the weight 1.
func alike(n int) []int { return slices.Repeat([]int{1}, n) }

// choose makes n choices, each released before the next, and returns the indexes.
func choose(t testing.TB, b *Balancer, n int) []int {
	t.Helper()
	picks := make([]int, n)
	for i := range picks {
		c, err := b.Acquire(Request{})
		if err != nil {
			t.Fatalf("choice %d: %v", i, err)
		}
		b.shares[c.Index].Member.Release()
		picks[i] = c.Index
	}
	return picks
}

func tally(picks []int, members int) []int {
	counts := make([]int, members)
	for _, p := range picks {
		counts[p]++
	}
	return counts
}

func TestUnhealthyMembersAreNeverChosenAndReturn(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			b := balancer(algorithm, 1, 1, 1)
			b.shares[1].Member.SetHealthy(false)
			for key := range uint64(100) {
				c, err := b.Acquire(Request{Hash: key, Hashed: true})
				if err != nil || c.Index == 1 {
					t.Fatalf("chose %d (%v); member 1 is unhealthy", c.Index, err)
				}
			}
			if slices.Contains(choose(t, b, 50), 1) {
				t.Fatal("unhealthy member 1 was chosen")
			}
			b.shares[1].Member.SetHealthy(true)
			if !slices.Contains(choose(t, b, 300), 1) {
				t.Fatal("member 1 is healthy again and was not chosen in 300 choices")
			}
		})
	}
}

func TestAMemberThatFallsOutIsSkippedBeforeTheSetIsBuiltAnew(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			b := balancer(algorithm, 1, 1, 1)
			b.shares[1].Member.SetHealthy(false)
			b.group.mu.Lock() // as a choice that builds the set does
			defer b.group.mu.Unlock()
			for key := range uint64(100) {
				c, err := b.Acquire(Request{Hash: key, Hashed: key%2 == 0})
				if err != nil || c.Index == 1 {
					t.Fatalf("chose %d (%v); member 1 is unhealthy", c.Index, err)
				}
			}
			if b.eligible.Load().seen == b.group.changes.Load() {
				t.Fatal("the set was built anew: the test shows nothing")
			}
		})
	}
}

func TestALargePoolBuildsItsSetSeldomAndFailsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(Group)
		shares := fill(g, alike(largePool)...)
		for i := range shares {
			shares[i].Backup = i > 1
		}
		b := g.NewBalancer(Config{Algorithm: lb.RoundRobin}, shares)
		shares[0].Member.SetHealthy(false)
		if picks := choose(t, b, 10); slices.Contains(picks, 0) {
			t.Fatal("an unhealthy member was chosen")
		}
		shares[0].Member.SetHealthy(true)
		shares[1].Member.SetHealthy(false)
		before := b.eligible.Load()
		if picks := choose(t, b, 10); slices.Max(picks) > 0 {
			t.Fatalf("chose %v; 0 alone is eligible", picks)
		}
		if b.eligible.Load() != before {
			t.Error("the set was built anew although it still serves")
		}
		shares[0].Member.SetHealthy(false)
		if choose(t, b, 1)[0] < 2 {
			t.Error("an unhealthy member was chosen")
		}
		shares[0].Member.SetHealthy(true)
		time.Sleep(rebuildPause)
		if picks := choose(t, b, 10); slices.Max(picks) > 0 {
			t.Fatalf("chose %v; 0 is back, and serves instead of the backups", picks)
		}
	})
}

func TestBackupsServeOnlyWhileNoOtherMemberCan(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := new(Group)
			shares := fill(g, 1, 1)
			shares[1].Backup = true
			b := g.NewBalancer(Config{Algorithm: algorithm}, shares)
			for _, step := range []struct {
				name             string
				primary, standby bool
				want             int
			}{
				{"both healthy", true, true, 0},
				{"primary fails", false, true, 1},
				{"all fail", false, false, -1},
				{"primary returns", true, false, 0},
			} {
				shares[0].Member.SetHealthy(step.primary)
				shares[1].Member.SetHealthy(step.standby)
				for key := range uint64(8) {
					c, err := b.Acquire(Request{Hash: key, Hashed: key%2 == 0})
					if c.Index != step.want || errors.Is(err, ErrNoMember) != (step.want < 0) {
						t.Errorf("%s: chose %d (%v), want %d", step.name, c.Index, err, step.want)
					}
					if c.Index >= 0 && c.Backup != shares[c.Index].Backup {
						t.Errorf("%s: backup = %t beside member %d", step.name, c.Backup, c.Index)
					}
				}
			}
		})
	}
}

func TestAMemberAtItsLimitIsNotChosen(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := new(Group)
			shares := fill(g, 5, 1, 1)
			for i, limit := range []int{3, 2, 4} {
				shares[i].Limit = limit
			}
			b := g.NewBalancer(Config{Algorithm: algorithm}, shares)
			for i := range 9 {
				if _, err := b.Acquire(Request{Hash: uint64(i), Hashed: i%2 == 0}); err != nil {
					t.Fatalf("request %d: %v; there is room for 9", i, err)
				}
			}
			for i := range 2 {
				if c, err := b.Acquire(Request{Hashed: i == 0}); !errors.Is(err, ErrSaturated) || c.Index != -1 {
					t.Fatalf("request 10 was given to %d (%v)", c.Index, err)
				}
			}
			for i, s := range shares {
				if n := s.Member.Active(); n != int64(s.Limit) {
					t.Errorf("member %d has %d requests, its limit is %d", i, n, s.Limit)
				}
			}
			shares[1].Member.Release()
			if c, err := b.Acquire(Request{}); c.Index != 1 {
				t.Errorf("chose %d (%v); only member 1 has room", c.Index, err)
			}
		})
	}
}

func TestATriedMemberIsChosenAgainOnlyWhenNoOtherCanBe(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			b := balancer(algorithm, 9, 1, 1)
			for key := range uint64(60) {
				r := Request{Hash: key, Hashed: key%2 == 0}
				for range 3 {
					c, err := b.Acquire(r)
					if err != nil || slices.Contains(r.Tried, c.Index) {
						t.Fatalf("tried %v, chose %d (%v)", r.Tried, c.Index, err)
					}
					r.Tried = append(r.Tried, c.Index)
				}
				if _, err := b.Acquire(r); err != nil {
					t.Fatalf("all were tried: %v, want one of them again", err)
				}
			}
		})
	}
}

func TestAffinityHoldsWhileTheMemberCanServe(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := new(Group)
			shares := fill(g, 1, 1, 1, 1)
			shares[2].Limit, shares[3].Backup = 8, true
			b := g.NewBalancer(Config{Algorithm: algorithm}, shares)
			check := func(state string, r Request, broken bool) {
				t.Helper()
				c, err := b.Acquire(r)
				if err != nil || c.AffinityBroken != broken || (c.Index == r.Prefer) == broken {
					t.Errorf("%s: chose %+v (%v), want affinity to %d broken = %t", state, c, err, r.Prefer, broken)
				}
			}
			ask := Request{Prefer: 2, Preferred: true}
			check("healthy", ask, false)
			check("tried", Request{Prefer: 2, Preferred: true, Tried: []int{2}}, true)
			check("a backup while others serve", Request{Prefer: 3, Preferred: true}, true)
			check("no such share", Request{Prefer: 99, Preferred: true}, true)
			check("a negative share", Request{Prefer: -1, Preferred: true}, true)
			shares[2].Member.SetHealthy(false)
			check("unhealthy", ask, true)
			shares[2].Member.SetHealthy(true)
			check("healthy again", ask, false)
			for shares[2].Member.Active() < 8 {
				check("room left", ask, false)
			}
			check("at its limit", ask, true)
		})
	}
}

func TestCookieTagsAreFoundAgain(t *testing.T) {
	b := balancer(lb.RoundRobin, alike(200)...)
	for i, s := range b.shares {
		if got, ok := b.Lookup([]byte(s.Member.Tag())); !ok || got != i {
			t.Fatalf("tag %s of %s leads to %d (%t), want %d", s.Member.Tag(), s.Member.Key(), got, ok, i)
		}
	}
	// A tag outlives restarts and is the same on every node.
	if got := Tag("m0"); got != b.shares[0].Member.Tag() || got != "564bffea6ea8737a" {
		t.Errorf("Tag(m0) = %s, the member's is %s", got, b.shares[0].Member.Tag())
	}
	if i, ok := b.Lookup([]byte(Tag("gone"))); ok {
		t.Errorf("the tag of a member that is not there leads to %d", i)
	}
	for _, tc := range []struct{ name, tag string }{
		{"empty", ""},
		{"short", "564bffea6ea8737"},
		{"long", "564bffea6ea8737a0"},
		{"upper case", "564BFFEA6EA8737A"},
		{"no digits", "564bffea6ea8737g"},
		{"between the digits", "564bffea6ea8737:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if hash, ok := parseTag([]byte(tc.tag)); ok {
				t.Errorf("%q is taken for the tag of %x", tc.tag, hash)
			}
		})
	}
}

func TestAPoolWithoutMembersSaysSo(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		b := balancer(algorithm)
		for _, r := range []Request{{}, {Hashed: true}, {Preferred: true}} {
			if c, err := b.Acquire(r); !errors.Is(err, ErrNoMember) || c.Index != -1 {
				t.Errorf("%s: chose %d (%v)", algorithm, c.Index, err)
			}
		}
	}
}

func TestNeighboursDoNotShareACacheLine(t *testing.T) {
	if size := unsafe.Sizeof(Member{}); size%64 != 0 {
		t.Errorf("a member takes %d bytes; its padding must fill whole cache lines", size)
	}
	if at := unsafe.Offsetof(Member{}.generation); at != 64 {
		t.Errorf("what choices use takes %d bytes, want the first 64", at)
	}
}

// Run with -race, this also holds the package to its locks.
func TestNothingIsLostWhileEverythingChanges(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := NewGroup(func(Ejection) {})
			shares := fill(g, 1, 2, 3, 4, 5, 6, 7, 8)
			for i := range shares {
				shares[i].Limit, shares[i].Backup = 2, i == 7
			}
			config := Config{
				Algorithm: algorithm, HashAffinity: true, MaxPending: 2, SlowStart: 1,
				Outlier: &lb.OutlierDetection{ConsecutiveFailures: 2, EjectionTime: 1, MaxEjectedPercent: 50},
			}
			b := g.NewBalancer(config, shares)
			shares[0].Member.SetHealthy(false)
			const rounds = 300
			var wg sync.WaitGroup
			for worker := range 6 {
				wg.Go(func() {
					for i := range rounds {
						r := Request{Hash: uint64(i), Hashed: i%3 == 0, Prefer: i % 8, Preferred: i%5 == 0}
						c, err := b.Acquire(r)
						if errors.Is(err, ErrSaturated) {
							c, err = b.Wait(r, nil, 1000)
						}
						if err != nil {
							continue
						}
						m := shares[c.Index].Member
						if n := m.Active(); n > 2 {
							t.Errorf("member %d has %d requests, its limit is 2", c.Index, n)
						}
						if c.Index == 0 {
							t.Error("member 0, which is unhealthy, was chosen")
						}
						runtime.Gosched() // others come meanwhile
						m.Report((worker+i)%3 != 0)
						m.Release()
					}
				})
			}
			wg.Go(func() {
				for i := range rounds {
					shares[1+i%7].Member.SetHealthy(i%2 == 0)
				}
			})
			wg.Go(func() {
				for i := range rounds / 10 {
					g.NewBalancer(config, shares[i/10%2:])
				}
			})
			wg.Wait()
			for i, s := range shares {
				if n := s.Member.Active(); n != 0 {
					t.Errorf("member %d still counts %d requests", i, n)
				}
			}
			if n := g.waiting.Load(); n != 0 || len(g.queues.occupied) != 0 {
				t.Errorf("%d requests still wait in %d queues", n, len(g.queues.occupied))
			}
			g.Close()
		})
	}
}

func TestAChoiceAllocatesNothing(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		for _, tc := range []struct {
			name string
			r    Request
		}{
			{"plain", Request{}},
			{"hashed", Request{Hash: 7, Hashed: true}},
			{"preferred", Request{Prefer: 3, Preferred: true}},
			{"tried", Request{Hash: 7, Hashed: true, Tried: []int{0, 1, 2, 3}}},
			{"all tried", Request{Tried: []int{0, 1, 2, 3, 4}}},
		} {
			t.Run(string(algorithm)+"/"+tc.name, func(t *testing.T) {
				b := balancer(algorithm, 1, 2, 3, 4, 5)
				b.shares[4].Limit = 1
				b.shares[4].Member.active.Store(1)
				tag := []byte(b.shares[2].Member.Tag())
				if n := testing.AllocsPerRun(200, func() {
					c, err := b.Acquire(tc.r)
					if err != nil {
						t.Fatal(err)
					}
					m := b.shares[c.Index].Member
					m.Report(false)
					m.Release()
					b.Lookup(tag)
				}); n != 0 {
					t.Errorf("a choice allocates %v times", n)
				}
			})
		}
	}
}
