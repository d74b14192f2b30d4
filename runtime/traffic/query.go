package traffic

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// wantedPoints is about how many points a series has at most where nobody asks for a step.
const wantedPoints = 120

// maxPagePoints bounds the points of an answer.
const maxPagePoints = 20_000

// steps are those that are chosen from where nobody asks for one.
var steps = []time.Duration{
	SampleEvery, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// Query answers what was counted in a span of time. Its times are set, Until is not
// before Since, and Limit is at least 1. Ok is false when nothing is known of the one
// series that was asked for.
func (r *Recorder) Query(q api.TrafficQuery) (answer *api.Traffic, ok bool) {
	v := r.look(&q)
	answer = &api.Traffic{
		Since: v.since.UTC(), Until: v.until.UTC(), StepSeconds: int(v.step / time.Second), CountingSince: r.began.UTC(), Items: []api.TrafficSeries{},
	}
	names := v.names(name{q.Listener, q.Pool}, q.Cursor)
	points := int(v.until.Sub(v.since) / v.step)
	if most := max(1, min(q.Limit, maxPagePoints/max(points, 1))); len(names) > most {
		names, answer.Next = names[:most], names[most-1].String()
	}
	for _, s := range v.fold(names, points) {
		if !s.known {
			return nil, false
		}
		answer.Items = append(answer.Items, s.render())
	}
	return answer, true
}

// view is what is needed of the recorder, all of one moment. Nobody changes it.
type view struct {
	since, until time.Time
	step         time.Duration
	slots        []slot
	// keys are those that slots name, by number; current those that there are now.
	keys, current []key
}

// look decides on the step and the tier of an answer, and takes a view.
func (r *Recorder) look(q *api.TrafficQuery) *view {
	r.mu.Lock()
	defer r.mu.Unlock()
	span := q.Until.Sub(q.Since)
	v := &view{step: q.Step}
	if v.step <= 0 {
		v.step = steps[len(steps)-1]
		if i := slices.IndexFunc(steps, func(s time.Duration) bool { return span < (wantedPoints+1)*s }); i >= 0 {
			v.step = steps[i]
		}
	}
	v.step = max(v.step, span/(api.MaxTrafficPoints-2)) // two for the ends
	// The coarsest tier that is fine enough, or else the next that reaches back. What
	// was not counted need not be reached.
	from := max(q.Since.Unix(), r.began.Unix())
	chosen := r.tiers[0]
	for _, t := range r.tiers {
		if t.step <= int64(v.step/time.Second) || !chosen.reaches(from) {
			chosen = t
		}
	}
	own := time.Duration(chosen.step) * time.Second
	v.step = max((v.step + own - 1).Truncate(own), own)
	v.since, v.until = q.Since.Truncate(v.step), q.Until.Add(v.step-1).Truncate(v.step)
	v.slots = chosen.span(v.since.Unix(), v.until.Unix())
	for _, h := range r.keys {
		v.keys = append(v.keys, h.key)
	}
	for listener, l := range r.source.Traffic().Listeners {
		for pool := range l.Pools {
			v.current = append(v.current, key{listener, pool, withoutHTTP(l.Protocol)})
		}
	}
	return v
}

// name is what a series is about.
type name struct{ listener, pool string }

// compare puts listeners before pools.
func (n name) compare(other name) int {
	return cmp.Or(cmp.Compare(n.pool, other.pool), cmp.Compare(n.listener, other.listener))
}

// covers reports whether a key counts for the series.
func (n name) covers(k key) bool {
	return (n.listener == "" || n.listener == k.listener) && (n.pool == "" || n.pool == k.pool)
}

// String is the series' place in the list.
func (n name) String() string {
	if n.pool == "" {
		return "listener/" + n.listener
	}
	return "pool/" + n.pool
}

// names lists the series after a cursor, or the one that is asked for: those of what
// there is now, and of what was counted in the slots.
func (v *view) names(only name, cursor string) []name {
	if only != (name{}) {
		return []name{only}
	}
	found := map[name]bool{}
	note := func(k key) {
		found[name{listener: k.listener}] = true
		if k.pool != "" {
			found[name{pool: k.pool}] = true
		}
	}
	seen := make([]bool, len(v.keys))
	for _, s := range v.slots {
		eachCell(s.cells, func(id uint64) bool { seen[id] = true; return false }, nil)
	}
	for id, k := range v.keys {
		if seen[id] {
			note(k)
		}
	}
	for _, k := range v.current {
		note(k)
	}
	after := name{}
	if listener, ok := strings.CutPrefix(cursor, "listener/"); ok {
		after.listener = listener
	}
	if pool, ok := strings.CutPrefix(cursor, "pool/"); ok {
		after.pool = pool
	}
	return slices.DeleteFunc(slices.SortedFunc(maps.Keys(found), name.compare), func(n name) bool { return n.compare(after) <= 0 })
}
