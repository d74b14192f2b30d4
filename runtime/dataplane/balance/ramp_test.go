package balance

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// checkShares holds a cycle of choices to exact counts.
func checkShares(t *testing.T, when string, b *Balancer, want ...int) {
	t.Helper()
	synctest.Wait()
	cycle := 0
	for _, n := range want {
		cycle += n
	}
	if counts := tally(choose(t, b, cycle), len(want)); !slices.Equal(counts, want) {
		t.Errorf("%s: %d choices fell %v, want %v", when, cycle, counts, want)
	}
}

func TestAMemberThatReturnsClimbsToItsWeight(t *testing.T) {
	const slow = 20 * time.Second
	for _, tc := range []struct {
		name string
		// away takes member 2 out of the pool and brings it back.
		away func(*Balancer) *Balancer
	}{
		{"healthy again", func(b *Balancer) *Balancer {
			b.shares[2].Member.SetHealthy(false)
			time.Sleep(time.Hour)
			b.shares[2].Member.SetHealthy(true)
			return b
		}},
		{"after an ejection", func(b *Balancer) *Balancer {
			b.shares[2].Member.Report(true)
			time.Sleep(time.Minute)
			return b
		}},
		{"added", func(b *Balancer) *Balancer {
			return b.group.NewBalancer(b.config, append(b.shares[:2:2], Share{Member: b.group.NewMember("new"), Weight: 2}))
		}},
		{"active after drain", func(b *Balancer) *Balancer {
			b.group.NewBalancer(b.config, b.shares[:2])
			time.Sleep(time.Hour)
			return b.group.NewBalancer(b.config, b.shares)
		}},
		{"climbing through another change of configuration", func(b *Balancer) *Balancer {
			b.shares[2].Member.SetHealthy(false)
			b.shares[2].Member.SetHealthy(true)
			return b.group.NewBalancer(b.config, b.shares)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := new(Group)
				b := g.NewBalancer(Config{Algorithm: lb.RoundRobin, SlowStart: slow, Outlier: outlier(1, time.Minute, 50)}, fill(g, 2, 2, 2))
				checkShares(t, "at the first configuration", b, 1, 1, 1)
				b = tc.away(b)
				checkShares(t, "back", b, 20, 20, 1)
				time.Sleep(5 * time.Second)
				checkShares(t, "after a quarter", b, 4, 4, 1)
				time.Sleep(5 * time.Second)
				checkShares(t, "after a half", b, 2, 2, 1)
				time.Sleep(9 * time.Second)
				checkShares(t, "after 19 of 20 steps", b, 20, 20, 19)
				time.Sleep(time.Second)
				checkShares(t, "at the end", b, 1, 1, 1)
				if len(g.ramping) != 0 || !g.alarmAt.IsZero() {
					t.Errorf("%d members still climb; the timer is set for %v", len(g.ramping), g.alarmAt)
				}
			})
		})
	}
}

func TestMembersThatClimbTogetherShareAsWhenNobodyDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(Group)
		b := g.NewBalancer(Config{Algorithm: lb.RoundRobin, SlowStart: time.Minute}, fill(g, 1, 3))
		for _, healthy := range []bool{false, true} {
			for _, s := range b.shares {
				s.Member.SetHealthy(healthy)
			}
		}
		for range 25 {
			checkShares(t, "climbing", b, 1, 3)
			time.Sleep(3 * time.Second)
		}
	})
}

func TestWithoutSlowStartAMemberReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(Group)
		b := g.NewBalancer(Config{Algorithm: lb.RoundRobin}, fill(g, 1, 1))
		b.shares[0].Member.SetHealthy(false)
		b.shares[0].Member.SetHealthy(true)
		checkShares(t, "back", b, 1, 1)
	})
}

func TestTurningSlowStartOffEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := new(Group)
		b := g.NewBalancer(Config{Algorithm: lb.RoundRobin, SlowStart: time.Hour}, fill(g, 1, 1))
		b.shares[0].Member.SetHealthy(false)
		b.shares[0].Member.SetHealthy(true)
		checkShares(t, "climbing", b, 1, 20)
		b = g.NewBalancer(Config{Algorithm: lb.RoundRobin}, b.shares)
		checkShares(t, "turned off", b, 1, 1)
		b = g.NewBalancer(Config{Algorithm: lb.RoundRobin, SlowStart: time.Hour}, b.shares)
		checkShares(t, "turned on again", b, 1, 1)
	})
}

func TestKeysComeOneByOneToAMemberThatClimbs(t *testing.T) {
	for _, tc := range hashing {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := tc.config
				config.SlowStart = 20 * time.Second
				g := new(Group)
				b := g.NewBalancer(config, fill(g, alike(5)...))
				full, m := owners(t, b), b.shares[0].Member
				m.SetHealthy(false)
				before := owners(t, b)
				m.SetHealthy(true)
				whole := count(full, m.Key())
				for step := 1; step <= rampSteps; step++ {
					after := owners(t, b)
					if from, _, stray := moves(before, after, m.Key()); from != 0 || stray != 0 {
						t.Fatalf("step %d: %d keys moved from the member, %d between others", step, from, stray)
					}
					if n, want := count(after, m.Key()), whole*step/rampSteps; n < want-whole/10 || n > want+whole/10 {
						t.Errorf("step %d: the member has %d keys, want about %d", step, n, want)
					}
					before = after
					time.Sleep(time.Second)
					if step == 1 { // the first step's share is that of two
						time.Sleep(time.Second)
					}
					synctest.Wait()
				}
				if !slices.Equal(before, full) {
					t.Error("the keys are not all back")
				}
			})
		})
	}
}
