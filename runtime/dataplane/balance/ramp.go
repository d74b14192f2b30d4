package balance

import (
	"slices"
	"time"
)

const (
	// rampSteps is in how many steps a slow start goes from the least share, one
	// step's, to the full weight.
	rampSteps = 20
	// minRampStep bounds how often the set of eligible members is built anew
	// because of slow starts.
	minRampStep = 10 * time.Millisecond
)

// startRamp begins a member's slow start, if the pool has one and the member gets
// requests. The caller holds mu.
func (g *Group) startRamp(m *Member, now time.Time) {
	if g.current == nil || g.current.config.SlowStart <= 0 || m.generation != g.generation {
		return
	}
	if m.rampSince.IsZero() {
		g.ramping = append(g.ramping, m)
	}
	m.rampSince = now
	g.wakeBy(now.Add(g.rampStep()))
}

// stepRamps ends slow starts that are over, arranges the next step of the others,
// and reports whether there were any. The caller holds mu.
func (g *Group) stepRamps(now time.Time) bool {
	if len(g.ramping) == 0 {
		return false
	}
	g.ramping = slices.DeleteFunc(g.ramping, func(m *Member) bool {
		// A member that has left the pool has nothing more to climb to.
		if m.generation == g.generation && m.rampStep(g.current.config.SlowStart, now) < rampSteps {
			return false
		}
		m.rampSince = time.Time{}
		return true
	})
	if len(g.ramping) > 0 {
		g.wakeBy(now.Add(g.rampStep()))
	}
	return true
}

// rampStep is the time between two steps. The caller holds mu.
func (g *Group) rampStep() time.Duration {
	return max(g.current.config.SlowStart/rampSteps, minRampStep)
}

// rampStep is how many steps of its slow start the member has behind it: from 1,
// the least share, to rampSteps, the full weight. The caller holds group.mu.
func (m *Member) rampStep(slowStart time.Duration, now time.Time) int {
	if slowStart <= 0 || m.rampSince.IsZero() {
		return rampSteps
	}
	return int(min(max(1, now.Sub(m.rampSince)*rampSteps/slowStart), rampSteps))
}
