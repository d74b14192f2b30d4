package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// printTraffic writes a line for each listener and pool.
func printTraffic(out io.Writer, t *trafficShown) {
	heading := []string{"NAME", "COUNTED", "PER SECOND", "PEAK", "ERRORS", "4XX", "P50", "P99", "OPEN", "IN", "OUT"}
	lines := isTerminal(out)
	if lines {
		heading = append(heading, "PER SECOND OVER TIME")
	}
	rows := make([][]string, 0, len(t.Items))
	for i := range t.Items {
		s := &t.Items[i]
		row := append([]string{s.Name(), amount(s, &s.Total), rate(&s.Total, events(s, &s.Total)), number(peak(s))}, figures(s, &s.Total)...)
		if lines {
			row = append(row, sparkline(t, s, sparkWidth))
		}
		rows = append(rows, row)
	}
	columns(out, heading, rows)
	printTrafficSpan(out, t)
	if n := len(t.Changes); n > 0 {
		fmt.Fprintf(out, "%s in that time: auditlb history --type apply --since %s\n", changesMade(t), t.Since.Format(time.RFC3339))
	}
}

// printTrafficSteps writes a line for each step of one listener or pool, with the
// changes that were made in it.
func printTrafficSteps(out io.Writer, t *trafficShown) {
	s := &t.Items[0]
	if isTerminal(out) {
		fmt.Fprintf(out, "%s per second, up to %s\n%s\n%s\n\n", what(s), number(peak(s)), sparkline(t, s, 0), changeMarks(t))
	}
	rows := make([][]string, 0, len(s.Points))
	for i := range s.Points {
		p := &s.Points[i]
		row := append([]string{at(p.Time), strconv.FormatInt(p.Revision, 10), rate(p, events(s, p))}, figures(s, p)...)
		if s.Pool != "" {
			row = row[:7]
		}
		rows = append(rows, append(row, changesIn(t, p.Time)))
	}
	heading := []string{"TIME", "REVISION", "PER SECOND", "ERRORS", "4XX", "P50", "P99", "OPEN", "IN", "OUT", "CHANGES"}
	if s.Pool != "" {
		heading = append(heading[:7], "CHANGES")
	}
	columns(out, heading, rows)
	fmt.Fprintf(out, "%s: %s in all, %s per second; %s\n", s.Name(), amount(s, &s.Total), rate(&s.Total, events(s, &s.Total)), changesMade(t))
	printTrafficSpan(out, t)
}

func printTrafficSpan(out io.Writer, t *trafficShown) {
	step := time.Duration(t.StepSeconds) * time.Second
	fmt.Fprintf(out, "From %s to %s in steps of %s.", at(t.Since), at(t.Until), shortDuration(step))
	if t.CountingSince.After(t.Since) {
		fmt.Fprintf(out, " The runtime counts since %s.", at(t.CountingSince))
	}
	fmt.Fprintln(out)
}

// figures are the columns that tell more of a span than how much there was.
func figures(s *api.TrafficSeries, p *api.TrafficPoint) []string {
	row := []string{count(p.Errors), count(p.ClientErrors), latency(p.LatencyP50), latency(p.LatencyP99), count(p.OpenConnections), size(p.BytesIn), size(p.BytesOut)}
	if s.TCP() {
		row[1] = "-"
	}
	if s.Pool != "" {
		row[4], row[5], row[6] = "-", "-", "-"
	}
	return row
}

// events are what is counted: requests, or connections.
func events(s *api.TrafficSeries, p *api.TrafficPoint) int64 {
	if s.TCP() {
		return p.Connections
	}
	return p.Requests
}

func what(s *api.TrafficSeries) string {
	if s.TCP() {
		return "Connections"
	}
	return "Requests"
}

func amount(s *api.TrafficSeries, p *api.TrafficPoint) string {
	return quantity(int(events(s, p)), strings.TrimSuffix(strings.ToLower(what(s)), "s"))
}

func rate(p *api.TrafficPoint, n int64) string { return number(p.PerSecond(n)) }

// peak is the highest rate of a step.
func peak(s *api.TrafficSeries) (most float64) {
	for i := range s.Points {
		most = max(most, s.Points[i].PerSecond(events(s, &s.Points[i])))
	}
	return most
}

// number writes a rate with about three digits.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// latency writes a time in seconds.
func latency(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	d := time.Duration(seconds * float64(time.Second))
	if d < 100*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

func size(n int64) string {
	v := float64(n)
	for _, unit := range []string{" B", " KB", " MB", " GB"} {
		if v < 1000 {
			return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") + unit
		}
		v /= 1000
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " TB"
}

// sparkWidth is how many steps a line in the table of all has; each is of several points.
const sparkWidth = 30

var sparks = []rune("▁▂▃▄▅▆▇█")

// sparkline draws the rate over the span; a blank is where nothing was counted. Width 0
// is one column for each step.
func sparkline(t *trafficShown, s *api.TrafficSeries, width int) string {
	steps := int(t.Until.Sub(t.Since).Seconds()) / t.StepSeconds
	if width == 0 || width > steps {
		width = steps
	}
	values, top := make([]float64, width), 0.0
	for i := range values {
		values[i] = math.NaN()
	}
	for i := range s.Points {
		p := &s.Points[i]
		column := int(p.Time.Sub(t.Since).Seconds()) / t.StepSeconds * width / steps
		v := p.PerSecond(events(s, p))
		if column >= 0 && column < width && !(v < values[column]) {
			values[column], top = v, max(top, v)
		}
	}
	var out strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			out.WriteByte(' ')
		case v == 0:
			out.WriteRune('_')
		default:
			out.WriteRune(sparks[min(len(sparks)-1, int(v/top*float64(len(sparks))))])
		}
	}
	return out.String()
}

// changeMarks stands below a sparkline of all steps: ^ is a change, + several.
func changeMarks(t *trafficShown) string {
	steps := int(t.Until.Sub(t.Since).Seconds()) / t.StepSeconds
	marks := []byte(strings.Repeat(" ", steps))
	for i := range t.Changes {
		at := int(t.Changes[i].Time.Sub(t.Since).Seconds()) / t.StepSeconds
		switch {
		case at < 0 || at >= steps:
		case marks[at] == ' ':
			marks[at] = '^'
		default:
			marks[at] = '+'
		}
	}
	return strings.TrimRight(string(marks), " ")
}

// changesIn names the changes of a step, newest first.
func changesIn(t *trafficShown, from time.Time) string {
	const most = 2
	to := from.Add(time.Duration(t.StepSeconds) * time.Second)
	var parts []string
	n := 0
	for i := range t.Changes {
		e := &t.Changes[i]
		if e.Time.Before(from) || !e.Time.Before(to) {
			continue
		}
		if n++; n <= most {
			parts = append(parts, changeLine(e))
		}
	}
	if n > most {
		parts = append(parts, fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(parts, "; ")
}

// changeLine is a change in a few words: 42 pool/web updated by olivia under CHG-1.
func changeLine(e *api.EntryRecord) string {
	done := map[string]string{string(lb.OpCreate): "created", string(lb.OpUpdate): "updated", string(lb.OpDelete): "deleted"}[e.Op]
	line := fmt.Sprintf("%d %s %s by %s", e.Seq, e.Resource, first(done, e.Op), e.Actor.Name)
	if e.Ticket != "" {
		line += " under " + e.Ticket
	}
	if e.Rollback != nil {
		line += " (rollback)"
	}
	if e.Emergency {
		line += " (EMERGENCY)"
	}
	return line
}

func changesMade(t *trafficShown) string {
	made := quantity(len(t.Changes), "change")
	if t.MoreChanges {
		return "more than " + made
	}
	return made
}

// shortDuration writes whole minutes and hours without zeroes: 5m, 1h.
func shortDuration(d time.Duration) string {
	text := d.String()
	if rest, ok := strings.CutSuffix(text, "m0s"); ok {
		text = rest + "m"
	}
	if rest, ok := strings.CutSuffix(text, "h0m"); ok {
		text = rest + "h"
	}
	return text
}
