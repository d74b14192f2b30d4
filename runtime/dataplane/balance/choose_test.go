package balance

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestLeastRequestsPrefersTheIdleMember(t *testing.T) {
	b := balancer(lb.LeastRequests, 100, 1)
	busy, _ := b.Acquire(Request{})
	for range 20 {
		if got := choose(t, b, 1)[0]; got == busy.Index {
			t.Fatalf("member %d has a request, member %d has none, yet the busy one was chosen", busy.Index, 1-busy.Index)
		}
	}
}

func TestLeastRequestsHoldsActiveRequestsInProportionToWeight(t *testing.T) {
	b := balancer(lb.LeastRequests, 3, 1)
	for range 400 {
		b.Acquire(Request{})
	}
	if a, z := b.shares[0].Member.Active(), b.shares[1].Member.Active(); a < 297 || a > 303 || a+z != 400 {
		t.Errorf("active requests are %d and %d, want 300 and 100", a, z)
	}
}

func TestLeastRequestsDrawsTiesByWeight(t *testing.T) {
	b := balancer(lb.LeastRequests, 3, 1, 4)
	counts := tally(choose(t, b, 4000), 3)
	for i, want := range []float64{1500, 500, 2000} {
		// Six standard deviations.
		if off := float64(counts[i]) - want; off*off > 36*want*(1-want/4000) {
			t.Errorf("idle members of weights 3, 1 and 4 were chosen %v times", counts)
		}
	}
}

func TestOfTwoChoicesOfOneIdleMemberOnlyOneTakesIt(t *testing.T) {
	b := balancer(lb.LeastRequests, 1, 1, 1)
	b.shares[0].Member.active.Store(1)
	b.shares[2].Member.active.Store(1)
	e := b.eligible.Load()
	first, active := e.leastLoaded(nil)
	second, also := e.leastLoaded(nil)
	if first.share != 1 || second.share != 1 {
		t.Fatalf("chose %d and %d; 1 alone is idle", first.share, second.share)
	}
	if !first.member.claimAt(active) || second.member.claimAt(also) {
		t.Error("of two choices by the same count not exactly one took the member")
	}
}

func TestLeastRequestsReachesEveryMemberOfALargePool(t *testing.T) {
	const members = 4 * leastWindow
	b := balancer(lb.LeastRequests, alike(members)...)
	for range 3 * members {
		b.Acquire(Request{})
	}
	for i, s := range b.shares {
		if n := s.Member.Active(); n < 1 || n > 8 {
			t.Errorf("member %d has %d requests; 3 would be even", i, n)
		}
	}
}

func TestRandomTwoPrefersTheLessLoadedPerWeight(t *testing.T) {
	for _, tc := range []struct {
		name   string
		active []int64
		want   int
	}{
		{"fewer requests", []int64{2, 9}, 0},
		{"fewer requests for its weight", []int64{2, 5}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := balancer(lb.RandomTwo, 1, 3)
			for i, n := range tc.active {
				b.shares[i].Member.active.Store(n)
			}
			// Of two members both are always drawn.
			if picks := choose(t, b, 100); slices.ContainsFunc(picks, func(p int) bool { return p != tc.want }) {
				t.Errorf("chose %v, want always %d", tally(picks, 2), tc.want)
			}
		})
	}
}

func TestDrawsFollowWeightsAndAreTwo(t *testing.T) {
	weights := []int{1, 2, 4, 8, 1}
	w := newWheel(candidates(weights...))
	const rounds = 16000
	firsts := make([]int, len(weights))
	for range rounds {
		first, second := w.two()
		if first == second {
			t.Fatalf("drew %d twice", first)
		}
		firsts[first]++
	}
	for i, weight := range weights {
		want := rounds * float64(weight) / 16
		if off := math.Abs(float64(firsts[i]) - want); off > 6*math.Sqrt(want) {
			t.Errorf("a candidate of weight %d of 16 was drawn first %d times of %d", weight, firsts[i], rounds)
		}
	}
	single := newWheel(candidates(5))
	if first, second := single.two(); first != 0 || second != 0 {
		t.Errorf("of one candidate %d and %d were drawn", first, second)
	}
}

func TestRandomTwoSpreadsALoad(t *testing.T) {
	b := balancer(lb.RandomTwo, alike(50)...)
	for range 50 * 20 {
		b.Acquire(Request{})
	}
	for i, s := range b.shares {
		if n := s.Member.Active(); n < 14 || n > 26 {
			t.Errorf("member %d has %d requests; 20 would be even", i, n)
		}
	}
}

func TestIntervalsFindEveryPoint(t *testing.T) {
	for _, last := range [][]uint64{
		{0},
		{0, 1, 2, 3},
		{9},
		{4, 5, 300, 301, 1000},
		{0, 999_999, 1_000_000},
		{1 << 20, 1 << 40, math.MaxUint64},
	} {
		t.Run(fmt.Sprint(last), func(t *testing.T) {
			v, first := newIntervals(last), uint64(0)
			for i, end := range last {
				for _, point := range []uint64{first, first + (end-first)/2, end} {
					if got := v.find(point); got != i {
						t.Errorf("point %d lies in interval %d, got %d", point, i, got)
					}
				}
				first = end + 1
			}
			if len(v.guide) > 2*len(last) {
				t.Errorf("%d intervals have a guide of %d", len(last), len(v.guide))
			}
		})
	}
}

func TestChoicesGoOnWhenMostCandidatesAreFull(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := new(Group)
			shares := fill(g, alike(700)...)
			for i := range shares {
				shares[i].Limit = 1
				if i != 350 {
					shares[i].Member.active.Store(1)
				}
			}
			b := g.NewBalancer(Config{Algorithm: algorithm}, shares)
			for range 20 {
				if got := choose(t, b, 1)[0]; got != 350 {
					t.Fatalf("chose %d, want 350: it alone has room", got)
				}
			}
		})
	}
}
