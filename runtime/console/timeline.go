package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

var timelinePage = page{name: "timeline", path: "/", nav: "Timeline", show: (*visit).timeline}

// timelineFilters are the filters, by their names in the URL.
var timelineFilters = []string{"type", "text", "resource", "actor", "ticket", "run", "workspace", "owner", "since", "until"}

// timelineData is what the timeline shows.
type timelineData struct {
	Filters filters
	Types   []string
	Entries []api.EntryRecord
	// Older is the URL of the page after this one; empty on the last.
	Older string
	// Newest is the seq of the newest entry of the page, or that after which to look for
	// others. Live is set where they would stand on this page.
	Newest int64
	Live   bool
	// More is set in a fragment that does not reach down to what the reader has.
	More bool
}

// filters are a list's, as the URL has them.
type filters struct {
	path   string
	values url.Values
}

// filtersOf reads those filters of the URL that have one of the names.
func (v *visit) filters(names []string) filters {
	f := filters{v.URL.Path, url.Values{}}
	for name, values := range v.URL.Query() {
		if text := strings.TrimSpace(values[0]); text != "" && slices.Contains(names, name) {
			f.values.Set(name, text)
		}
	}
	return f
}

// Get returns a filter's value, or "".
func (f filters) Get(name string) string { return f.values.Get(name) }

// Any reports whether there are filters, but for those of the names.
func (f filters) Any(but ...string) bool {
	for name := range f.values {
		if !slices.Contains(but, name) {
			return true
		}
	}
	return false
}

// Set lists the filters by name.
func (f filters) Set() [][2]string {
	var out [][2]string
	for name := range f.values {
		out = append(out, [2]string{name, f.values.Get(name)})
	}
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// With returns the URL with one filter set or, with "", left out.
func (f filters) With(name, value string) string {
	values := url.Values{}
	for other := range f.values {
		values.Set(other, f.values.Get(other))
	}
	values.Set(name, value)
	if value == "" {
		values.Del(name)
	}
	if len(values) == 0 {
		return f.path
	}
	return f.path + "?" + values.Encode()
}

func (v *visit) timeline() (view, error) {
	data := timelineData{Filters: v.filters(timelineFilters), Types: api.EntryTypes}
	q := api.EntryQuery{
		Type: data.Filters.Get("type"), Resource: data.Filters.Get("resource"), Actor: data.Filters.Get("actor"),
		Ticket: data.Filters.Get("ticket"), Run: data.Filters.Get("run"), Workspace: data.Filters.Get("workspace"),
		Owner: data.Filters.Get("owner"), Text: data.Filters.Get("text"), Cursor: v.URL.Query().Get("cursor"), IncludePatch: true,
	}
	var err error
	if q.Since, err = timeFilter(data.Filters.Get("since")); err != nil {
		return view{}, err
	}
	if q.Until, err = timeFilter(data.Filters.Get("until")); err != nil {
		return view{}, err
	}
	list, err := v.client.Entries(v.Context(), q)
	if err != nil {
		return view{}, err
	}
	data.Entries, data.Live = list.Items, q.Cursor == "" && q.Until.IsZero()
	if list.Next != "" {
		data.Older = data.Filters.With("cursor", list.Next)
	}
	if len(list.Items) > 0 {
		data.Newest = list.Items[0].Seq
	}
	shown := view{title: "Timeline", scripts: []string{"timeline.js"}, data: data}
	if v.URL.Query().Has("fragment") {
		shown.fragment, shown.data = "rows", newer(data, v.URL.Query().Get("after"))
	}
	return shown, nil
}

// newer keeps the entries after a seq.
func newer(data timelineData, after string) timelineData {
	seq, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		seq = -1
	}
	i := slices.IndexFunc(data.Entries, func(e api.EntryRecord) bool { return e.Seq <= seq })
	if i >= 0 {
		data.Entries = data.Entries[:i]
	} else {
		data.More = data.Older != ""
	}
	return data
}

// timeFilter reads a time as people and forms write it: RFC 3339, or less of it, in UTC.
func timeFilter(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, api.NewProblem(api.CodeMalformed, "a time is written as 2006-01-02 15:04 (UTC) or in RFC 3339")
}
