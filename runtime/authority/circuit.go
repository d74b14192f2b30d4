package authority

import (
	"errors"
	"sync"
	"time"
)

const (
	// minBackoff is how long an authority is left alone after its first failure;
	// each further one doubles it, up to maxBackoff. A longer Retry-After is honoured.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// probeTime is how long the others wait for the one that tries again.
	probeTime = MaxTimeout
)

// circuit remembers that an authority is in trouble, so that it is left alone.
type circuit struct {
	mu       sync.Mutex // protects what follows
	failures int
	until    time.Time
	probing  time.Time
	last     Unavailable
}

// admit returns nil when the authority may be asked, and otherwise its last failure,
// with the time that is left. After a wait one caller at a time is let through.
func (c *circuit) admit(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures == 0 {
		return nil
	}
	if !now.Before(c.until) && !now.Before(c.probing) {
		c.probing = now.Add(probeTime)
		return nil
	}
	u := c.last
	u.RetryAfter = max(c.until.Sub(now), minBackoff)
	return &u
}

// report takes what became of a call that was admitted.
func (c *circuit) report(now time.Time, err error) {
	var u *Unavailable
	failed := errors.As(err, &u)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probing = time.Time{}
	switch {
	case err == nil, errors.Is(err, ErrNotFound), failed && u.ticketOnly:
		c.failures, c.until = 0, time.Time{}
	case failed:
		// Calls that were under way together fail together: that is one failure.
		if !now.Before(c.until) {
			c.failures++
		}
		if until := now.Add(max(u.RetryAfter, backoff(c.failures, minBackoff, maxBackoff))); until.After(c.until) {
			c.until = until
		}
		c.last = *u
	}
}

// backoff is the wait after a number of failures in a row.
func backoff(failures int, least, most time.Duration) time.Duration {
	wait := least
	for ; failures > 1 && wait < most; failures-- {
		wait *= 2
	}
	return min(wait, most)
}
