package witness

import "time"

// Status is how a collector's work stands.
type Status struct {
	// Size and Cosignatures are those of the newest checkpoint that meets the policy; 0
	// when there is none.
	Size         int64
	Cosignatures int
	// KeptAt is when it was kept; zero when that was before the start.
	KeptAt time.Time
	// Alarm is true while a witness says that the log was rewritten or rolled back. Only
	// the same witness's cosignature ends it.
	Alarm     bool
	Witnesses []WitnessStatus
}

// WitnessStatus is how things stand with one witness.
type WitnessStatus struct {
	// Name is the policy's; Key is the name of its key.
	Name, Key, URL string
	// Size is that of the checkpoint it signed last, At when; since the start.
	Size int64
	At   time.Time
	// Code is what became of the last try; "" before the first. Detail says it in a
	// sentence, FailedAt when; both are empty when it signed.
	Code     Code
	Detail   string
	FailedAt time.Time
	// Alarm is what it said when it raised one that its signature has not ended.
	Alarm string
}

// Status returns how things stand. It is safe for concurrent use.
func (c *Collector) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.status
	out.Witnesses = append([]WitnessStatus(nil), c.status.Witnesses...)
	return out
}

// note writes down what became of a try.
func (c *Collector) note(p *peer, a answer, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.peers {
		if c.peers[i] != p {
			continue
		}
		w := &c.status.Witnesses[i]
		if a.err == nil {
			w.Code, w.Size, w.At, w.Detail, w.FailedAt, w.Alarm = CodeOK, a.candidate.size, now, "", time.Time{}, ""
			continue
		}
		f := failureOf(a.err)
		w.Code, w.Detail, w.FailedAt = f.Code, f.Summary(), now
		if f.Code.Alarm() {
			w.Alarm = w.Detail
		}
	}
	c.status.Alarm = false
	for i := range c.status.Witnesses {
		c.status.Alarm = c.status.Alarm || c.status.Witnesses[i].Alarm != ""
	}
}

// report writes down which checkpoint meets the policy.
func (c *Collector) report(to *candidate, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Size, c.status.Cosignatures, c.status.KeptAt = to.size, len(to.found), at
}
