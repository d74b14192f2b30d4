package tcp

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/splice"
)

const (
	// looksPerIdle is how many times the watch looks in one idle timeout.
	looksPerIdle = 8
	// soon is how long after something moved the watch looks at the latest: a failure
	// that comes together with data is not told to whoever waits for more.
	soon = time.Second
)

// watch looks after the idle timeout. One timer for both directions costs the
// traffic nothing but a flag: no clock is read and no deadline set for a message.
func (r *relay) watch() {
	r.mu.Lock() // the timer may fire before it is assigned
	defer r.mu.Unlock()
	now := time.Now()
	for side := range r.flows {
		r.flows[side].since = now
	}
	r.timer = time.AfterFunc(min(r.period(), soon), r.look)
}

func (r *relay) period() time.Duration { return max(r.idle/looksPerIdle, time.Millisecond) }

func (r *relay) look() {
	if cause := r.judge(time.Now()); cause != nil {
		r.end(cause)
	}
}

// judge returns why the relay has to end; nil and another look later if it need not.
func (r *relay) judge(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	silent, next := true, r.period()
	for side := range r.flows {
		f := &r.flows[side]
		blocked := f.blocked.Load() // before active, see progress
		if f.active.Swap(false) {
			f.since, next = now, min(next, soon)
			if failed := r.failed(Side(side)); failed != nil {
				return &Failure{Side: Side(side), Err: failed}
			}
		}
		if left := r.idle - now.Sub(f.since); left > 0 {
			silent, next = false, min(next, left)
		} else if blocked {
			return &Failure{Side: f.from.other(), Err: ErrStalled}
		}
	}
	if silent {
		return ErrIdle
	}
	r.timer.Reset(next)
	return nil
}

// failed returns why a side's connection has failed, if it has.
func (r *relay) failed(side Side) error {
	if r.sockets[side] == nil || !splice.Supported() {
		return nil
	}
	return splice.Failed(r.sockets[side])
}
