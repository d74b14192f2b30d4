package traffic

import "time"

// slot is what was counted in one span of a tier.
type slot struct {
	// start is the span's beginning, in Unix seconds; 0 is a slot that holds nothing.
	start int64
	// covered is how much of the span was looked at.
	covered time.Duration
	// revision is the configuration's at the last look.
	revision int64
	// cells are never changed, only replaced.
	cells []byte
}

// tier is a ring of slots of one length: the slot of a time is at a fixed place, which
// a later one takes over.
type tier struct {
	step  int64 // seconds
	slots []slot
	// newest is the beginning of the newest slot, and floor the end of the newest one that was
	// given up for want of room.
	newest, floor int64
	bytes         int
}

func newTier(step, keep time.Duration) *tier {
	return &tier{step: int64(step / time.Second), slots: make([]slot, keep/step)}
}

// at is the place of the slot that a time lies in.
func (t *tier) at(unix int64) (start int64, place *slot) {
	n := unix / t.step
	return n * t.step, &t.slots[n%int64(len(t.slots))]
}

// add adds a look to the slot that a time lies in. Merge adds the cells of two.
// Slots after it are of a clock that was wrong, and dropped.
func (t *tier) add(unix int64, look slot, merge func(a, b []byte) []byte) {
	start, place := t.at(unix)
	for n := 0; t.newest > start && n < len(t.slots); n++ {
		if _, later := t.at(t.newest); later.start == t.newest {
			t.put(later, slot{})
		}
		t.newest -= t.step
	}
	t.floor = min(t.floor, start)
	look.start = start
	if place.start == start {
		look.covered += place.covered
		look.cells = merge(place.cells, look.cells)
	}
	t.put(place, look)
	t.newest = start
}

func (t *tier) put(place *slot, s slot) {
	t.bytes += len(s.cells) - len(place.cells)
	*place = s
}

// span returns the slots from a time to another, oldest first.
func (t *tier) span(since, until int64) []slot {
	oldest := t.newest - t.step*int64(len(t.slots)-1)
	first, _ := t.at(max(since, oldest, 0))
	var out []slot
	for start := first; start < until && start <= t.newest; start += t.step {
		if _, s := t.at(start); s.start == start && start > 0 {
			out = append(out, *s)
		}
	}
	return out
}

// reaches reports whether the tier has what was counted at a time, if anything was.
func (t *tier) reaches(unix int64) bool {
	return unix >= t.floor && unix > t.newest-t.step*int64(len(t.slots))
}

// dropOldest gives the oldest slot up; false: there is none but the newest.
func (t *tier) dropOldest() bool {
	for _, s := range t.span(0, t.newest) {
		if _, place := t.at(s.start); len(s.cells) > 0 {
			t.put(place, slot{})
			t.floor = s.start + t.step
			return true
		}
	}
	return false
}
