package console

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var trafficPage = page{name: "traffic", path: "/traffic", nav: "Traffic", show: (*visit).traffic}

// trafficRanges are those that can be chosen, by their names in the URL.
var trafficRanges = []struct {
	name, label string
	span, step  time.Duration
}{
	{"15m", "15 minutes", 15 * time.Minute, 10 * time.Second},
	{"1h", "1 hour", time.Hour, 30 * time.Second},
	{"6h", "6 hours", 6 * time.Hour, 3 * time.Minute},
	{"24h", "24 hours", 24 * time.Hour, 10 * time.Minute},
	{"7d", "7 days", 7 * 24 * time.Hour, time.Hour},
}

const (
	defaultRange = 1 // of trafficRanges
	// figuresPerPage bounds the listeners and pools that are drawn at once.
	figuresPerPage = 12
	// maxMarked bounds the changes that are marked: the newest ones.
	maxMarked = 600
)

// trafficData is what the page of traffic shows.
type trafficData struct {
	Filters filters
	Ranges  []chip
	// One is set when it is about one listener or pool, and All leads to the others.
	One bool
	All string
	*api.Traffic
	Figures []figure
	// Changes counts those that are marked; MoreChanges says that there are others before
	// them, and ChangesURL leads to all.
	Changes     int
	MoreChanges bool
	ChangesURL  string
	// Earlier and Later lead to the spans beside this one; Later is empty at the end.
	Earlier, Later string
	More           string
	// Refresh is after how many seconds the figures are worth asking for again; 0 is never.
	Refresh int
	// Counting is set when the runtime began to count within the span.
	Counting bool
}

// chip is a choice that is a link.
type chip struct {
	Label, URL string
	Current    bool
}

func (v *visit) traffic() (view, error) {
	data := trafficData{Filters: v.filters([]string{"range", "until", "listener", "pool"})}
	chosen := trafficRanges[defaultRange]
	for _, r := range trafficRanges {
		if r.name == data.Filters.Get("range") {
			chosen = r
		}
	}
	for _, r := range trafficRanges {
		data.Ranges = append(data.Ranges, chip{r.label, data.Filters.With("range", r.name), r.name == chosen.name})
	}
	data.Filters.values.Set("range", chosen.name)
	q := api.TrafficQuery{
		Listener: data.Filters.Get("listener"), Pool: data.Filters.Get("pool"), Step: chosen.step,
		Limit: figuresPerPage, Cursor: v.page().Cursor,
	}
	var err error
	if q.Until, err = timeFilter(data.Filters.Get("until")); err != nil {
		return view{}, err
	}
	now := v.console.Now()
	ended := !q.Until.IsZero() && q.Until.Before(now)
	if !ended {
		q.Until = now
	}
	q.Since = q.Until.Add(-chosen.span)
	if data.Traffic, err = v.client.Traffic(v.Context(), q); err != nil {
		return view{}, err
	}
	changes, more, err := v.changes(data.Since, data.Until)
	if err != nil {
		return view{}, err
	}
	data.One = q.Listener != "" || q.Pool != ""
	data.All = data.Filters.only("range", "until").With("cursor", "")
	data.Changes, data.MoreChanges, data.ChangesURL = len(changes), more, changesURL(data.Since, data.Until)
	data.Counting = data.CountingSince.After(data.Since)
	data.Earlier = data.Filters.With("until", q.Since.UTC().Format("2006-01-02T15:04:05"))
	if ended {
		data.Later = data.Filters.With("until", "")
		if next := q.Until.Add(chosen.span); next.Before(now) {
			data.Later = data.Filters.With("until", next.UTC().Format("2006-01-02T15:04:05"))
		}
	} else {
		data.Refresh = max(10, min(60, data.StepSeconds))
	}
	for i := range data.Items {
		data.Figures = append(data.Figures, figureOf(data.Traffic, &data.Items[i], changes, data.Filters))
	}
	if data.Next != "" {
		data.More = data.Filters.With("cursor", data.Next)
	}
	shown := view{title: "Traffic", scripts: []string{"traffic.js"}, data: data}
	if v.URL.Query().Has("fragment") {
		shown.fragment = "figures"
	}
	return shown, nil
}

// changes reads the changes in a span of time, newest first; more says that there are
// others before them.
func (v *visit) changes(since, until time.Time) (changes []api.EntryRecord, more bool, err error) {
	q := api.EntryQuery{Type: "apply", Since: since, Until: until, Limit: api.MaxPageSize}
	for {
		list, err := v.client.Entries(v.Context(), q)
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, list.Items...)
		if q.Cursor = list.Next; q.Cursor == "" {
			return changes, false, nil
		}
		if len(changes) >= maxMarked {
			return changes, true, nil
		}
	}
}

// only keeps the filters of some names.
func (f filters) only(names ...string) filters {
	out := filters{f.path, url.Values{}}
	for _, name := range names {
		if f.values.Has(name) {
			out.values.Set(name, f.values.Get(name))
		}
	}
	return out
}

// figure is one listener or pool on the page.
type figure struct {
	*chart
	// Name is listener/web; URL is the page of it alone, and Object that of the object.
	Name, URL, Object string
	TCP, OfPool       bool
	Stats             []stat
	Legend            []plotted
	Rows              []trafficRow
}

// stat is a figure of the whole span.
type stat struct{ Label, Value, Class string }

// trafficRow is a step, in the table.
type trafficRow struct {
	*api.TrafficPoint
	Rate, Errors, ClientErrors, P50, P99, In, Out string
}

// figureOf draws one series.
func figureOf(t *api.Traffic, s *api.TrafficSeries, changes []api.EntryRecord, f filters) figure {
	kind, name := "listener", s.Listener
	if s.Pool != "" {
		kind, name = "pool", s.Pool
	}
	out := figure{Name: s.Name(), Object: objectURL(kind + "/" + name), TCP: s.TCP(), OfPool: s.Pool != ""}
	out.URL = f.only("range", "until").With(kind, name)
	step := time.Duration(t.StepSeconds) * time.Second
	out.chart = newChart(kind+"-"+name, "Traffic of "+s.Name(), t.Since, t.Until)
	if t.CountingSince.After(t.Since) {
		out.Uncounted = percentage(min(100, out.percent(t.CountingSince)))
	}
	out.panels(s, step)
	out.Wide, out.Narrow = out.marks(changes, wideMarks), out.marks(changes, narrowMarks)
	out.Desc = out.describe(t, len(changes))
	for i := range s.Points {
		p := &s.Points[len(s.Points)-1-i]
		out.Rows = append(out.Rows, trafficRow{
			TrafficPoint: p, Rate: perSecond(p.PerSecond(events(s, p))), Errors: perSecond(p.PerSecond(p.Errors)), ClientErrors: perSecond(p.PerSecond(p.ClientErrors)),
			P50: seconds(p.LatencyP50), P99: seconds(p.LatencyP99), In: size(p.PerSecond(p.BytesIn)), Out: size(p.PerSecond(p.BytesOut)),
		})
	}
	return out
}

// panels adds the panels of a series, and the figures of the whole span.
func (f *figure) panels(s *api.TrafficSeries, step time.Duration) {
	line := func(class, label string, filled bool, value func(*api.TrafficPoint) float64) plotted {
		l := plotted{class: class, label: label, filled: filled}
		for i := range s.Points {
			l.samples = append(l.samples, sample{s.Points[i].Time, value(&s.Points[i])})
		}
		return l
	}
	noun := "requests"
	if s.TCP() {
		noun = "connections"
	}
	total := &s.Total
	rate := func(p *api.TrafficPoint) float64 { return p.PerSecond(events(s, p)) }
	most, mostErrors := 0.0, 0.0
	for i := range s.Points {
		most = max(most, rate(&s.Points[i]))
		mostErrors = max(mostErrors, s.Points[i].PerSecond(s.Points[i].Errors))
	}
	title := strings.ToUpper(noun[:1]) + noun[1:] + " per second"
	f.add(title, fmt.Sprintf("%s: %s on average, at most %s", title, perSecond(rate(total)), perSecond(most)), perSecond, step, line("rate", noun, true, rate))
	f.Stats = append(f.Stats, stat{noun + " per second", perSecond(rate(total)), ""}, stat{"at most", perSecond(most), ""})

	share := "0%"
	if n := events(s, total); n > 0 {
		share = percent(float64(total.Errors) / float64(n))
	}
	errors := []plotted{line("errors", "5xx", true, func(p *api.TrafficPoint) float64 { return p.PerSecond(p.Errors) })}
	label := "errors (5xx)"
	if s.TCP() {
		errors[0].label, label = "failed", "failed"
	} else {
		errors = append(errors, line("client-errors", "4xx", false, func(p *api.TrafficPoint) float64 { return p.PerSecond(p.ClientErrors) }))
	}
	text := fmt.Sprintf("Errors per second: %d, %s of all, at most %s a second", total.Errors, share, perSecond(mostErrors))
	if !s.TCP() {
		text += fmt.Sprintf("; %d answers of status 4xx", total.ClientErrors)
	}
	f.add("Errors per second", text, perSecond, step, errors...)
	class := ""
	if total.Errors > 0 {
		class = "bad"
	}
	f.Stats = append(f.Stats, stat{label, share, class})

	switch {
	case !s.TCP():
		quantile := func(of func(*api.TrafficPoint) float64) func(*api.TrafficPoint) float64 {
			return func(p *api.TrafficPoint) float64 {
				if p.Requests == 0 {
					return math.NaN()
				}
				return of(p)
			}
		}
		f.add("Latency", fmt.Sprintf("Latency: half of the requests took at most %s, 99 of 100 at most %s", seconds(total.LatencyP50), seconds(total.LatencyP99)), seconds, step,
			line("p99", "p99", false, quantile(func(p *api.TrafficPoint) float64 { return p.LatencyP99 })),
			line("p50", "p50", false, quantile(func(p *api.TrafficPoint) float64 { return p.LatencyP50 })))
		f.Stats = append(f.Stats, stat{"p50", seconds(total.LatencyP50), ""}, stat{"p99", seconds(total.LatencyP99), ""})
	case s.Pool == "":
		f.add("Bytes per second", fmt.Sprintf("Bytes per second: %s from clients, %s to clients on average", size(total.PerSecond(total.BytesIn)), size(total.PerSecond(total.BytesOut))), size, step,
			line("rate", "to clients", false, func(p *api.TrafficPoint) float64 { return p.PerSecond(p.BytesOut) }),
			line("p50", "from clients", false, func(p *api.TrafficPoint) float64 { return p.PerSecond(p.BytesIn) }))
		f.add("Open connections", fmt.Sprintf("Open connections: at most %d", total.OpenConnections), perSecond, step,
			line("rate", "open", true, func(p *api.TrafficPoint) float64 { return float64(p.OpenConnections) }))
		f.Stats = append(f.Stats, stat{"open at most", fmt.Sprint(total.OpenConnections), ""}, stat{"bytes per second", size(total.PerSecond(total.BytesIn + total.BytesOut)), ""})
	}
}

// describe says in words what the figure shows.
func (f *figure) describe(t *api.Traffic, changes int) string {
	parts := []string{fmt.Sprintf("From %s to %s UTC", t.Since.Format("2006-01-02 15:04"), t.Until.Format("2006-01-02 15:04"))}
	for _, p := range f.Panels {
		parts = append(parts, p.Text)
	}
	return strings.Join(append(parts, count(changes, "change")+" of the configuration in that time"), ". ") + "."
}

// events are what is counted: requests, or connections.
func events(s *api.TrafficSeries, p *api.TrafficPoint) int64 {
	if s.TCP() {
		return p.Connections
	}
	return p.Requests
}

// Steps says how long a step is.
func (d trafficData) Steps() string { return lasting(d.StepSeconds) }

// Keys explain the marks.
func (d trafficData) Keys() []mark {
	return []mark{
		{Kind: markChange, Count: 1, Label: "change"},
		{Kind: markRollback, Count: 1, Label: "rollback"},
		{Kind: markEmergency, Count: 1, Label: "in an emergency"},
		{Kind: markChange, Count: 3, Label: "several"},
	}
}
