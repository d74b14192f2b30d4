package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/net/html"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// trafficStub answers questions about traffic, and about the changes in between, over the
// hour before the rig's clock.
type trafficStub struct {
	stub    *stub
	traffic api.Traffic
	changes []api.EntryRecord
	asked   []url.Values
}

func newTrafficStub(t *testing.T, traffic api.Traffic, changes ...api.EntryRecord) (*trafficStub, *browser) {
	t.Helper()
	r := newRig(t)
	s := &trafficStub{stub: &stub{}, traffic: traffic, changes: changes}
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	r.stub.mu.Lock()
	r.stub.answer = s.answer
	r.stub.mu.Unlock()
	return s, b
}

func (s *trafficStub) answer(w http.ResponseWriter, r *http.Request) {
	var body any
	switch r.URL.Path {
	case "/v1/traffic":
		s.asked = append(s.asked, r.URL.Query())
		body = s.traffic
	case "/v1/entries":
		if r.URL.Query().Get("type") != "apply" {
			http.Error(w, "not what is wanted", http.StatusTeapot)
			return
		}
		body = api.EntryList{Items: s.changes}
	default:
		s.stub.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.MarshalWrite(w, body)
}

// hour is a series of one listener over the hour before the rig's clock, in steps of a
// minute.
func hour(points ...api.TrafficPoint) api.Traffic {
	since := began.Add(-time.Hour)
	s := api.TrafficSeries{Listener: "web", Protocol: api.TrafficHTTP, Points: points, Total: api.TrafficPoint{Seconds: 3600, Requests: 36_000, Errors: 360, LatencyP50: .004, LatencyP99: .25}}
	for i := range s.Points {
		s.Points[i].Time = since.Add(time.Duration(i) * time.Minute)
		s.Points[i].Seconds = 60
	}
	return api.Traffic{Since: since, Until: began, StepSeconds: 60, CountingSince: since.Add(-time.Hour), Items: []api.TrafficSeries{s}}
}

// changed is a change so long after the hour's beginning.
func changed(seq int64, after time.Duration, e api.Entry) api.EntryRecord {
	e.Seq, e.Time, e.Type, e.Outcome = seq, began.Add(-time.Hour).Add(after), "apply", "ok"
	if e.Resource == "" {
		e.Resource, e.Op, e.Actor.Name = "pool/web", "update", "olivia"
	}
	return api.EntryRecord{Entry: e}
}

// marked are the marks of one width, as label and link, from the left.
func marked(t *testing.T, p page, width string) (out [][2]string) {
	t.Helper()
	walk(t, p, func(n *html.Node) {
		if n.Data != "g" || attribute(n, "class") != width {
			return
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Data == "a" {
				out = append(out, [2]string{attribute(c, "aria-label"), attribute(c, "href")})
			}
		}
	})
	return out
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestEachChangeIsMarkedWithWhoMadeItAndLeadsToTheDifference(t *testing.T) {
	_, b := newTrafficStub(t, hour(api.TrafficPoint{Requests: 600, Revision: 41}),
		changed(44, 50*time.Minute, api.Entry{Ticket: "CHG-2", Emergency: true, Rollback: &api.RollbackRef{To: 41}}),
		changed(43, 30*time.Minute, api.Entry{Rollback: &api.RollbackRef{Run: "r"}}),
		changed(42, 10*time.Minute, api.Entry{Ticket: "CHG-1"}),
	)
	p := b.get("/console/traffic")
	want := [][2]string{
		{"revision 42: pool/web updated by olivia under CHG-1", "/console/entries/42#difference-h"},
		{"revision 43: pool/web updated by olivia, a rollback", "/console/entries/43#difference-h"},
		{"revision 44: pool/web updated by olivia under CHG-2, a rollback, in an emergency", "/console/entries/44#difference-h"},
	}
	for _, width := range []string{"wide", "narrow"} {
		if got := marked(t, p, width); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", width, got, want)
		}
	}
	// Each kind has a shape of its own.
	for _, shape := range []string{`class="mark-change"`, `class="mark-rollback"`, `class="mark-emergency"`} {
		if strings.Count(p.body, shape) < 2 {
			t.Errorf("no mark has %s", shape)
		}
	}
}

func TestChangesThatAreCloseTogetherAreOneMark(t *testing.T) {
	var changes []api.EntryRecord
	for i := range 30 { // newest first: within three minutes, which is 5% of the chart
		changes = append(changes, changed(int64(70-i), 20*time.Minute-time.Duration(i)*6*time.Second, api.Entry{}))
	}
	changes[3].Emergency, changes[4].Rollback = true, &api.RollbackRef{To: 1}
	_, b := newTrafficStub(t, hour(api.TrafficPoint{Requests: 600, Revision: 41}), changes...)
	p := b.get("/console/traffic")
	got := marked(t, p, "narrow")
	if len(got) != 1 || got[0][0] != "30 changes, revisions 41 to 70, 1 rollback among them, 1 in an emergency" {
		t.Fatalf("%q", got)
	}
	u, err := url.Parse(got[0][1])
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/console/" || q.Get("type") != "apply" || q.Get("since") != changes[29].Time.Format(time.RFC3339Nano) || q.Get("until") != changes[0].Time.Add(time.Microsecond).Format(time.RFC3339Nano) {
		t.Errorf("it leads to %s", got[0][1])
	}
	if wide := marked(t, p, "wide"); len(wide) != 2 {
		t.Errorf("where there is more room: %q", wide)
	}
}

func TestWhatAChartShowsIsSaidInWordsAndInATable(t *testing.T) {
	traffic := hour(
		api.TrafficPoint{Requests: 600, Errors: 6, ClientErrors: 3, Revision: 41, LatencyP50: .004, LatencyP99: .25},
		api.TrafficPoint{Requests: 1200, Revision: 42, LatencyP50: .0042, LatencyP99: 1.5},
	)
	traffic.CountingSince = traffic.Since.Add(30 * time.Minute)
	traffic.Items = append(traffic.Items, api.TrafficSeries{Pool: "db", Protocol: api.TrafficTCP, Total: api.TrafficPoint{Seconds: 3600}})
	_, b := newTrafficStub(t, traffic)
	p := b.get("/console/traffic")
	var texts []string
	walk(t, p, func(n *html.Node) {
		if n.Data == "g" && attribute(n, "role") == "img" {
			texts = append(texts, attribute(n, "aria-label"))
		}
	})
	want := []string{
		"Requests per second: 10 on average, at most 20",
		"Errors per second: 360, 1% of all, at most 0.1 a second; 0 answers of status 4xx",
		"Latency: half of the requests took at most 4 ms, 99 of 100 at most 250 ms",
		"Connections per second: 0 on average, at most 0",
		"Errors per second: 0, 0% of all, at most 0 a second",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("%q\nwant\n%q", texts, want)
	}
	for _, want := range []string{
		`<th scope="row">2029-12-31 23:01:00</th><td class="number"><a href="/console/entries/42">42</a></td><td class="number">20</td><td class="number">0</td><td class="number">0</td><td class="number">4.2 ms</td><td class="number">1.5 s</td>`,
		"Counted since 2029-12-31 23:30:00, when the runtime started; nothing is known of before.",
		`<desc id="listener-web-desc">From 2029-12-31 23:00 to 2030-01-01 00:00 UTC. Requests per second: 10 on average`,
		`aria-labelledby="listener-web-title listener-web-desc"`,
		`width="50.00%"`, // of the hour, half was not counted
	} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	ids := map[string]bool{}
	walk(t, p, func(n *html.Node) {
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %s is there twice", id)
			}
			ids[id] = true
		}
	})
}

func TestALineHasAGapWhereNothingWasCounted(t *testing.T) {
	traffic := hour(api.TrafficPoint{Requests: 60}, api.TrafficPoint{Requests: 120}, api.TrafficPoint{}, api.TrafficPoint{Requests: 60}, api.TrafficPoint{Requests: 60})
	s := &traffic.Items[0]
	s.Points = slices.Delete(s.Points, 2, 3)
	_, b := newTrafficStub(t, traffic)
	p := b.get("/console/traffic")
	path := regexp.MustCompile(`<path class="line line-rate" d="([^"]*)"`).FindStringSubmatch(p.body)
	if len(path) != 2 || strings.Count(path[1], "M") != 2 || strings.Count(path[1], "L") != 2 {
		t.Fatalf("the line of two parts is %q", path)
	}
	if !strings.HasPrefix(path[1], "M8.3 50.0h0L25.0 0.0M58.3 50.0h0") {
		t.Errorf("the line is %s", path[1])
	}
}

func TestARangeIsALinkAndTheOneThatIsShownIsMarked(t *testing.T) {
	s, b := newTrafficStub(t, hour(api.TrafficPoint{Requests: 1}))
	for _, tt := range []struct {
		query      string
		span, step time.Duration
		live       bool
	}{
		{"", time.Hour, 30 * time.Second, true},
		{"?range=15m", 15 * time.Minute, 10 * time.Second, true},
		{"?range=7d&listener=web", 7 * 24 * time.Hour, time.Hour, true},
		{"?range=gossip", time.Hour, 30 * time.Second, true},
		{"?range=6h&until=2029-12-30T08:00:00", 6 * time.Hour, 3 * time.Minute, false},
	} {
		s.asked = nil
		p := b.get("/console/traffic" + tt.query)
		if len(s.asked) != 1 {
			t.Fatalf("%s: asked %d times: %d", tt.query, len(s.asked), p.StatusCode)
		}
		since, _ := time.Parse(time.RFC3339Nano, s.asked[0].Get("since"))
		until, _ := time.Parse(time.RFC3339Nano, s.asked[0].Get("until"))
		if until.Sub(since) != tt.span || s.asked[0].Get("step") != tt.step.String() {
			t.Errorf("%s: asked for %v", tt.query, s.asked[0])
		}
		if live := strings.Contains(p.body, `id="traffic-live"`); live != tt.live {
			t.Errorf("%s: live is %t", tt.query, live)
		}
		if links := elements(t, p, "a", "href"); !slices.ContainsFunc(links, func(l string) bool { return strings.Contains(l, "range=24h") }) {
			t.Errorf("%s: no link to another range", tt.query)
		}
		if got := elements(t, p, "a", "aria-current"); len(got) != 2 { // the page, and the range
			t.Errorf("%s: %d links are marked as current", tt.query, len(got))
		}
	}
	if fragment := b.get("/console/traffic?range=15m&fragment=figures"); strings.Contains(fragment.body, "<html") || !strings.Contains(fragment.body, `id="listener-web"`) {
		t.Errorf("a fragment is not just the figures: %s", fragment.body)
	}
	if p := b.get("/console/traffic?until=yesterday"); p.StatusCode != http.StatusBadRequest {
		t.Errorf("a time that is none: %d", p.StatusCode)
	}
}

func TestTrafficOfARealRuntime(t *testing.T) {
	r := runtimetest.Start(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }))
	t.Cleanup(backend.Close)
	c := r.Client(t, client.Config{Ticket: r.Ticket})
	member := lb.NewMember()
	member.Address = backend.Listener.Addr().String()
	p := lb.NewPool()
	p.Owner, p.Members = "team-web", map[string]lb.Member{"a": member}
	l := lb.NewListener()
	l.Owner, l.Address, l.Port, l.DefaultPool = "team-edge", "127.0.0.1", runtimetest.FreePort(t), "app"
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: "app"}, p, client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindListener, Name: "web"}, l, client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", l.Port))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	r.Daemon.Traffic.Sample()
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Viewer])
	shown := b.get("/console/traffic?range=15m")
	for _, want := range []string{`<a class="address" href="/console/traffic?listener=web&amp;range=15m">listener/web</a>`, `id="pool-app"`, "2 changes</a> in that time"} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if got := marked(t, shown, "wide"); len(got) != 2 || !strings.HasPrefix(got[0][0], "2 changes, revisions ") {
		t.Errorf("marks: %q", got)
	}
	if p := b.get("/console/traffic?pool=none"); p.StatusCode != http.StatusNotFound || !strings.Contains(p.body, "nothing is known of traffic of pool/none") {
		t.Errorf("a pool that is none: %d", p.StatusCode)
	}
}
