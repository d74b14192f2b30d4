package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// seqs are the entries on a page, from the top.
func seqs(t *testing.T, p page) []string {
	t.Helper()
	return elements(t, p, "li", "data-seq")
}

func TestTheTimelineGoesFromTheNewestToTheFirst(t *testing.T) {
	r := runtimetest.Start(t, runtimetest.Filled(120))
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Viewer])
	var got []string
	for path := "/console/"; path != ""; {
		p := b.get(path)
		got, path = append(got, seqs(t, p)...), ""
		if older := elements(t, p, "a", "rel"); slices.Contains(older, "next") {
			for _, link := range elements(t, p, "a", "href") {
				if strings.Contains(link, "cursor=") {
					path = link
				}
			}
		}
	}
	newest := len(r.Entries(t, api.EntryQuery{}))
	if len(got) != newest || got[0] != fmt.Sprint(newest-1) || got[len(got)-1] != "0" || len(slices.Compact(slices.Sorted(slices.Values(got)))) != newest {
		t.Errorf("%d entries from %s to %s, want %d", len(got), got[0], got[len(got)-1], newest)
	}
}

func TestFiltersOfTheTimeline(t *testing.T) {
	r := filled(t)
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Viewer])
	all := r.Entries(t, api.EntryQuery{})
	for _, tt := range []struct {
		name, query string
		matches     func(api.EntryRecord) bool
	}{
		{"type", "type=apply", func(e api.EntryRecord) bool { return e.Type == "apply" }},
		{"resource", "resource=pool/web", func(e api.EntryRecord) bool { return e.Resource == "pool/web" }},
		{"actor and type", "actor=olivia&type=plan", func(e api.EntryRecord) bool { return e.Actor.Name == "olivia" && e.Type == "plan" }},
		{"ticket", "ticket=CHG-1", func(e api.EntryRecord) bool { return e.Ticket == "CHG-1" }},
		{"workspace", "workspace=" + url.QueryEscape(hostile), func(e api.EntryRecord) bool { return e.Run != nil && e.Run.Workspace == hostile }},
		{"owner", "owner=" + url.QueryEscape(hostile), func(e api.EntryRecord) bool { return e.Owner == hostile }},
		{"text", "text=POOL%2Fgone", func(e api.EntryRecord) bool { return e.Resource == "pool/gone" }},
		{"since, which is over", "until=2001-01-01+08%3A00", func(api.EntryRecord) bool { return false }},
		{"spaces around", "actor=+anton+", func(e api.EntryRecord) bool { return e.Actor.Name == "anton" }},
		{"nothing set, as forms send it", "actor=&type=&since=", func(api.EntryRecord) bool { return true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for _, e := range slices.Backward(all) {
				if tt.matches(e) {
					want = append(want, fmt.Sprint(e.Seq))
				}
			}
			if got := seqs(t, b.get("/console/?"+tt.query)); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	if p := b.get("/console/?since=yesterday"); p.StatusCode != http.StatusBadRequest || !strings.Contains(p.body, "a time is written as") {
		t.Errorf("a time that is none: %d", p.StatusCode)
	}
	if p := b.get("/console/?type=gossip"); p.StatusCode != http.StatusBadRequest {
		t.Errorf("a type that is none: %d", p.StatusCode)
	}
}

// TestAFragmentHasWhatIsNew is what the script of the timeline lives from.
func TestAFragmentHasWhatIsNew(t *testing.T) {
	r := filled(t)
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Viewer])
	before := seqs(t, b.get("/console/?type=ticket"))
	r.OpenTicket(t, api.TicketRequest{ID: "CHG-NEW"})
	p := b.get("/console/?type=ticket&fragment=rows&after=" + before[0])
	if got := seqs(t, p); len(got) != 2 || strings.Contains(p.body, "<html") || !strings.Contains(p.body, "CHG-NEW") {
		t.Errorf("after %s: %v\n%s", before[0], got, p.body)
	}
	if p := b.get("/console/?type=plan&fragment=rows&after=" + before[0]); strings.TrimSpace(p.body) != "" {
		t.Errorf("what the filters don't let through: %s", p.body)
	}
	stranger := newBrowser(t, r.Endpoint, nil)
	if p := stranger.get("/console/?fragment=rows&after=0"); p.StatusCode != http.StatusUnauthorized || strings.Contains(p.body, "CHG-NEW") {
		t.Errorf("a stranger: %d %s", p.StatusCode, p.body)
	}
	if p := stranger.get("/console/live"); p.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger's stream: %d", p.StatusCode)
	}
}
