package console

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// mark is a change, or several that are close together, on a chart.
type mark struct {
	// X is where it is, from the left.
	X string
	// Kind is change, rollback or emergency: how it looks.
	Kind string
	// Count is how many changes it stands for; Label says which, and URL leads to the
	// difference, or to the timeline of several.
	Count int
	Label string
	URL   string
	// Stem is how far down it reaches.
	Stem int
}

// Kinds of marks.
const (
	markChange    = "change"
	markRollback  = "rollback"
	markEmergency = "emergency"
)

// Distances, in percent of a chart's width, at which marks don't stand on each other: on
// a wide chart and on a narrow one.
const (
	wideMarks   = 3.2
	narrowMarks = 9.5
)

// marks puts changes, newest first, on a chart. Those within a distance are one.
func (c *chart) marks(changes []api.EntryRecord, distance float64) []mark {
	var out []mark
	var group []*api.EntryRecord
	flush := func() {
		if len(group) > 0 {
			out = append(out, markOf(c, group))
		}
		group = nil
	}
	for i := len(changes) - 1; i >= 0; i-- {
		e := &changes[i]
		if e.Time.Before(c.since) || !e.Time.Before(c.until) {
			continue
		}
		if len(group) > 0 && c.percent(e.Time)-c.percent(group[0].Time) >= distance {
			flush()
		}
		group = append(group, e)
	}
	flush()
	return out
}

func markOf(c *chart, group []*api.EntryRecord) mark {
	first, last := group[0], group[len(group)-1]
	m := mark{X: c.x(first.Time), Kind: markChange, Count: len(group), Stem: c.Stems}
	rollbacks, emergencies := 0, 0
	for _, e := range group {
		if e.Rollback != nil {
			rollbacks++
		}
		if e.Emergency {
			emergencies++
		}
	}
	switch {
	case emergencies > 0:
		m.Kind = markEmergency
	case rollbacks > 0:
		m.Kind = markRollback
	}
	if len(group) == 1 {
		m.Label, m.URL = changeLabel(first), entryURL(first.Seq)+"#difference-h"
		return m
	}
	m.Label = fmt.Sprintf("%d changes, revisions %d to %d", len(group), first.Seq, last.Seq)
	if rollbacks > 0 {
		m.Label += ", " + count(rollbacks, "rollback") + " among them"
	}
	if emergencies > 0 {
		m.Label += ", " + fmt.Sprint(emergencies) + " in an emergency"
	}
	m.URL = changesURL(first.Time, last.Time.Add(time.Microsecond))
	return m
}

// changesURL leads to the timeline of the changes in a span of time.
func changesURL(since, until time.Time) string {
	return Root + "?" + url.Values{
		"type": {"apply"}, "since": {since.UTC().Format(time.RFC3339Nano)}, "until": {until.UTC().Format(time.RFC3339Nano)},
	}.Encode()
}

// changeLabel says what a change did: revision 42: pool/web updated by olivia under CHG-1.
func changeLabel(e *api.EntryRecord) string {
	done := map[string]string{string(lb.OpCreate): "created", string(lb.OpUpdate): "updated", string(lb.OpDelete): "deleted"}[e.Op]
	if done == "" {
		done = e.Op
	}
	var b strings.Builder
	fmt.Fprintf(&b, "revision %d: %s %s by %s", e.Seq, e.Resource, done, e.Actor.Name)
	if e.Ticket != "" {
		b.WriteString(" under " + e.Ticket)
	}
	if e.Rollback != nil {
		b.WriteString(", a rollback")
	}
	if e.Emergency {
		b.WriteString(", in an emergency")
	}
	return b.String()
}
