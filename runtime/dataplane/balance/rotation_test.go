package balance

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func candidates(weights ...int) []candidate {
	out := make([]candidate, len(weights))
	for i, w := range weights {
		out[i] = candidate{share: i, weight: int64(w)}
	}
	return out
}

// checkCycles holds every run of cycle picks to exactly weights.
func checkCycles(t *testing.T, picks, weights []int) {
	t.Helper()
	cycle := 0
	for _, w := range weights {
		cycle += w
	}
	counts := tally(picks[:cycle], len(weights))
	for end := cycle; ; end++ {
		if !slices.Equal(counts, weights) {
			t.Fatalf("choices %d to %d gave %v, want %v", end-cycle, end, counts, weights)
		}
		if end == len(picks) {
			return
		}
		counts[picks[end]]++
		counts[picks[end-cycle]]--
	}
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
			cycle := 0
			for _, w := range tc.weights {
				cycle += w
			}
			checkCycles(t, choose(t, balancer(lb.RoundRobin, tc.weights...), 4*cycle), tc.weights)
		})
	}
}

func TestAnyRotationGivesEachCandidateExactlyItsWeightInAnyCycle(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	scheduled, long := 0, 0
	for range 60 {
		// Members from 1 to 300, of weights up to 1 or up to 256.
		weights := make([]int, 1+random.IntN(300))
		most := 1 << random.IntN(9)
		cycle := 0
		for i := range weights {
			weights[i] = 1 + random.IntN(most)
			cycle += weights[i]
		}
		r := newRotation(candidates(weights...))
		if r.schedule != nil {
			scheduled++
		} else {
			long++
		}
		picks := make([]int, 2*cycle)
		for i := range picks {
			picks[i] = r.at(uint64(i))
		}
		checkCycles(t, picks, weights)
	}
	if scheduled == 0 || long == 0 {
		t.Errorf("%d rotations were scheduled and %d long; want some of both", scheduled, long)
	}
}

func TestAWeightInCommonMakesNoDifference(t *testing.T) {
	weights := slices.Repeat([]int{lb.MaxWeight}, 100)
	checkCycles(t, choose(t, balancer(lb.RoundRobin, weights...), 500), alike(len(weights)))
}

func TestRoundRobinSpreadsAHeavyMemberAmongLightOnes(t *testing.T) {
	for range 100 { // rotations begin at random
		b := balancer(lb.RoundRobin, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
		run, longest := 0, 0
		for _, p := range choose(t, b, 60) {
			if run++; p == 0 {
				run = 0
			}
			longest = max(longest, run)
		}
		if longest > 2 {
			t.Fatalf("the heavy member waited %d choices in a row; half of all choices are its own", longest)
		}
	}
}

func TestALongRotationSpreadsEveryCandidatesTurns(t *testing.T) {
	weights := make([]int, 400)
	random := rand.New(rand.NewPCG(3, 4))
	cycle := 0
	for i := range weights {
		weights[i] = 1 + random.IntN(256)
		cycle += weights[i]
	}
	r := newRotation(candidates(weights...))
	if r.schedule != nil {
		t.Fatal("the rotation is not a long one")
	}
	last := make([]int, len(weights))
	for turn := range 2 * cycle {
		i := r.at(uint64(turn))
		mean := cycle / weights[i]
		if wait := turn - last[i]; last[i] > 0 && wait > 3*mean+2 {
			t.Fatalf("a candidate of weight %d waited %d turns; on average it waits %d", weights[i], wait, mean)
		}
		last[i] = turn
	}
}

func TestRoundRobinIsFairWhenRebuiltOften(t *testing.T) {
	for _, tc := range []struct {
		name    string
		weights []int
		// part is that of member 1 in all choices.
		part float64
	}{
		{"scheduled", []int{3, 1}, 1.0 / 4},
		{"long", append([]int{255, 256}, slices.Repeat([]int{251}, 100)...), 256.0 / 25611},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const rounds = 4000
			g := new(Group)
			shares := fill(g, tc.weights...)
			got := 0.0
			for range rounds {
				if choose(t, g.NewBalancer(Config{Algorithm: lb.RoundRobin}, shares), 1)[0] == 1 {
					got++
				}
			}
			// Six standard deviations: wrong once in 500 million runs.
			want := rounds * tc.part
			if off := (got - want) * (got - want); off > 36*want*(1-tc.part) {
				t.Errorf("the member got %v of %d first choices, want about %v", got, rounds, want)
			}
		})
	}
}
