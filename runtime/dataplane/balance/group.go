// Package balance chooses the member that serves next.
//
// A [Group] and its [Member] values are the live side of a pool: they count
// active requests, know who is healthy, ejected or starting slowly, hold the
// queue of requests that wait for room, and outlive configurations. A [Balancer]
// belongs to one version of a pool's configuration: it holds weights, limits,
// the position in the rotation and the tables of hashed choices.
//
// A choice takes no lock and allocates nothing. It goes by an immutable set of
// eligible members behind an atomic pointer. What changes the set (health,
// ejection, a step of a slow start) only counts up [Group.changes]; the next
// choice that sees the count builds the set anew, while choices at the same time
// go by the old one and skip who has fallen out of it by the member's own flags.
package balance

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Group is what the members of a pool share for as long as the pool exists. The
// zero value is a group without members that nobody is told of.
type Group struct {
	// What every choice reads stands together, and is rarely written.

	// changes counts changes of who is eligible and by what weight.
	changes atomic.Uint64
	// waiting is how many requests wait in the queues of all balancers.
	waiting atomic.Int64
	// outlier is nil while nobody is to be ejected.
	outlier atomic.Pointer[lb.OutlierDetection]

	queues queues

	// mu protects what follows and the fields of members that say so. It is held
	// while a balancer builds its set of eligible members: one at a time.
	mu sync.Mutex
	// current is the newest balancer; its configuration is the one that ejections
	// and slow starts go by.
	current *Balancer
	// generation counts balancers; a member of the current one has the same number.
	generation uint64
	ejected    []*Member
	ramping    []*Member
	// alarm calls tick at alarmAt, which is zero when it is not set.
	alarm   *time.Timer
	alarmAt time.Time
	closed  bool
	bulletin
}

// NewGroup returns a group without members. Notify, which may be nil, is told of
// ejections and their ends: in order, one call at a time, on a goroutine of its
// own, so it may take its time and call anything.
func NewGroup(notify func(Ejection)) *Group {
	g := new(Group)
	g.notify = notify
	return g
}

// Close ends what the group does by itself: members stay as they are, and notify
// is told of nothing more. It is for a pool that is gone; requests under way may
// still be released.
func (g *Group) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.alarm != nil {
		g.alarm.Stop()
	}
}

// changed lets choices and waiting requests see that members have changed. It
// comes after the change itself: who sees the count sees the change.
func (g *Group) changed() {
	g.changes.Add(1)
	if g.waiting.Load() > 0 {
		g.queues.wake()
	}
}

// wakeBy makes sure that tick is called at a time or before. The caller holds mu.
func (g *Group) wakeBy(at time.Time) {
	if g.closed || !g.alarmAt.IsZero() && !at.Before(g.alarmAt) {
		return
	}
	g.alarmAt = at
	if g.alarm == nil {
		g.alarm = time.AfterFunc(time.Until(at), g.tick)
	} else {
		g.alarm.Reset(time.Until(at))
	}
}

// tick does what has become due: ejections end, slow starts go a step on. One
// timer serves all members. A call too many does no harm.
func (g *Group) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.alarmAt = time.Time{}
	now := time.Now()
	ended := g.endEjections(now, func(m *Member) bool { return !m.ejectedUntil.After(now) })
	if stepped := g.stepRamps(now); ended || stepped {
		g.changed()
	}
}

// bulletin tells a function of ejections outside the locks under which they
// happen. Its fields are protected by the group's mu.
type bulletin struct {
	notify  func(Ejection)
	untold  []Ejection
	telling bool
}

// announce has notify told of an ejection. The caller holds mu.
func (g *Group) announce(e Ejection) {
	if g.notify == nil {
		return
	}
	g.untold = append(g.untold, e)
	if !g.telling {
		g.telling = true
		go g.tell()
	}
}

func (g *Group) tell() {
	for {
		g.mu.Lock()
		news := g.untold
		g.untold = nil
		if len(news) == 0 || g.closed {
			g.telling = false
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		for _, e := range news {
			g.notify(e)
		}
	}
}
