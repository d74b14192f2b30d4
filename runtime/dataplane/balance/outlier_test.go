package balance

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func outlier(failures int, ejection time.Duration, percent int) *lb.OutlierDetection {
	return &lb.OutlierDetection{ConsecutiveFailures: failures, EjectionTime: lb.Duration(ejection), MaxEjectedPercent: percent}
}

func fail(m *Member, n int) {
	for range n {
		m.Report(true)
	}
}

// pool returns a balancer with outlier detection; the channel is told of ejections.
func pool(config Config, weights ...int) (*Balancer, chan Ejection) {
	told := make(chan Ejection, 100)
	g := NewGroup(func(e Ejection) { told <- e })
	return g.NewBalancer(config, fill(g, weights...)), told
}

func TestAMemberIsEjectedAtTheThresholdAndReturnsByTime(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, told := pool(Config{Algorithm: algorithm, Outlier: outlier(3, 30*time.Second, 50)}, 1, 1, 1)
				m := b.shares[1].Member
				fail(m, 2)
				m.Report(false)
				fail(m, 2)
				if m.Ejected() {
					t.Fatal("ejected although a success came between the failures")
				}
				m.Report(true)
				if !m.Ejected() || !m.Healthy() {
					t.Fatalf("after 3 failures in a row: ejected = %t, healthy = %t", m.Ejected(), m.Healthy())
				}
				want := Ejection{Member: "m1", At: time.Now(), For: 30 * time.Second, Row: 1}
				if e := <-told; e != want {
					t.Errorf("told of %+v, want %+v", e, want)
				}
				for key := range uint64(100) {
					if c, _ := b.Acquire(Request{Hash: key, Hashed: key%2 == 0}); c.Index == 1 {
						t.Fatal("an ejected member was chosen")
					}
				}
				time.Sleep(30*time.Second - 1)
				if synctest.Wait(); !m.Ejected() {
					t.Fatal("returned before the ejection time was over")
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				want.At, want.Ended = time.Now(), true
				if e := <-told; e != want || m.Ejected() {
					t.Errorf("told of %+v, ejected = %t; want %+v", e, m.Ejected(), want)
				}
				if !slices.Contains(choose(t, b, 100), 1) {
					t.Error("the member is back and was not chosen in 100 choices")
				}
			})
		})
	}
}

func TestEjectionsInARowLastLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := pool(Config{Outlier: outlier(1, time.Minute, 50)}, 1, 1)
		m := b.shares[0].Member
		eject := func(pause time.Duration, row int) {
			t.Helper()
			time.Sleep(pause)
			m.Report(true)
			want := time.Minute * time.Duration(row)
			if e := <-told; e.Row != row || e.For != want {
				t.Errorf("ejected for %v as number %d in a row, want %v and %d", e.For, e.Row, want, row)
			}
			if e := <-told; !e.Ended { // waits for it
				t.Errorf("told of %+v, want the end", e)
			}
		}
		eject(0, 1)
		eject(59*time.Second, 2)
		eject(119*time.Second, 3)
		eject(3*time.Minute, 1) // it was back for as long as it was out
		for row := 2; row <= 10; row++ {
			eject(time.Second, row)
		}
		eject(time.Second, 10)
	})
}

func TestNoMoreMembersAreEjectedThanAllowed(t *testing.T) {
	for _, tc := range []struct {
		name             string
		members, percent int
		unhealthy        int // of them, from the end
		want             int
	}{
		{"half", 10, 50, 0, 5},
		{"rounded down", 10, 39, 0, 3},
		{"one may always be", 5, 10, 0, 1},
		{"also at none", 5, 0, 0, 1},
		{"but not the only one", 1, 10, 0, 0},
		{"nor the only eligible one", 3, 10, 2, 0},
		{"all", 4, 100, 0, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, _ := pool(Config{Outlier: outlier(2, time.Hour, tc.percent)}, alike(tc.members)...)
			defer b.group.Close()
			for _, s := range b.shares[tc.members-tc.unhealthy:] {
				s.Member.SetHealthy(false)
			}
			got := 0
			for _, s := range b.shares {
				if fail(s.Member, 8); s.Member.Ejected() {
					got++
				}
			}
			if got != tc.want {
				t.Errorf("%d members are ejected, want %d", got, tc.want)
			}
		})
	}
}

func TestAMemberThatMightNotBeEjectedIsWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := pool(Config{Outlier: outlier(3, time.Minute, 50)}, 1, 1)
		first, second := b.shares[0].Member, b.shares[1].Member
		fail(first, 3)
		if fail(second, 3); second.Ejected() {
			t.Fatal("all members are ejected")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if fail(second, 3); !second.Ejected() {
			t.Error("the member went on failing and the other is back, yet it is not ejected")
		}
	})
}

func TestEjectedMembersServeRatherThanNobodyButUnhealthyOnesNever(t *testing.T) {
	for _, algorithm := range lb.Algorithms {
		t.Run(string(algorithm), func(t *testing.T) {
			b, _ := pool(Config{Algorithm: algorithm, Outlier: outlier(1, time.Hour, 100)}, 1, 1, 1)
			defer b.group.Close()
			b.shares[2].Member.SetHealthy(false)
			fail(b.shares[0].Member, 1)
			fail(b.shares[1].Member, 1)
			if counts := tally(choose(t, b, 200), 3); counts[0] == 0 || counts[1] == 0 || counts[2] != 0 {
				t.Errorf("choices fell %v; both ejected members are to serve, the unhealthy one is not", counts)
			}
			b.shares[2].Member.SetHealthy(true)
			if counts := tally(choose(t, b, 200), 3); counts[2] != 200 {
				t.Errorf("choices fell %v; member 2 is eligible again", counts)
			}
		})
	}
}

func TestEjectionsFollowTheNewestConfiguration(t *testing.T) {
	config := Config{Outlier: outlier(1, time.Hour, 100)}
	for _, tc := range []struct {
		name   string
		change func(*Config, []Share) []Share
		want   bool // still ejected
	}{
		{"nothing changes", func(_ *Config, s []Share) []Share { return s }, true},
		{"detection is turned off", func(c *Config, s []Share) []Share { c.Outlier = nil; return s }, false},
		{"the member is drained", func(_ *Config, s []Share) []Share { return s[1:] }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, told := pool(config, 1, 1)
				defer b.group.Close()
				m := b.shares[0].Member
				m.Report(true)
				<-told
				next := config
				shares := tc.change(&next, b.shares)
				b.group.NewBalancer(next, shares)
				if synctest.Wait(); m.Ejected() != tc.want {
					t.Errorf("ejected = %t, want %t", m.Ejected(), tc.want)
				}
				if n := len(told); (n == 0) != tc.want {
					t.Errorf("told of %d changes", n)
				}
				if m.Report(true); m.Ejected() != tc.want {
					t.Errorf("a further failure made ejected = %t", m.Ejected())
				}
			})
		})
	}
}

func TestAClosedGroupIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := pool(Config{Outlier: outlier(1, time.Minute, 100)}, 1, 1)
		b.shares[0].Member.Report(true)
		<-told
		b.group.Close()
		b.shares[1].Member.Report(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) != 0 {
			t.Errorf("told of %+v after the group was closed", <-told)
		}
	})
}

func TestNobodyIsToldOfWhatWasUntoldWhenTheGroupWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		g := NewGroup(func(Ejection) {
			told++
			time.Sleep(time.Second)
		})
		shares := fill(g, 1, 1)
		g.NewBalancer(Config{Outlier: outlier(1, time.Minute, 100)}, shares)
		shares[0].Member.Report(true)
		synctest.Wait() // notify has the first
		shares[1].Member.Report(true)
		g.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if told != 1 {
			t.Errorf("told of %d ejections, want 1", told)
		}
	})
}

func TestEachEjectionEndsInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := pool(Config{Outlier: outlier(1, time.Minute, 100)}, 1, 1, 1)
		defer b.group.Close()
		long, short := b.shares[0].Member, b.shares[1].Member
		long.Report(true)
		<-told
		<-told
		long.Report(true) // the second in a row, for two minutes
		<-told
		time.Sleep(30 * time.Second)
		short.Report(true) // for one
		<-told
		for _, want := range []struct {
			after       time.Duration
			long, short bool
		}{
			{59 * time.Second, true, true},
			{2 * time.Second, true, false},
			{28 * time.Second, true, false},
			{2 * time.Second, false, false},
		} {
			time.Sleep(want.after)
			if synctest.Wait(); long.Ejected() != want.long || short.Ejected() != want.short {
				t.Errorf("ejected are %t and %t, want %t and %t", long.Ejected(), short.Ejected(), want.long, want.short)
			}
		}
	})
}

func TestNotifyMayCallTheGroupAndIsToldInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shares []Share
		var ended []bool
		busy := false
		g := NewGroup(func(e Ejection) {
			if busy {
				t.Error("told of two ejections at once")
			}
			busy = true
			ended = append(ended, e.Ended)
			shares[1].Member.SetHealthy(e.Ended)
			time.Sleep(5 * time.Minute) // longer than the ejection
			busy = false
		})
		shares = fill(g, 1, 1)
		g.NewBalancer(Config{Outlier: outlier(1, time.Minute, 100)}, shares)
		for range 3 {
			shares[0].Member.Report(true)
			time.Sleep(2 * time.Hour)
		}
		synctest.Wait()
		if want := []bool{false, true, false, true, false, true}; !slices.Equal(ended, want) {
			t.Errorf("told of ends %v, want %v", ended, want)
		}
	})
}
