package balance

import (
	"slices"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func fill(g *Group, weights ...int) []Share {
	shares := make([]Share, len(weights))
	for i, w := range weights {
		shares[i] = Share{Member: g.NewMember(), Weight: w}
	}
	return shares
}

func choose(t *testing.T, b *Balancer, n int) []int {
	t.Helper()
	picks := make([]int, n)
	for i := range picks {
		if picks[i] = b.Acquire(); picks[i] >= 0 {
			b.shares[picks[i]].Member.Release()
		}
	}
	return picks
}

func TestRoundRobinGivesEachMemberExactlyItsWeightInAnyCycle(t *testing.T) {
	for _, tc := range []struct {
		name    string
		weights []int
	}{
		{"one member", []int{3}},
		{"equal", []int{1, 1, 1, 1}},
		{"two to one", []int{2, 1}},
		{"one heavy", []int{10, 1, 1, 1, 1, 1}},
		{"coprime", []int{7, 5, 3, 2}},
		{"widest", []int{256, 1, 128, 17}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := new(Group)
			b := g.NewBalancer(lb.RoundRobin, fill(g, tc.weights...))
			cycle := 0
			for _, w := range tc.weights {
				cycle += w
			}
			picks := choose(t, b, 5*cycle)
			for start := range 4 * cycle {
				counts := make([]int, len(tc.weights))
				for _, p := range picks[start : start+cycle] {
					counts[p]++
				}
				if !slices.Equal(counts, tc.weights) {
					t.Fatalf("choices %d to %d gave %v, want %v", start, start+cycle, counts, tc.weights)
				}
			}
		})
	}
}

func TestRoundRobinSpreadsAHeavyMemberAmongLightOnes(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.RoundRobin, fill(g, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1))
	run, longest := 0, 0
	for _, p := range choose(t, b, 200) {
		if run++; p == 0 {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 2 {
		t.Errorf("the heavy member waited %d choices in a row; half of all choices are its own", longest)
	}
}

func TestRoundRobinIsFairWhenRebuiltOften(t *testing.T) {
	counts := make([]int, 2)
	for range 2000 {
		g := new(Group)
		counts[choose(t, g.NewBalancer(lb.RoundRobin, fill(g, 3, 1)), 1)[0]]++
	}
	// 500 expected; the bounds are five standard deviations away.
	if counts[1] < 400 || counts[1] > 600 {
		t.Errorf("a member with a quarter of the weight got %d of 2000 first choices", counts[1])
	}
}

func TestLeastRequestsPrefersTheIdleMember(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.LeastRequests, fill(g, 100, 1))
	busy := b.Acquire()
	for range 20 {
		if got := choose(t, b, 1)[0]; got == busy {
			t.Fatalf("member %d has a request, member %d has none, yet the busy one was chosen", busy, 1-busy)
		}
	}
}

func TestLeastRequestsHoldsActiveRequestsInProportionToWeight(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.LeastRequests, fill(g, 3, 1))
	for range 400 {
		b.Acquire()
	}
	if a, z := b.shares[0].Member.Active(), b.shares[1].Member.Active(); a < 297 || a > 303 || a+z != 400 {
		t.Errorf("active requests are %d and %d, want 300 and 100", a, z)
	}
}

func TestLeastRequestsDrawsTiesByWeight(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.LeastRequests, fill(g, 3, 1))
	counts := make([]int, 2)
	for _, p := range choose(t, b, 4000) {
		counts[p]++
	}
	// 3000 expected; the bounds are seven standard deviations away.
	if counts[0] < 2800 || counts[0] > 3200 {
		t.Errorf("idle members of weights 3 and 1 were chosen %v times", counts)
	}
}

func TestUnhealthyMembersAreNeverChosenAndReturn(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			g := new(Group)
			b := g.NewBalancer(algorithm, fill(g, 1, 1, 1))
			b.shares[1].Member.SetHealthy(false)
			if picks := choose(t, b, 50); slices.Contains(picks, 1) {
				t.Fatalf("unhealthy member 1 was chosen: %v", picks)
			}
			b.shares[1].Member.SetHealthy(true)
			if picks := choose(t, b, 300); !slices.Contains(picks, 1) {
				t.Fatal("member 1 is healthy again and was not chosen in 300 choices")
			}
		})
	}
}

func TestBackupsServeOnlyWhileNoOtherMemberCan(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.RoundRobin, fill(g, 1, 1))
	b.shares[1].Backup = true
	steps := []struct {
		name             string
		primary, standby bool
		want             int
	}{
		{"both healthy", true, true, 0},
		{"primary fails", false, true, 1},
		{"all fail", false, false, -1},
		{"primary returns", true, false, 0},
	}
	for _, step := range steps {
		b.shares[0].Member.SetHealthy(step.primary)
		b.shares[1].Member.SetHealthy(step.standby)
		if picks := choose(t, b, 4); slices.ContainsFunc(picks, func(p int) bool { return p != step.want }) {
			t.Errorf("%s: chose %v, want only %d", step.name, picks, step.want)
		}
	}
}

func TestConcurrentChoicesLoseNoCount(t *testing.T) {
	g := new(Group)
	b := g.NewBalancer(lb.LeastRequests, fill(g, 1, 1, 1, 1))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { choose(t, b, 500) })
	}
	wg.Wait()
	for i, s := range b.shares {
		if n := s.Member.Active(); n != 0 {
			t.Errorf("member %d still counts %d requests", i, n)
		}
	}
}

func BenchmarkRoundRobin(b *testing.B) {
	g := new(Group)
	bal := g.NewBalancer(lb.RoundRobin, fill(g, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10))
	for b.Loop() {
		bal.shares[bal.Acquire()].Member.Release()
	}
}
