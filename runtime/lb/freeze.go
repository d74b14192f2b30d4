package lb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Bounds and defaults of a freeze window.
const (
	MaxFreezeReason    = 512
	MaxFreezeAddresses = 100
	MaxFreezeLength    = 90 * 24 * time.Hour
	DefaultFreezeZone  = "UTC"
	minFreezeYear      = 2000
	maxFreezeYear      = 2200
	maxZoneLength      = 64
)

// Freeze is a freeze window: while it is on, nothing that it covers may be
// changed but under an emergency ticket.
type Freeze struct {
	Meta
	// Reason is shown to whoever is refused.
	Reason string `json:"reason"`
	// Addresses are globs over what is frozen, see [CheckGlob].
	Addresses []string `json:"addresses"`
	// Begin and End bound the first window, or the only one.
	Begin time.Time `json:"begin"`
	End   time.Time `json:"end"`
	// Recurrence is a rule of RFC 5545 §3.3.10, without DTSTART: Begin is that, and
	// must be one of the rule's times. Empty: once.
	Recurrence string `json:"recurrence"`
	// TimeZone is the IANA zone in which the rule counts days.
	TimeZone string `json:"time_zone"`
}

// NewFreeze returns a freeze window of everything, in UTC.
func NewFreeze() *Freeze {
	return &Freeze{Addresses: []string{GlobEverything}, TimeZone: DefaultFreezeZone}
}

// Kind implements [Object].
func (*Freeze) Kind() Kind { return KindFreeze }

// References implements [Object]: a freeze window needs nothing else.
func (*Freeze) References() []Reference { return nil }

// Normalize implements [Object].
func (f *Freeze) Normalize() {
	f.Meta.normalize()
	f.Addresses = sortedSet(f.Addresses)
	f.Begin, f.End = wholeSeconds(f.Begin), wholeSeconds(f.End)
	rule := strings.ToUpper(strings.TrimSpace(f.Recurrence))
	// No rule has a colon, so that nothing is left to be taken away by the next call.
	if bare, ok := strings.CutPrefix(rule, "RRULE:"); ok && !strings.Contains(bare, ":") {
		rule = strings.TrimSpace(bare)
	}
	f.Recurrence = rule
}

// wholeSeconds is a time in UTC, without fractions. One that UTC writes in a year
// of five digits stays where it is, for Validate to refuse.
func wholeSeconds(t time.Time) time.Time {
	if year := t.UTC().Year(); year >= 0 && year <= 9999 {
		t = t.UTC()
	}
	return t.Truncate(time.Second)
}

// Validate implements [Object].
func (f *Freeze) Validate() Violations {
	ch := newChecker()
	f.Meta.validate(ch)
	if strings.TrimSpace(f.Reason) == "" {
		ch.at("reason").fail("is required: it is what people are told who are stopped by it")
	}
	ch.at("reason").try(checkText(f.Reason, MaxFreezeReason))
	checkGlobs(ch.at("addresses"), f.Addresses, MaxFreezeAddresses)
	for _, bound := range []struct {
		name string
		at   time.Time
	}{{"begin", f.Begin}, {"end", f.End}} {
		switch year := bound.at.Year(); {
		case bound.at.IsZero():
			ch.at(bound.name).fail("is required: an RFC 3339 time, such as 2026-12-20T18:00:00Z")
		case year < minFreezeYear || year > maxFreezeYear:
			ch.at(bound.name).fail("must lie between the years %d and %d", minFreezeYear, maxFreezeYear)
		}
	}
	if len(*ch.found) > 0 {
		return *ch.found
	}
	switch length := f.End.Sub(f.Begin); {
	case length <= 0:
		ch.at("end").fail("must be after begin")
	case length > MaxFreezeLength:
		ch.at("end").fail("makes the window longer than %d days", int(MaxFreezeLength.Hours()/24))
	}
	if _, err := f.location(); err != nil {
		ch.at("time_zone").fail("%v", err)
	} else if _, err := f.rule(); err != nil {
		ch.at("recurrence").fail("%v", err)
	}
	return *ch.found
}

// checkGlobs holds a set of globs to their form and number.
func checkGlobs(c checker, globs []string, limit int) {
	if len(globs) == 0 {
		c.fail("is required: %s", GlobRule)
	}
	checkCount(c, len(globs), limit, "globs")
	for i, glob := range globs[:min(len(globs), limit)] {
		c.index(i).try(CheckGlob(glob))
	}
}

// zones are those that were loaded: a change is held to every freeze window, and
// each load reads a file.
var zones sync.Map

// location returns the time zone. A machine may have files beside those of the
// IANA zones, such as localtime; these have names in lower case.
func (f *Freeze) location() (*time.Location, error) {
	if zone, ok := zones.Load(f.TimeZone); ok {
		return zone.(*time.Location), nil
	}
	if len(f.TimeZone) > maxZoneLength || f.TimeZone == "" || f.TimeZone == "Local" || f.TimeZone[0] < 'A' || f.TimeZone[0] > 'Z' {
		return nil, errors.New("must be the name of an IANA time zone, such as UTC or Europe/Berlin")
	}
	zone, err := time.LoadLocation(f.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("%s is not a time zone that is known here; use an IANA name such as Europe/Berlin", shown(f.TimeZone))
	}
	zones.Store(f.TimeZone, zone)
	return zone, nil
}

// rule returns the recurrence, nil for none.
func (f *Freeze) rule() (*recurrence, error) {
	if f.Recurrence == "" {
		return nil, nil
	}
	zone, err := f.location()
	if err != nil {
		return nil, err
	}
	return newRecurrence(f.Recurrence, f.Begin, zone)
}

// Window is one occurrence of a freeze window: from Begin, until before End.
type Window struct{ Begin, End time.Time }

// Contains reports whether a time lies in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Begin) && t.Before(w.End) }

// Around returns the window that contains now, or else the next one to come; ok
// is false when there is none. Of windows that overlap it is the one that ends
// first. A freeze window that can't be read is always on, so that it stops
// changes and does not let them through.
func (f *Freeze) Around(now time.Time) (w Window, ok bool) {
	length := f.End.Sub(f.Begin)
	rule, err := f.rule()
	switch {
	case err != nil || length <= 0:
		return Window{now, now.Add(time.Minute)}, true
	case rule == nil:
		return Window{f.Begin, f.End}, now.Before(f.End)
	}
	next := rule.from(now.Add(-length))
	for {
		begin, more := next()
		if w = (Window{begin.UTC(), begin.Add(length).UTC()}); !more || now.Before(w.End) {
			return w, more
		}
	}
}
