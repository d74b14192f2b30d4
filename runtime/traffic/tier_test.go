package traffic

import (
	"testing"
	"time"
)

func starts(t *tier) (out []int64) {
	for _, s := range t.span(0, 1<<40) {
		out = append(out, s.start)
	}
	return out
}

func TestARingKeepsItsNewestSlots(t *testing.T) {
	none := func(_, b []byte) []byte { return b }
	add := func(r *tier, times ...int64) {
		for _, at := range times {
			r.add(at, slot{covered: time.Second, cells: []byte{1}}, none)
		}
	}
	for name, tt := range map[string]struct {
		times []int64
		want  []int64
	}{
		"in order":                    {[]int64{1000, 1012, 1029}, []int64{1000, 1010, 1020}},
		"twice in one slot":           {[]int64{1000, 1001}, []int64{1000}},
		"more than fit":               {[]int64{1000, 1010, 1020, 1030, 1040}, []int64{1020, 1030, 1040}},
		"with a gap":                  {[]int64{1000, 1020}, []int64{1000, 1020}},
		"after a long time":           {[]int64{1000, 1010, 5000}, []int64{5000}},
		"the clock was put back":      {[]int64{1000, 1010, 1020, 1005}, []int64{1000}},
		"the clock was put far back":  {[]int64{100_000, 100_010, 100}, []int64{100}},
		"and goes on":                 {[]int64{100_000, 100_010, 100, 110}, []int64{100, 110}},
		"back, and on past what was":  {[]int64{1000, 1010, 1020, 1005, 1025}, []int64{1000, 1020}},
		"back by more than is kept":   {[]int64{1000, 1010, 1020, 900, 910, 920, 930}, []int64{910, 920, 930}},
		"forth by a year and back":    {[]int64{1000, 31_537_000, 1010}, []int64{1010}},
		"back within the oldest slot": {[]int64{1000, 1010, 1020, 1030, 1010}, []int64{1010}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTier(10*time.Second, 30*time.Second)
			add(r, tt.times...)
			got := starts(r)
			if len(got) != len(tt.want) {
				t.Fatalf("%v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Fatalf("%v, want %v", got, tt.want)
				}
			}
			if last := r.slots[r.newest/r.step%int64(len(r.slots))]; name == "back, and on past what was" && last.covered != time.Second {
				t.Errorf("the newest slot has %s, with what the wrong clock had put there", last.covered)
			}
			held := 0
			for _, s := range r.slots {
				held += len(s.cells)
			}
			if held != r.bytes {
				t.Errorf("%d bytes are held, %d are counted", held, r.bytes)
			}
		})
	}
}
