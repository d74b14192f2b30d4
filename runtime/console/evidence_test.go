package console_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

func TestThePageOfEvidenceHasTheLogsOwnWords(t *testing.T) {
	r := runtimetest.Start(t)
	b := newBrowser(t, r.Endpoint, nil).signIn(r.Tokens[identity.Viewer])
	log, err := r.Client(t, client.Config{}).Log(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := b.get("/console/evidence?entry=2")
	texts := map[string]string{}
	walk(t, p, func(n *html.Node) {
		if id := attribute(n, "id"); id != "" && n.FirstChild != nil {
			texts[id] = n.FirstChild.Data
		}
	})
	if texts["checkpoint"] != log.Checkpoint || texts["log-key"] != log.PublicKey || !strings.Contains(html.UnescapeString(p.body), log.Root) || texts["log-size"] == "" {
		t.Errorf("the log is %+v, and the page has %q", log, texts)
	}
	if !strings.Contains(p.body, "nobody outside cosigns this log") || !strings.Contains(p.body, "The log is streamed nowhere.") || strings.Contains(p.body, `id="witness-alarm"`) {
		t.Error("a log alone is not said to be alone")
	}
	if !strings.Contains(p.body, `href="/console/entries/2/proof" download`) || !strings.Contains(p.body, "auditlb verify --public-key log.pub entry-2.tlog-proof") {
		t.Error("an entry that was asked for can't be proved without scripts")
	}
	for _, bad := range []string{"x", "-1", "99999999999999999999"} {
		if p := b.get("/console/evidence?entry=" + bad); p.StatusCode != http.StatusBadRequest {
			t.Errorf("entry %s: %d", bad, p.StatusCode)
		}
	}
}

func TestAnAlarmOfAWitnessAndASinkThatFailsAreShown(t *testing.T) {
	r := newRig(t)
	b := newBrowser(t, r.URL, nil).signIn("token-of-vera")
	log := api.Log{
		Origin: "example.com/log", PublicKey: "example.com/log+0a0b0c0d+AAAA", Size: 43, Root: "cm9vdA==", Checkpoint: "example.com/log\n43\ncm9vdA==\n\n— example.com/log c2lnbmVk\n",
		Cosigned: "example.com/log\n40\nb2xk\n\n— example.com/log c2lnbmVk\n", WitnessAlarm: true,
		Witnesses: []api.LogWitness{
			{Name: "w1", URL: "https://w1.example", Size: 40, CosignedAt: began, Result: "ok"},
			{Name: "w2", Result: "conflict", Detail: "it has seen another tree", Alarm: "rolled back to <b>30</b>"},
			{Name: "w3"},
		},
		Restarts: []api.LogRestart{{Seq: 7, Time: began, Actor: "ada", Origin: "example.com/log", PreviousOrigin: "example.com/old", Reason: "the disk died"}},
	}
	r.stub.mu.Lock()
	r.stub.answer = func(w http.ResponseWriter, req *http.Request) {
		var body any
		switch req.URL.Path {
		case "/v1/log":
			body = log
		case "/v1/entries/42":
			body = api.EntryRecord{Entry: api.Entry{Seq: 42, Time: began}}
		case "/v1/sinks":
			body = api.SinkList{Items: []api.Sink{{Name: "siem", Type: "webhook", Target: "https://siem.example", State: api.SinkFailing, Lag: 12, LastFailure: &api.SinkFailure{Detail: "it does not answer"}}}}
		default:
			(&stub{}).ServeHTTP(w, req)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, body)
	}
	r.stub.mu.Unlock()
	p := b.get("/console/evidence")
	for _, want := range []string{
		`role="alert" id="witness-alarm"`, "<dt>Key id</dt><dd><code>0a0b0c0d</code></dd>", "up to entry 39; 3 came since",
		`<span class="mark good">cosigned</span>`, `<span class="mark bad">alarm</span> rolled back to &lt;b&gt;30&lt;/b&gt;`, "none yet",
		`<span class="mark bad">failing</span> <span class="fine">it does not answer</span>`, "12 entries",
		"had <b>example.com/old</b> go on as <b>example.com/log</b>, because entries were lost: the disk died",
	} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
}
