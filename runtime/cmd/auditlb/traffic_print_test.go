package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func shownTraffic() *trafficShown {
	since := time.Date(2030, 1, 1, 8, 0, 0, 0, time.UTC)
	s := api.TrafficSeries{Pool: "web", Protocol: api.TrafficHTTP, Total: api.TrafficPoint{Seconds: 240, Requests: 2460, Errors: 6, LatencyP50: .0042, LatencyP99: 1.5}}
	for i, n := range []int64{600, 0, 1200, 660} {
		if i == 1 {
			continue // nothing was counted
		}
		s.Points = append(s.Points, api.TrafficPoint{Time: since.Add(time.Duration(i) * time.Minute), Seconds: 60, Revision: 40 + int64(i), Requests: n, Errors: int64(i)})
	}
	change := func(seq int64, at time.Duration, e api.Entry) api.EntryRecord {
		e.Seq, e.Time, e.Resource, e.Op, e.Actor.Name = seq, since.Add(at), "pool/web", "update", "olivia"
		return api.EntryRecord{Entry: e}
	}
	return &trafficShown{
		Traffic: &api.Traffic{Since: since, Until: since.Add(4 * time.Minute), StepSeconds: 60, CountingSince: since.Add(-time.Hour), Items: []api.TrafficSeries{s}},
		Changes: []api.EntryRecord{
			change(43, 3*time.Minute+time.Second, api.Entry{Ticket: "CHG-2", Rollback: &api.RollbackRef{To: 41}, Emergency: true}),
			change(42, 2*time.Minute+2*time.Second, api.Entry{Ticket: "CHG-1"}),
			change(41, 2*time.Minute, api.Entry{Ticket: "CHG-1"}),
			change(40, 2*time.Minute, api.Entry{}),
		},
	}
}

func TestStepsOfTrafficNameTheirChanges(t *testing.T) {
	var out bytes.Buffer
	printTrafficSteps(&out, shownTraffic())
	want := `TIME                  REVISION  PER SECOND  ERRORS  4XX  P50  P99  CHANGES
2030-01-01 08:00:00Z  40        10.0        0       0    -    -
2030-01-01 08:02:00Z  42        20.0        2       0    -    -  42 pool/web updated by olivia under CHG-1; 41 pool/web updated by olivia under CHG-1; and 1 more
2030-01-01 08:03:00Z  43        11.0        3       0    -    -  43 pool/web updated by olivia under CHG-2 (rollback) (EMERGENCY)
pool/web: 2460 requests in all, 10.2 per second; 4 changes
From 2030-01-01 08:00:00Z to 2030-01-01 08:04:00Z in steps of 1m.
`
	if got := strings.ReplaceAll(out.String(), " \n", "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestASparklineHasAColumnForEachStepAndAMarkForEachChange(t *testing.T) {
	shown := shownTraffic()
	if got := sparkline(shown, &shown.Items[0], 0); got != "▅ █▅" {
		t.Errorf("%q", got)
	}
	if got := sparkline(shown, &shown.Items[0], 2); got != "▅█" {
		t.Errorf("in two columns: %q", got)
	}
	if got := changeMarks(shown); got != "  +^" {
		t.Errorf("marks: %q", got)
	}
	shown.Items[0].Points[0].Requests = 0
	if got := sparkline(shown, &shown.Items[0], 0); got != "_ █▅" {
		t.Errorf("with a step without requests: %q", got)
	}
}

func TestNumbersAreWrittenShort(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{number(0), "0"},
		{number(.0333), "0.033"},
		{number(1), "1.0"},
		{number(12.34), "12.3"},
		{number(1234.5), "1234"},
		{latency(0), "-"},
		{latency(.0004217), "420µs"},
		{latency(.0421), "42.1ms"},
		{latency(1.5004), "1.5s"},
		{size(0), "0 B"},
		{size(999), "999 B"},
		{size(1500), "1.5 KB"},
		{size(2_000_000), "2 MB"},
		{size(3e15), "3000.0 TB"},
		{shortDuration(10 * time.Second), "10s"},
		{shortDuration(5 * time.Minute), "5m"},
		{shortDuration(2 * time.Hour), "2h"},
		{shortDuration(90 * time.Minute), "1h30m"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
