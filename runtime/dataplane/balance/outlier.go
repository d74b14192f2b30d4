package balance

import (
	"slices"
	"time"
)

// maxEjectionFactor bounds how many times the ejection time a member may be
// ejected for.
const maxEjectionFactor = 10

// Ejection says that a member was ejected, or that its ejection ended.
type Ejection struct {
	// Member is the member's key.
	Member string
	// At is when it happened.
	At time.Time
	// Ended is false when the ejection begins and true when it ends.
	Ended bool
	// For is how long the ejection is to last, or was to last.
	For time.Duration
	// Row is how many ejections this is in a row, from 1.
	Row int
}

// Report takes in how a request to the member ended: failed when the member gave
// no answer, or one that is as good as none.
//
// At each consecutive_failures failures in a row the member is ejected, unless
// max_ejected_percent of the pool's members would be exceeded. Where that percentage
// is less than one member, one may be ejected all the same as long as another is
// eligible. An ejection lasts ejection_time times the number of ejections in a row,
// at most ten times; the row ends when the member has been back for as long as it
// was ejected last.
//
// A report costs an atomic load, and a write only while there are failures.
func (m *Member) Report(failed bool) {
	if !failed {
		if m.failures.Load() != 0 {
			m.failures.Store(0)
		}
		return
	}
	outlier := m.group.outlier.Load()
	if outlier == nil {
		return
	}
	// At multiples of the threshold only: while the pool may eject no more, not
	// every failure is to take the lock and count.
	if threshold := uint32(max(1, outlier.ConsecutiveFailures)); m.failures.Add(1)%threshold == 0 {
		m.group.eject(m)
	}
}

// eject takes a member out of the pool for a while, if that is allowed.
func (g *Group) eject(m *Member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	outlier := g.outlier.Load()
	if outlier == nil || g.closed || m.out.Load() != 0 || m.generation != g.generation || !g.mayEject(m, outlier.MaxEjectedPercent) {
		return
	}
	now := time.Now()
	if m.ejectionsRow > 0 && now.Sub(m.returned) < m.ejectedFor {
		m.ejectionsRow = min(m.ejectionsRow+1, maxEjectionFactor)
	} else {
		m.ejectionsRow = 1
	}
	m.ejectedFor = outlier.EjectionTime.Std() * time.Duration(m.ejectionsRow)
	m.ejectedUntil = now.Add(m.ejectedFor)
	m.out.Or(ejected)
	g.ejected = append(g.ejected, m)
	g.wakeBy(m.ejectedUntil)
	g.announce(Ejection{Member: m.key, At: now, For: m.ejectedFor, Row: m.ejectionsRow})
	g.changed()
}

// mayEject reports whether one more member may be ejected. The caller holds mu.
func (g *Group) mayEject(m *Member, maxPercent int) bool {
	shares := g.current.shares
	if len(g.ejected) < len(shares)*maxPercent/100 {
		return true
	}
	return len(g.ejected) == 0 && slices.ContainsFunc(shares, func(s Share) bool {
		return s.Member != m && s.Member.out.Load() == 0
	})
}

// endEjections brings back the ejected members for which over is true, and
// reports whether there were any. The caller holds mu.
func (g *Group) endEjections(now time.Time, over func(*Member) bool) bool {
	before := len(g.ejected)
	g.ejected = slices.DeleteFunc(g.ejected, func(m *Member) bool {
		if !over(m) {
			g.wakeBy(m.ejectedUntil)
			return false
		}
		m.out.And(^ejected)
		m.failures.Store(0)
		m.returned = now
		g.startRamp(m, now)
		g.announce(Ejection{Member: m.key, At: now, Ended: true, For: m.ejectedFor, Row: m.ejectionsRow})
		return true
	})
	return len(g.ejected) < before
}
