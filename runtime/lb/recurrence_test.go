package lb

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// load returns a zone; the names are those of lists of tests.
func load(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// freezeAt begins at a local time and lasts an hour.
func freezeAt(t testing.TB, zone, begin, rule string) *Freeze {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", begin, load(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	f := validFreeze()
	f.Begin, f.End, f.TimeZone, f.Recurrence = at, at.Add(time.Hour), zone, rule
	f.Normalize()
	if vs := f.Validate(); len(vs) > 0 {
		t.Fatalf("%s: %v", rule, vs)
	}
	return f
}

// begins are the next times, as a wall in the zone shows them, at which a window
// begins that is not over at a time.
func begins(t testing.TB, f *Freeze, after time.Time, atMost int) []string {
	t.Helper()
	var out []string
	for range atMost {
		w, ok := f.Around(after)
		if !ok {
			break
		}
		if !w.End.After(after) || w.End.Sub(w.Begin) != f.End.Sub(f.Begin) {
			t.Fatalf("at %s the window is %s to %s", after, w.Begin, w.End)
		}
		out = append(out, w.Begin.In(load(t, f.TimeZone)).Format("2006-01-02 15:04 -0700"))
		after = w.End
	}
	return out
}

func TestOccurrences(t *testing.T) {
	for _, tt := range []struct {
		name, zone, begin, rule string
		want                    []string
	}{
		{"once", "UTC", "2026-01-02 18:00", "", []string{"2026-01-02 18:00 +0000"}},
		{"weekly into summer", "Europe/Berlin", "2026-03-20 18:00", "FREQ=WEEKLY;COUNT=3", []string{"2026-03-20 18:00 +0100", "2026-03-27 18:00 +0100", "2026-04-03 18:00 +0200"}},
		{"daily into winter", "Europe/Berlin", "2026-10-24 12:00", "FREQ=DAILY;COUNT=3", []string{"2026-10-24 12:00 +0200", "2026-10-25 12:00 +0100", "2026-10-26 12:00 +0100"}},
		{"daily into summer", "America/New_York", "2026-03-07 23:30", "FREQ=DAILY;COUNT=3", []string{"2026-03-07 23:30 -0500", "2026-03-08 23:30 -0400", "2026-03-09 23:30 -0400"}},
		{"weekly into winter", "America/New_York", "2026-10-30 17:00", "FREQ=WEEKLY;COUNT=2", []string{"2026-10-30 17:00 -0400", "2026-11-06 17:00 -0500"}},
		{"hour that is skipped", "Europe/Berlin", "2026-03-28 02:30", "FREQ=DAILY;COUNT=3", []string{"2026-03-28 02:30 +0100", "2026-03-29 03:30 +0200", "2026-03-30 02:30 +0200"}},
		{"hour that is skipped in America", "America/New_York", "2026-03-07 02:30", "FREQ=DAILY;COUNT=3", []string{"2026-03-07 02:30 -0500", "2026-03-08 03:30 -0400", "2026-03-09 02:30 -0400"}},
		{"hour that comes twice", "Europe/Berlin", "2026-10-24 02:30", "FREQ=DAILY;COUNT=3", []string{"2026-10-24 02:30 +0200", "2026-10-25 02:30 +0200", "2026-10-26 02:30 +0100"}},
		{"midnight that is skipped", "America/Sao_Paulo", "2018-11-03 00:00", "FREQ=DAILY;COUNT=3", []string{"2018-11-03 00:00 -0300", "2018-11-04 01:00 -0200", "2018-11-05 00:00 -0200"}},
		{"last Friday of the month", "UTC", "2026-01-30 18:00", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", []string{"2026-01-30 18:00 +0000", "2026-02-27 18:00 +0000", "2026-03-27 18:00 +0000"}},
		{"last working day of the month", "UTC", "2026-01-30 18:00", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=4", []string{"2026-01-30 18:00 +0000", "2026-02-27 18:00 +0000", "2026-03-31 18:00 +0000", "2026-04-30 18:00 +0000"}},
		{"the 31st", "UTC", "2026-01-31 18:00", "FREQ=MONTHLY;COUNT=3", []string{"2026-01-31 18:00 +0000", "2026-03-31 18:00 +0000", "2026-05-31 18:00 +0000"}},
		{"leap days", "UTC", "2096-02-29 18:00", "FREQ=YEARLY;COUNT=2", []string{"2096-02-29 18:00 +0000", "2104-02-29 18:00 +0000"}},
		{"every other week", "UTC", "2026-01-02 18:00", "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,SU;COUNT=4", []string{"2026-01-02 18:00 +0000", "2026-01-04 18:00 +0000", "2026-01-16 18:00 +0000", "2026-01-18 18:00 +0000"}},
		{"until, included", "Europe/Berlin", "2026-01-02 18:00", "FREQ=DAILY;UNTIL=20260104T170000Z", []string{"2026-01-02 18:00 +0100", "2026-01-03 18:00 +0100", "2026-01-04 18:00 +0100"}},
		{"until, a second before", "Europe/Berlin", "2026-01-02 18:00", "FREQ=DAILY;UNTIL=20260104T165959Z", []string{"2026-01-02 18:00 +0100", "2026-01-03 18:00 +0100"}},
		{"until in an hour that comes twice", "Europe/Berlin", "2026-10-24 02:30", "FREQ=DAILY;UNTIL=20261025T011500Z", []string{"2026-10-24 02:30 +0200", "2026-10-25 02:30 +0200"}},
	} {
		f := freezeAt(t, tt.zone, tt.begin, tt.rule)
		if got := begins(t, f, f.Begin.AddDate(-1, 0, 0), 10); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestAroundBeforeInBetweenAndAfter(t *testing.T) {
	f := freezeAt(t, "Europe/Berlin", "2026-01-02 18:00", "FREQ=WEEKLY;COUNT=2")
	first, second := Window{f.Begin, f.End}, Window{f.Begin.AddDate(0, 0, 7), f.End.AddDate(0, 0, 7)}
	for _, tt := range []struct {
		name string
		now  time.Time
		want Window
		on   bool
	}{
		{"long before", first.Begin.AddDate(-100, 0, 0), first, false},
		{"just before", first.Begin.Add(-1), first, false},
		{"as it begins", first.Begin, first, true},
		{"within", first.Begin.Add(time.Minute), first, true},
		{"just before the end", first.End.Add(-1), first, true},
		{"as it ends", first.End, second, false},
		{"within the last", second.End.Add(-1), second, true},
	} {
		if got, ok := f.Around(tt.now); !ok || got != tt.want || got.Contains(tt.now) != tt.on {
			t.Errorf("%s: %v (%t), on %t", tt.name, got, ok, got.Contains(tt.now))
		}
	}
	for _, late := range []time.Time{second.End, second.End.AddDate(100, 0, 0)} {
		if got, ok := f.Around(late); ok {
			t.Errorf("at %s, after the last, there is %v", late, got)
		}
	}
}

func TestWindowsThatOverlapLeaveNoGap(t *testing.T) {
	f := freezeAt(t, "Europe/Berlin", "2026-03-26 18:00", "FREQ=DAILY;COUNT=5")
	f.End = f.Begin.Add(60 * time.Hour)
	if vs := f.Validate(); len(vs) > 0 {
		t.Fatal(vs)
	}
	last := f.Begin.AddDate(0, 0, 4).Add(59 * time.Hour) // an hour less: the clocks change
	for now := f.Begin; now.Before(last); now = now.Add(30 * time.Minute) {
		if w, ok := f.Around(now); !ok || !w.Contains(now) {
			t.Fatalf("off at %s: %v", now, w)
		}
	}
	if w, ok := f.Around(last); ok {
		t.Errorf("on again at %s: %v", last, w)
	}
}

func TestAFreezeThatCannotBeReadIsAlwaysOn(t *testing.T) {
	for name, change := range map[string]func(*Freeze){
		"rule": recurring("nonsense"), "never": recurring("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
		"zone": func(f *Freeze) { f.TimeZone, f.Recurrence = "Mars/Olympus", "FREQ=DAILY" },
		"end":  func(f *Freeze) { f.End = f.Begin },
	} {
		f := validFreeze()
		change(f)
		for _, now := range []time.Time{f.Begin.AddDate(-1, 0, 0), f.Begin.AddDate(50, 0, 0)} {
			if w, ok := f.Around(now); !ok || !w.Contains(now) {
				t.Errorf("%s: off at %s", name, now)
			}
		}
	}
}

func TestWeekNumbersAreThoseOfISO8601(t *testing.T) {
	for _, week := range []int{1, 10, 51, 52, 53} {
		f := freezeAt(t, "UTC", map[int]string{1: "2025-12-31 12:00", 10: "2026-03-04 12:00", 51: "2025-12-17 12:00", 52: "2025-12-24 12:00", 53: "2020-12-30 12:00"}[week],
			fmt.Sprintf("FREQ=YEARLY;BYWEEKNO=%d;BYDAY=WE", week))
		on := map[string]bool{}
		for _, begin := range begins(t, f, f.Begin, 30) {
			on[begin[:10]] = true
		}
		for day, seen := f.Begin, 0; seen < len(on); day = day.AddDate(0, 0, 7) {
			_, number := day.ISOWeek()
			if on[day.Format(time.DateOnly)] != (number == week) {
				t.Errorf("week %d: %s is in week %d, on %t", week, day.Format(time.DateOnly), number, number != week)
			}
			if on[day.Format(time.DateOnly)] {
				seen++
			}
			if day.Year() > 2300 {
				t.Fatalf("week %d: %d of %d windows are Wednesdays", week, seen, len(on))
			}
		}
	}
}

// randomRule makes rules of which some have begin among their times.
func randomRule(r *rand.Rand, begin time.Time) string {
	weekday := strings.ToUpper(begin.Weekday().String()[:2])
	parts := []string{"FREQ=" + pick(r, "DAILY", "WEEKLY", "MONTHLY", "YEARLY")}
	for _, part := range []string{
		fmt.Sprintf("INTERVAL=%d", 1+r.IntN(pick(r, 3, 30, 1000))), fmt.Sprintf("COUNT=%d", 1+r.IntN(1000)),
		fmt.Sprintf("BYMONTH=%d,%d", begin.Month(), 1+r.IntN(12)), fmt.Sprintf("BYMONTHDAY=%d,%d", begin.Day(), r.IntN(63)-31),
		"BYDAY=" + weekday + pick(r, "", ",MO", ",SU,SA"), fmt.Sprintf("BYDAY=%d%s,-1%s", (begin.Day()+6)/7, weekday, weekday), "WKST=SU",
		fmt.Sprintf("BYSETPOS=%d,-1", 1+r.IntN(5)), fmt.Sprintf("BYYEARDAY=%d,%d", begin.YearDay(), r.IntN(732)-366),
		"UNTIL=" + begin.AddDate(r.IntN(60), 0, r.IntN(400)).Format(untilLayout),
	} {
		if r.IntN(4) == 0 {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ";")
}

func TestSkippingWhatIsPastLosesNoWindow(t *testing.T) {
	r := newRandom(t)
	tried := 0
	for tried < 400 {
		zone := pick(r, "UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati")
		f := validFreeze()
		f.TimeZone, f.Begin = zone, time.Unix(946_684_800+r.Int64N(1<<30), 0)
		f.End = f.Begin.Add(time.Duration(1 + r.Int64N(int64(pick(r, time.Hour, MaxFreezeLength)))))
		f.Recurrence = randomRule(r, f.Begin.In(load(t, zone)))
		f.Normalize()
		if len(f.Validate()) > 0 {
			continue
		}
		tried++
		rule, err := f.rule()
		if err != nil {
			t.Fatal(err)
		}
		now, length := f.Begin.Add(time.Duration(r.Int64N(int64(50*365*24*time.Hour)))), f.End.Sub(f.Begin)
		want, more := Window{}, true
		for next := rule.with(rule.option); more && !now.Before(want.End); {
			var begin time.Time
			begin, more = next()
			want = Window{begin.UTC(), begin.Add(length).UTC()}
		}
		if got, ok := f.Around(now); ok != more || (ok && got != want) {
			t.Fatalf("%s from %s in %s, at %s:\n got %v (%t)\nwant %v (%t)", f.Recurrence, f.Begin, zone, now, got, ok, want, more)
		}
	}
}
