package lb

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Bounds of a recurrence rule. With them, and with a first occurrence that is
// known to be one, the next is found in milliseconds at the worst.
const (
	MaxRecurrenceLength   = 256
	MaxRecurrenceInterval = 1000
	MaxRecurrenceCount    = 1000
	maxMonthWeeks         = 5
	recurrenceExample     = "FREQ=WEEKLY;BYDAY=FR"
	untilLayout           = "20060102T150405Z"
)

// byParts are the parts that narrow a rule, by its frequency: those of RFC 5545
// §3.3.10 that say something about days.
var byParts = map[string][]string{
	"DAILY":   {"BYMONTH", "BYMONTHDAY", "BYDAY"},
	"WEEKLY":  {"BYMONTH", "BYDAY"},
	"MONTHLY": {"BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS"},
	"YEARLY":  {"BYMONTH", "BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY", "BYSETPOS"},
}

var errNoRule = fmt.Errorf("must be one rule of RFC 5545 §3.3.10 in at most %d bytes, such as %s", MaxRecurrenceLength, recurrenceExample)

// recurrence is a rule with its beginning, in which clocks are never changed:
// the library counts days and times as a wall shows them, and what the wall
// shows becomes a time in the zone afterwards.
type recurrence struct {
	option rrule.ROption
	until  time.Time // zero: no end
	zone   *time.Location
}

// newRecurrence reads a normalized rule. Begin is the first occurrence, which
// the rule must have among its own.
func newRecurrence(text string, begin time.Time, zone *time.Location) (*recurrence, error) {
	if err := checkRule(text); err != nil {
		return nil, err
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return nil, errNoRule
	}
	if err := checkWeekdays(option); err != nil {
		return nil, err
	}
	r := &recurrence{option: *option, until: option.Until, zone: zone}
	r.option.Interval = max(r.option.Interval, 1)
	r.option.Dtstart = wall(begin.In(zone))
	if !r.until.IsZero() {
		// A day more, since a wall may show an hour twice; next looks at the time itself.
		r.option.Until = wall(r.until.In(zone)).AddDate(0, 0, 1)
	}
	rule, err := rrule.NewRRule(r.option)
	if err != nil {
		return nil, errNoRule
	}
	// What the rule left for the beginning to say.
	r.option = rule.Options
	if !r.startsAtBegin() {
		return nil, fmt.Errorf("must have begin among its times; it has none on %s in %s", begin.In(zone).Format("Monday, 2 January 2006"), zone)
	}
	return r, nil
}

// checkRule holds a rule to what the library reads as RFC 5545 means it.
func checkRule(text string) error {
	if len(text) > MaxRecurrenceLength {
		return errNoRule
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(part, "=")
		if _, twice := parts[name]; !ok || value == "" || twice {
			return errNoRule
		}
		parts[name] = value
	}
	narrowing, ok := byParts[parts["FREQ"]]
	if !ok {
		return errors.New("must recur daily, weekly, monthly or yearly, such as " + recurrenceExample)
	}
	narrowed := false
	for name, value := range parts {
		switch name {
		case "FREQ", "WKST":
		case "INTERVAL":
			if !isCount(value, MaxRecurrenceInterval) {
				return fmt.Errorf("must have an INTERVAL between 1 and %d", MaxRecurrenceInterval)
			}
		case "COUNT":
			if !isCount(value, MaxRecurrenceCount) {
				return fmt.Errorf("must have a COUNT between 1 and %d; use UNTIL for what ends later", MaxRecurrenceCount)
			}
		case "UNTIL":
			if _, err := time.Parse(untilLayout, value); err != nil {
				return errors.New("must have an UNTIL in UTC, such as 20261231T235959Z")
			}
		case "BYHOUR", "BYMINUTE", "BYSECOND":
			return fmt.Errorf("must not have %s: the time of day is that of begin", name)
		default:
			if !slices.Contains(narrowing, name) {
				return fmt.Errorf("with FREQ=%s may be narrowed by %s, and by nothing else", parts["FREQ"], joinWords(narrowing))
			}
			narrowed = narrowed || name != "BYSETPOS"
		}
	}
	switch {
	case parts["COUNT"] != "" && parts["UNTIL"] != "":
		return errors.New("must not have both COUNT and UNTIL")
	case parts["BYSETPOS"] != "" && !narrowed:
		return errors.New("must have another BY… beside BYSETPOS, to choose from")
	case parts["BYWEEKNO"] != "" && parts["BYDAY"] == "":
		return errors.New("must have BYDAY beside BYWEEKNO")
	}
	return nil
}

func isCount(value string, limit int) bool {
	n, err := strconv.ParseUint(value, 10, 31)
	return err == nil && n >= 1 && n <= uint64(limit)
}

// checkWeekdays holds weekdays with a number, such as -1FR, to where they mean
// something: the library takes the others for days beyond its calendar.
func checkWeekdays(option *rrule.ROption) error {
	highest := 0
	switch {
	case len(option.Byweekno) > 0:
	case option.Freq == rrule.MONTHLY, option.Freq == rrule.YEARLY && len(option.Bymonth) > 0:
		highest = maxMonthWeeks
	case option.Freq == rrule.YEARLY:
		highest = 53
	}
	numbered := 0
	for _, day := range option.Byweekday {
		switch n := day.N(); {
		case n == 0:
			continue
		case highest == 0:
			return errors.New("must have weekdays without a number, unless it is monthly, or yearly without BYWEEKNO")
		case n > highest || n < -highest:
			return fmt.Errorf("must have weekdays with numbers between -%d and %d", highest, highest)
		}
		numbered++
	}
	if numbered > 0 && numbered < len(option.Byweekday) {
		return errors.New("must have a number at every weekday or at none")
	}
	return nil
}

// startsAtBegin reports whether the rule has its beginning among its
// occurrences. It looks at the first period alone: a rule may have no occurrence
// in eight thousand years. Of days and weeks it is the year, since what narrows
// them does nothing but leave out days.
func (r *recurrence) startsAtBegin() bool {
	option := r.option
	option.Interval = 12 * rrule.MAXYEAR
	if option.Freq != rrule.MONTHLY {
		option.Freq = rrule.YEARLY
	}
	begin, ok := r.with(option)()
	return ok && begin.Equal(r.at(option.Dtstart))
}

// from returns what yields the occurrences one by one, in order. Of those that
// begin before a time it leaves out most.
func (r *recurrence) from(t time.Time) rrule.Next {
	option := r.option
	if option.Count > 0 {
		return r.with(option) // can only be counted from the beginning
	}
	now, interval := wall(t.In(r.zone)), option.Interval
	year, month, day := option.Dtstart.Date()
	clock := option.Dtstart.Sub(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
	// Whole periods to skip; the last ones are left for what reaches into them.
	skip := func(periods int) int { return max(periods-2, 0) / interval * interval }
	// Seconds, since a [time.Duration] ends after 292 years.
	switch days := int((now.Unix() - option.Dtstart.Unix()) / (24 * 60 * 60)); option.Freq {
	case rrule.DAILY:
		day += skip(days)
	case rrule.WEEKLY:
		day += 7 * skip(days/7)
	case rrule.MONTHLY:
		if n := skip((now.Year()-year)*12 + int(now.Month()-month)); n > 0 {
			month, day = month+time.Month(n), 1
		}
	default:
		if n := skip(now.Year() - year); n > 0 {
			year, month, day = year+n, time.January, 1
		}
	}
	option.Dtstart = time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Add(clock)
	return r.with(option)
}

func (r *recurrence) with(option rrule.ROption) rrule.Next {
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return func() (time.Time, bool) { return time.Time{}, false }
	}
	next := rule.Iterator()
	return func() (time.Time, bool) {
		shown, ok := next()
		t := r.at(shown)
		return t, ok && (r.until.IsZero() || !t.After(r.until))
	}
}

// wall is what a wall shows at a time, as a time in UTC.
func wall(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC)
}

// at is the time at which a wall shows something. What is shown twice is the
// first of both, and what is skipped is counted on from before the clocks
// change, RFC 5545 §3.3.5.
func (r *recurrence) at(shown time.Time) time.Time {
	year, month, day := shown.Date()
	hour, minute, second := shown.Clock()
	t := time.Date(year, month, day, hour, minute, second, 0, r.zone)
	_, before := t.Add(-12 * time.Hour).Zone()
	early := shown.Add(-time.Duration(before) * time.Second).In(r.zone)
	if wall(early).Equal(shown) || !wall(t).Equal(shown) {
		return early
	}
	return t
}
