package sink_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

// TestOurJSONIsTheAPIsRecordInALine, with body and patch.
func TestOurJSONIsTheAPIsRecordInALine(t *testing.T) {
	m := newMemory(t, 0)
	m.add(t, audit.Entry{Type: audit.TypeApply, Actor: audit.Actor{Name: "olivia"}, Resource: "pool/web", Op: "update", Outcome: audit.OutcomeOK},
		audit.Body{Before: jsontext.Value("{\"text\":\"two\\nlines\"}"), After: jsontext.Value("{ \"text\" :\n\t\"one\" }")})
	want, err := server.Record(&m.rows[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := sink.Render(origin, "", sink.JSON, "", &want)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(text), "\n\r") {
		t.Errorf("more than a line: %s", text)
	}
	var got api.EntryRecord
	if err := json.Unmarshal(text, &got, json.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Patch) != 1 || got.LeafHash == "" {
		t.Errorf("%s\n%s", diff, text)
	}
}

type cloudEvent struct {
	SpecVersion     string         `json:"specversion"`
	ID              string         `json:"id"`
	Source          string         `json:"source"`
	Type            string         `json:"type"`
	Subject         string         `json:"subject"`
	Time            time.Time      `json:"time"`
	DataContentType string         `json:"datacontenttype"`
	DataSchema      string         `json:"dataschema"`
	Data            jsontext.Value `json:"data"`
}

func TestCloudEventsAreWhole(t *testing.T) {
	e := &api.EntryRecord{LeafHash: "h", Entry: api.Entry{Seq: 7, Time: time.Date(2026, 3, 1, 9, 0, 0, 1000, time.UTC), Type: "apply", Op: "create", Resource: "pool/web", Outcome: "ok", Actor: api.Actor{Name: "x"}}}
	for _, tt := range []struct {
		format         sink.Format
		source, schema string
		origin         string
	}{
		{sink.JSON, "lb.example.com/log", "", origin},
		{sink.OCSF, "lb.example.com/log", "https://schema.ocsf.io/1.5.0/classes/entity_management", origin},
		{sink.JSON, "./a:b/%C3%A4", "", "a:b/ä"},
	} {
		text, err := sink.Render(tt.origin, "", tt.format, sink.CloudEvents, e)
		if err != nil {
			t.Fatal(err)
		}
		var got cloudEvent
		if err := json.Unmarshal(text, &got, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
		data, err := sink.Render(tt.origin, "", tt.format, "", e)
		if err != nil {
			t.Fatal(err)
		}
		want := cloudEvent{"1.0", tt.origin + "/7", tt.source, "dev.auditlb.entry.apply", "pool/web", e.Time, "application/json", tt.schema, data}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, err := url.Parse(got.Source); err != nil {
			t.Error(err)
		}
	}
	// Without a resource there is no subject, as it must not be empty.
	e.Resource = ""
	if text, err := sink.Render(origin, "", sink.JSON, sink.CloudEvents, e); err != nil || strings.Contains(string(text), "subject") {
		t.Errorf("%s %v", text, err)
	}
}

func TestAWebhooksMediaTypeSaysWhatItIs(t *testing.T) {
	for _, tt := range []struct {
		envelope string
		batch    int
		want     string
		first    byte
	}{
		{"", 1, "application/json", '{'},
		{"", 5, "application/json", '['},
		{sink.CloudEvents, 1, "application/cloudevents+json", '{'},
		{sink.CloudEvents, 5, "application/cloudevents-batch+json", '['},
	} {
		m, rc := newMemory(t, 1), newReceiver(t)
		cfg := toWebhook(t, "siem", rc.URL)
		cfg.Envelope, cfg.Webhook.Batch = tt.envelope, tt.batch
		r := start(t, m, impatient(t.Output()), cfg)
		caughtUp(t, r, "siem", 1)
		got := rc.received()[0]
		if got.header.Get("Content-Type") != tt.want || got.body[0] != tt.first {
			t.Errorf("%+v: %s, %.20s", tt, got.header.Get("Content-Type"), got.body)
		}
		verifies(t, got, secret)
	}
}

// TestBatchesAreBoundedInBytes: what is large goes alone.
func TestBatchesAreBoundedInBytes(t *testing.T) {
	m, rc := newMemory(t, 0), newReceiver(t)
	large := jsontext.Value(`"` + strings.Repeat("x", sink.BatchBytes/2) + `"`)
	for range 6 {
		m.add(t, audit.Entry{Type: audit.TypeApply, Outcome: audit.OutcomeOK}, audit.Body{Before: large, After: large})
	}
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Batch = 50
	rc.does(func(http.ResponseWriter, request) {})
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "siem", 6)
	if n := len(rc.received()); n != 6 {
		t.Errorf("%d requests", n)
	}
}
