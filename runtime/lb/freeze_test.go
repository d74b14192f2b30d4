package lb

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// friday is 18:00 in Berlin.
var friday = time.Date(2026, 1, 2, 17, 0, 0, 0, time.UTC)

func validFreeze() *Freeze {
	f := NewFreeze()
	f.Owner, f.Reason = "team-sre", "weekends are quiet"
	f.Begin, f.End, f.TimeZone = friday, friday.Add(62*time.Hour), "Europe/Berlin"
	return f
}

func recurring(rule string) func(*Freeze) { return func(f *Freeze) { f.Recurrence = rule } }

func TestFreezeBounds(t *testing.T) {
	reason := func(s string) func(*Freeze) { return func(f *Freeze) { f.Reason = s } }
	addresses := func(globs ...string) func(*Freeze) { return func(f *Freeze) { f.Addresses = globs } }
	between := func(begin, end time.Time) func(*Freeze) { return func(f *Freeze) { f.Begin, f.End = begin, end } }
	zone := func(name string) func(*Freeze) { return func(f *Freeze) { f.TimeZone = name } }
	var many []string
	for i := range MaxFreezeAddresses + 1 {
		many = append(many, fmt.Sprintf("pool/p%d", i))
	}
	runViolationTests(t, validFreeze, []violationTest[*Freeze]{
		{"no owner", func(f *Freeze) { f.Owner = "" }, "/owner", "is required"},
		{"no reason", reason("  "), "/reason", "is required"},
		{"reason at the most", reason(strings.Repeat("x", MaxFreezeReason)), valid, ""},
		{"reason above", reason(strings.Repeat("x", MaxFreezeReason+1)), "/reason", "at most 512"},
		{"reason with a control character", reason("a\x1b[31m"), "/reason", "invisible"},
		{"globs", addresses("pool/web", "route/shop-*", "*/db"), valid, ""},
		{"no globs", addresses(), "/addresses", "is required"},
		{"what is no glob", addresses("pool/a", "pool/["), "/addresses/0", "must be a glob"},
		{"kind alone", addresses("pool"), "/addresses/0", "must be a glob"},
		{"101 globs", addresses(many...), "/addresses", "at most 100"},
		{"no begin", between(time.Time{}, friday), "/begin", "is required: an RFC 3339 time"},
		{"no end", between(friday, time.Time{}), "/end", "is required"},
		{"begin too early", between(friday.AddDate(-27, 0, 0), friday), "/begin", "between the years 2000 and 2200"},
		{"end too late", between(friday, friday.AddDate(200, 0, 0)), "/end", "between the years"},
		{"year of five digits", between(time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)), friday), "/begin", "between the years"},
		{"end as it begins", between(friday, friday), "/end", "must be after begin"},
		{"less than a second", between(friday, friday.Add(time.Second-1)), "/end", "must be after begin"},
		{"90 days", between(friday, friday.Add(MaxFreezeLength)), valid, ""},
		{"longer than 90 days", between(friday, friday.Add(MaxFreezeLength+time.Second)), "/end", "longer than 90 days"},
		{"UTC", zone("UTC"), valid, ""},
		{"no zone", zone(""), "/time_zone", "IANA"},
		{"the machine's own zone", zone("Local"), "/time_zone", "IANA"},
		{"the machine's own zone by its file", zone("localtime"), "/time_zone", "IANA"},
		{"a path", zone("../zoneinfo/UTC"), "/time_zone", "IANA"},
		{"a path within", zone("Europe/../../passwd"), "/time_zone", "not a time zone that is known here"},
		{"zone that isn't", zone("Europe/Atlantis"), "/time_zone", `"Europe/Atlantis" is not a time zone`},
		{"long zone", zone(strings.Repeat("Z", 65)), "/time_zone", "IANA"},
	})
}

func TestRecurrenceRules(t *testing.T) {
	const at = "/recurrence"
	runViolationTests(t, validFreeze, []violationTest[*Freeze]{
		{"weekly", recurring("FREQ=WEEKLY"), valid, ""},
		{"spelled otherwise", recurring(" rrule:freq=weekly;byday=fr "), valid, ""},
		{"parts in another order", recurring("BYDAY=FR;WKST=SU;FREQ=WEEKLY;INTERVAL=2"), valid, ""},
		{"first Friday", recurring("FREQ=MONTHLY;BYDAY=1FR"), valid, ""},
		{"one of the first Friday and the last Monday", recurring("FREQ=MONTHLY;BYDAY=1FR,-1MO"), valid, ""},
		{"first weekday of the month", recurring("FREQ=MONTHLY;BYDAY=TH,FR;BYSETPOS=2"), valid, ""},
		{"yearly", recurring("FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=2"), valid, ""},
		{"week of the year", recurring("FREQ=YEARLY;BYWEEKNO=1;BYDAY=FR"), valid, ""},
		{"day of the year", recurring("FREQ=YEARLY;BYYEARDAY=2,-1"), valid, ""},
		{"53rd weekday", recurring("FREQ=YEARLY;BYDAY=1FR,-53SU"), valid, ""},
		{"bounds", recurring("FREQ=DAILY;INTERVAL=1000;COUNT=1000"), valid, ""},
		{"until", recurring("FREQ=DAILY;UNTIL=20260103T000000Z"), valid, ""},

		{"nonsense", recurring("every friday"), at, "must be one rule of RFC 5545"},
		{"no frequency", recurring("BYDAY=FR"), at, "must recur daily"},
		{"hourly", recurring("FREQ=HOURLY"), at, "must recur daily"},
		{"part without a value", recurring("FREQ=DAILY;BYDAY="), at, "must be one rule"},
		{"part twice", recurring("FREQ=DAILY;FREQ=WEEKLY"), at, "must be one rule"},
		{"two rules", recurring("FREQ=DAILY\nFREQ=WEEKLY"), at, "must recur"},
		{"prefix twice", recurring("RRULE:RRULE:FREQ=DAILY"), at, "must"},
		{"a beginning of its own", recurring("FREQ=DAILY;DTSTART=20260101T000000Z"), at, "by nothing else"},
		{"long", recurring("FREQ=WEEKLY;BYDAY=FR" + strings.Repeat(",FR", 80)), at, "at most 256 bytes"},
		{"time of day", recurring("FREQ=DAILY;BYHOUR=1"), at, "must not have BYHOUR"},
		{"Easter", recurring("FREQ=YEARLY;BYEASTER=99999"), at, "by nothing else"},
		{"week number of a month", recurring("FREQ=MONTHLY;BYWEEKNO=1"), at, "BYMONTH, BYMONTHDAY, BYDAY and BYSETPOS, and by nothing else"},
		{"day of the month of a week", recurring("FREQ=WEEKLY;BYMONTHDAY=2"), at, "by nothing else"},
		{"no interval", recurring("FREQ=DAILY;INTERVAL=0"), at, "INTERVAL between 1 and 1000"},
		{"long interval", recurring("FREQ=DAILY;INTERVAL=999999999"), at, "INTERVAL between 1 and 1000"},
		{"interval that overflows", recurring("FREQ=MONTHLY;INTERVAL=9223372036854775807"), at, "INTERVAL between"},
		{"signed interval", recurring("FREQ=DAILY;INTERVAL=+2"), at, "INTERVAL between"},
		{"no count", recurring("FREQ=DAILY;COUNT=0"), at, "COUNT between 1 and 1000"},
		{"negative count", recurring("FREQ=DAILY;COUNT=-1"), at, "COUNT between"},
		{"high count", recurring("FREQ=DAILY;COUNT=1001"), at, "use UNTIL"},
		{"count and until", recurring("FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z"), at, "both COUNT and UNTIL"},
		{"until a day", recurring("FREQ=DAILY;UNTIL=20270101"), at, "UNTIL in UTC, such as 20261231T235959Z"},
		{"until a local time", recurring("FREQ=DAILY;UNTIL=20270101T000000"), at, "UNTIL in UTC"},
		{"position of nothing", recurring("FREQ=MONTHLY;BYSETPOS=1"), at, "beside BYSETPOS"},
		{"position in a week", recurring("FREQ=WEEKLY;BYDAY=FR;BYSETPOS=1"), at, "by nothing else"},
		{"week without a day", recurring("FREQ=YEARLY;BYWEEKNO=1"), at, "BYDAY beside BYWEEKNO"},
		{"numbered weekday of a week", recurring("FREQ=WEEKLY;BYDAY=1FR"), at, "without a number"},
		{"numbered weekday of a numbered week", recurring("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1FR"), at, "without a number"},
		{"sixth weekday of a month", recurring("FREQ=MONTHLY;BYDAY=-6FR"), at, "between -5 and 5"},
		{"53rd weekday of a month", recurring("FREQ=MONTHLY;BYDAY=-53FR"), at, "between -5 and 5"},
		{"sixth weekday of January", recurring("FREQ=YEARLY;BYMONTH=1;BYDAY=6FR"), at, "between -5 and 5"},
		{"54th weekday", recurring("FREQ=YEARLY;BYDAY=54FR"), at, "between -53 and 53"},
		{"numbered and plain weekdays", recurring("FREQ=MONTHLY;BYDAY=MO,1FR"), at, "at every weekday or at none"},
		{"weekday that isn't", recurring("FREQ=WEEKLY;BYDAY=XX"), at, "must be one rule"},
		{"month that isn't", recurring("FREQ=YEARLY;BYMONTH=13"), at, "must be one rule"},
		{"day that isn't", recurring("FREQ=MONTHLY;BYMONTHDAY=0"), at, "must be one rule"},

		{"begin on another day", recurring("FREQ=WEEKLY;BYDAY=SA"), at, "none on Friday, 2 January 2026 in Europe/Berlin"},
		{"begin on another day of the month", recurring("FREQ=MONTHLY;BYDAY=-1FR"), at, "must have begin among its times"},
		{"begin after until", recurring("FREQ=DAILY;UNTIL=20260101T000000Z"), at, "must have begin among its times"},
		{"never", recurring("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), at, "must have begin among its times"},
		{"never, by day", recurring("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30,31"), at, "must have begin among its times"},
		// Half past midnight on Saturday there is half past eleven on Friday in UTC.
		{"another day in another zone", func(f *Freeze) {
			f.Begin, f.Recurrence = time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC), "FREQ=WEEKLY;BYDAY=SA"
		}, valid, ""},
	})
}

func TestSpellingsOfAFreezeThatMeanTheSameAreOne(t *testing.T) {
	for name, change := range map[string]func(*Freeze){
		"rule in lower case": recurring("freq=weekly;byday=fr"),
		"rule with a name":   recurring("RRULE:FREQ=WEEKLY;BYDAY=FR"),
		"rule with space":    recurring(" rrule: FREQ=WEEKLY;BYDAY=FR\n"),
		"times in a zone": func(f *Freeze) {
			f.Begin, f.End = f.Begin.In(time.FixedZone("", 3600)), f.End.In(time.FixedZone("", -7200))
		},
		"fractions": func(f *Freeze) { f.Begin, f.End = f.Begin.Add(1), f.End.Add(time.Second-1) },
		"glob twice": func(f *Freeze) {
			f.Addresses = []string{"*", "*"}
		},
	} {
		want, got := validFreeze(), validFreeze()
		want.Recurrence, got.Recurrence = "FREQ=WEEKLY;BYDAY=FR", "FREQ=WEEKLY;BYDAY=FR"
		change(got)
		want.Normalize()
		got.Normalize()
		a, err := Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := Encode(got); err != nil || string(a) != string(b) {
			t.Errorf("%s: %v\n%s\n is not\n%s", name, err, b, a)
		}
	}
}

func FuzzDecodeFreeze(f *testing.F) {
	f.Add([]byte(`{"begin":"9999-12-31T23:59:59-01:00","end":"0000-01-01T00:00:00+01:00"}`))
	f.Add([]byte(`{"recurrence":"RRULE:RRULE: rrule:FREQ=DAILY"}`))
	fuzzDecode(f, KindFreeze, `{"owner":"x","reason":"y","addresses":["pool/*"],"begin":"2026-12-20T19:00:00.5+01:00","end":"2026-12-27T19:00:00Z","recurrence":"rrule:freq=weekly","time_zone":"Europe/Berlin"}`)
}
