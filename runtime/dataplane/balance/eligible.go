package balance

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// From largePool members on, a set is used for at least rebuildPause, so that
	// a pool whose members change by the hundred does not spend its time building:
	// who falls out is skipped at once, who returns waits that much longer.
	largePool    = 1000
	rebuildPause = 100 * time.Millisecond
)

// candidate is an eligible member.
type candidate struct {
	member *Member
	share  int   // index into the balancer's shares
	weight int64 // in proportion to the other candidates', slow start included
	limit  int64
}

// eligible is an immutable set of the members that may be chosen, with what the
// algorithm needs to choose.
type eligible struct {
	// seen is the group's count of changes for which the set was built.
	seen  uint64
	built time.Time

	candidates []candidate
	backup     bool
	// barred are the flags of a member that keep it from being chosen; who got one
	// of them after the set was built is skipped.
	barred uint32
	// ramp holds, by share, the steps of slow starts that hashed choices respect;
	// nil while nobody climbs. Top is the highest step of a candidate.
	ramp []uint8
	top  uint8

	rotation rotation // round_robin
	wheel    wheel    // algorithms that draw
}

// tier is the index of the balancer's table for these candidates.
func (e *eligible) tier() int {
	if e.backup {
		return 1
	}
	return 0
}

// serves reports whether a share exists and belongs to those that serve now. A
// client that was sent to a backup does not stay there when the others are back.
func (e *eligible) serves(shares []Share, i int) bool {
	return 0 <= i && i < len(shares) && shares[i].Backup == e.backup && len(e.candidates) > 0
}

// refresh returns the set to choose from: the newest, unless another choice is just
// building it.
func (b *Balancer) refresh() *eligible {
	e := b.eligible.Load()
	if e.seen == b.group.changes.Load() || len(b.shares) >= largePool && time.Since(e.built) < rebuildPause {
		return e
	}
	if !b.group.mu.TryLock() {
		return e
	}
	defer b.group.mu.Unlock()
	return b.rebuild(time.Now())
}

// rebuild makes a new set current, unless the present one is. The caller holds group.mu.
func (b *Balancer) rebuild(now time.Time) *eligible {
	// Read before the flags: a change during the work is seen again.
	seen := b.group.changes.Load()
	if e := b.eligible.Load(); e != nil && e.seen == seen {
		return e
	}
	e := &eligible{seen: seen, built: now}
	for _, tier := range []struct {
		backup bool
		barred uint32
	}{
		{false, unhealthy | ejected},
		{true, unhealthy | ejected},
		// Ejection alone must not empty the pool.
		{false, unhealthy},
		{true, unhealthy},
	} {
		e.backup, e.barred = tier.backup, tier.barred
		if e.collect(b.shares); len(e.candidates) > 0 {
			break
		}
	}
	if len(e.candidates) > 0 {
		e.weigh(b, now)
		switch b.config.Algorithm {
		case lb.RoundRobin:
			e.rotation = newRotation(e.candidates)
		case lb.LeastRequests:
		default:
			e.wheel = newWheel(e.candidates)
		}
	}
	b.eligible.Store(e)
	return e
}

// collect finds the members that the set's tier and flags let in.
func (e *eligible) collect(shares []Share) {
	for i, s := range shares {
		if s.Backup != e.backup || s.Member.out.Load()&e.barred != 0 {
			continue
		}
		if e.candidates == nil {
			e.candidates = make([]candidate, 0, len(shares)-i)
		}
		e.candidates = append(e.candidates, candidate{member: s.Member, share: i, weight: int64(s.Weight), limit: int64(s.Limit)})
	}
}

// weigh multiplies weights by the steps of slow starts and divides them by what
// they have in common: the smaller they are, the smoother a rotation is.
func (e *eligible) weigh(b *Balancer, now time.Time) {
	steps := make([]uint8, len(b.shares))
	climbing := false
	for _, c := range e.candidates {
		step := uint8(c.member.rampStep(b.config.SlowStart, now))
		steps[c.share] = step
		e.top = max(e.top, step)
		climbing = climbing || step < rampSteps
	}
	if climbing {
		e.ramp = steps
	}
	common := int64(0)
	for i := range e.candidates {
		c := &e.candidates[i]
		c.weight *= int64(steps[c.share])
		common = gcd(common, c.weight)
	}
	for i := range e.candidates {
		e.candidates[i].weight /= common
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
