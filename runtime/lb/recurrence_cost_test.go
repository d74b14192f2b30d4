package lb

import (
	"strings"
	"testing"
	"time"
)

// A change is held to every freeze window, so one must not take longer each year.
func TestWhatIsPastIsNotLookedThrough(t *testing.T) {
	for rule, slack := range map[string]int{"FREQ=DAILY;INTERVAL=3": 9, "FREQ=WEEKLY;BYDAY=SA": 28, "FREQ=MONTHLY": 124, "FREQ=YEARLY": 3 * 366} {
		r, err := freezeAt(t, "Europe/Berlin", "2000-01-01 18:00", rule).rule()
		if err != nil {
			t.Fatal(err)
		}
		late := time.Date(2950, 6, 1, 0, 0, 0, 0, time.UTC)
		if first, ok := r.from(late)(); !ok || first.After(late) || late.Sub(first) > time.Duration(slack)*24*time.Hour {
			t.Errorf("%s: begins to look at %s", rule, first)
		}
	}
}

// The longest that finding a window may take. It is far above what is needed,
// and far below what these rules take when they are looked through day by day.
const longestSearch = 250 * time.Millisecond

// Rules whose next window is as far away as can be, or that there is none of.
var costlyRules = []struct{ begin, rule string }{
	{"2026-01-02 18:00", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"},
	{"2026-01-02 18:00", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31"},
	{"2026-01-02 18:00", "FREQ=DAILY;INTERVAL=999999999"},
	{"2026-01-02 18:00", "FREQ=WEEKLY;INTERVAL=9223372036854775807;BYMONTH=2"},
	{"2026-01-02 18:00", "FREQ=YEARLY;COUNT=9223372036854775807"},
	{"2000-01-01 18:00", "FREQ=DAILY"},
	{"2000-01-01 18:00", "FREQ=DAILY;COUNT=1000"},
	{"2000-02-29 18:00", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU"},
	{"2000-02-29 18:00", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=1000"},
	{"2000-02-29 18:00", "FREQ=DAILY;INTERVAL=2;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU"},
	{"2000-02-29 18:00", "FREQ=DAILY;INTERVAL=997;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU"},
	{"2000-02-29 18:00", "FREQ=MONTHLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU"},
	{"2000-02-29 18:00", "FREQ=YEARLY;INTERVAL=997;BYMONTHDAY=29;BYMONTH=2;BYDAY=TU"},
	{"2000-12-31 18:00", "FREQ=YEARLY;BYYEARDAY=366;BYDAY=SU;BYMONTHDAY=31" + strings.Repeat(",1", 90)},
	{"2000-02-29 18:00", "FREQ=YEARLY;COUNT=1000;BYMONTHDAY=29" + strings.Repeat(",28", 20) + ";BYSETPOS=" + strings.Repeat("-300,", 20) + "2"},
}

func TestFindingAWindowTakesABoundedTime(t *testing.T) {
	for _, tt := range costlyRules {
		f := validFreeze()
		f.TimeZone, f.Recurrence = "UTC", tt.rule
		begin, err := time.Parse("2006-01-02 15:04", tt.begin)
		if err != nil {
			t.Fatal(err)
		}
		f.Begin, f.End = begin, begin.Add(time.Hour)
		for _, years := range []int{0, 30, 200, 1000} {
			// The best of three: others are busy too.
			took := time.Hour
			for range 3 {
				start := time.Now()
				f.Validate()
				f.Around(f.Begin.AddDate(years, 0, 1))
				took = min(took, time.Since(start))
			}
			if took > longestSearch {
				t.Errorf("%s after %d years: %s", tt.rule, years, took)
			}
		}
	}
}

func BenchmarkAround(b *testing.B) {
	for _, rule := range []string{"", "FREQ=WEEKLY;BYDAY=FR", "FREQ=DAILY;COUNT=1000"} {
		f := freezeAt(b, "Europe/Berlin", "2016-01-01 18:00", rule)
		b.Run(rule, func(b *testing.B) {
			for b.Loop() {
				f.Around(friday)
			}
		})
	}
}

// FuzzFreeze holds: whatever the rule, no panic, no long search, and of what is
// valid the first window is the one that was declared.
func FuzzFreeze(f *testing.F) {
	for _, tt := range costlyRules {
		f.Add(tt.rule, "Europe/Berlin", friday.Unix(), int64(3600), int64(86400))
	}
	f.Add("FREQ=MONTHLY;BYDAY=-53MO", "UTC", friday.Unix(), int64(1), int64(0))
	f.Add("FREQ=YEARLY;BYWEEKNO=-1,53;BYDAY=SU;WKST=SU", "America/New_York", friday.Unix(), int64(1), int64(1<<33))
	f.Add("FREQ=MONTHLY;INTERVAL=1000;BYDAY=5FR", "UTC", friday.Unix(), int64(1), int64(1<<40))
	f.Fuzz(func(t *testing.T, rule, zone string, begin, length, later int64) {
		fr := validFreeze()
		fr.Begin = time.Unix(begin%(1<<33), 0)
		fr.End, fr.Recurrence, fr.TimeZone = fr.Begin.Add(time.Duration(length%(1<<33))*time.Second), rule, zone
		fr.Normalize()
		now := fr.Begin.Add(time.Duration(later%(1<<33)) * time.Second)
		start := time.Now()
		vs := fr.Validate()
		w, ok := fr.Around(now)
		if took := time.Since(start); took > 8*longestSearch { // a fuzzer shares its machine with others like it
			t.Fatalf("%s took %s", rule, took)
		}
		if len(vs) > 0 {
			return
		}
		if ok && !now.Before(w.End) {
			t.Fatalf("%s: the window at %s has ended: %v", rule, now, w)
		}
		if first, ok := fr.Around(fr.Begin.Add(-MaxFreezeLength)); !ok || first != (Window{fr.Begin, fr.End}) {
			t.Fatalf("%s: the first window is %v, want %s to %s", rule, first, fr.Begin, fr.End)
		}
	})
}
