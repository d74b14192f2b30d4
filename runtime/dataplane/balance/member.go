package balance

import (
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Why a member is not eligible: flags of [Member.out].
const (
	unhealthy uint32 = 1 << iota
	ejected
)

// Member is the live side of one member. Its methods are safe for concurrent use.
type Member struct {
	// The first 64 bytes are what choices use. Members are padded to whole cache
	// lines, so that counting on one does not slow down its neighbours.

	active atomic.Int64
	// failures counts failures in a row, as far as they are of interest.
	failures atomic.Uint32
	// out is zero while the member is eligible. It changes under group.mu.
	out   atomic.Uint32
	group *Group
	key   string
	tag   string
	hash  uint64 // of key: the same on every node and after every restart

	// The rest is protected by group.mu.

	// generation is that of the newest balancer with the member.
	generation uint64
	// rampSince is when the member's slow start began; zero when it has none.
	rampSince    time.Time
	ejectedUntil time.Time
	// What a further ejection goes by: when the last one ended, how long it
	// lasted, and how many came in a row.
	returned     time.Time
	ejectedFor   time.Duration
	ejectionsRow int

	_ [32]byte
}

// NewMember returns a healthy member without requests. Its key is its name within
// the pool; places in hash tables and affinity cookies go by it.
func (g *Group) NewMember(key string) *Member {
	hash := xxhash.Sum64String(key)
	return &Member{group: g, key: key, tag: formatTag(hash), hash: hash}
}

// Key is the member's name within its pool.
func (m *Member) Key() string { return m.key }

// Active is the number of requests, or of connections of a tcp pool, that the
// member is serving.
func (m *Member) Active() int64 { return m.active.Load() }

// Healthy reports what the last call of SetHealthy said; a new member is healthy.
func (m *Member) Healthy() bool { return m.out.Load()&unhealthy == 0 }

// Ejected reports whether outlier detection keeps the member from being chosen.
func (m *Member) Ejected() bool { return m.out.Load()&ejected != 0 }

// SetHealthy records the member's health; choices made afterwards respect it. A
// member that becomes healthy begins its slow start.
func (m *Member) SetHealthy(healthy bool) {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.Healthy() == healthy {
		return
	}
	if healthy {
		m.out.And(^unhealthy)
		m.failures.Store(0)
		g.startRamp(m, time.Now())
	} else {
		m.out.Or(unhealthy)
	}
	g.changed()
}

// Release ends a request that [Balancer.Acquire] or [Balancer.Wait] began.
func (m *Member) Release() {
	m.active.Add(-1)
	// A request that joins the queue counts itself before it tries once more, so
	// either it sees the room or we see it waiting.
	if m.group.waiting.Load() > 0 {
		m.group.queues.wake()
	}
}

// claim counts a request on the member unless it has limit of them already; a
// limit of 0 is none.
func (m *Member) claim(limit int64) bool {
	if limit == 0 {
		m.active.Add(1)
		return true
	}
	for n := m.active.Load(); n < limit; n = m.active.Load() {
		if m.active.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// claimAt counts a request on the member if it still has as many as the caller saw.
func (m *Member) claimAt(active int64) bool { return m.active.CompareAndSwap(active, active+1) }
