package sink_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

func toCollector(t testing.TB, url string) sink.Config {
	t.Helper()
	return sink.Config{Name: "otel", DeadLetterFile: filepath.Join(t.TempDir(), "otel.jsonl"), OTLP: &sink.OTLPConfig{Endpoint: url}}
}

// records decodes a request to a collector.
func records(t testing.TB, r request) (*logspb.ResourceLogs, []*logspb.LogRecord) {
	t.Helper()
	if r.path != "/v1/logs" || r.header.Get("Content-Type") != "application/x-protobuf" || r.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%s %v", r.path, r.header)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	var data logspb.LogsData // as ExportLogsServiceRequest on the wire
	if err := proto.Unmarshal(raw, &data); err != nil {
		t.Fatal(err)
	}
	if len(data.ProtoReflect().GetUnknown()) > 0 || len(data.ResourceLogs) != 1 || len(data.ResourceLogs[0].ScopeLogs) != 1 {
		t.Fatalf("%v", &data)
	}
	return data.ResourceLogs[0], data.ResourceLogs[0].ScopeLogs[0].LogRecords
}

func collected(t testing.TB, rc *receiver) []int64 {
	t.Helper()
	var out []int64
	for _, req := range rc.received() {
		_, logs := records(t, req)
		for _, l := range logs {
			out = append(out, seqsOf(t, []byte(l.Body.GetStringValue()))...)
		}
	}
	return out
}

func attributesOf(list []*commonpb.KeyValue) map[string]any {
	out := map[string]any{}
	for _, kv := range list {
		switch v := kv.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			out[kv.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			out[kv.Key] = v.IntValue
		case *commonpb.AnyValue_BoolValue:
			out[kv.Key] = v.BoolValue
		}
	}
	return out
}

func TestACollectorIsSentLogRecords(t *testing.T) {
	m, rc := newMemory(t, 0), newReceiver(t)
	run := &audit.RunRef{ID: "github/1", Verified: true}
	request := &audit.Request{ID: "r-1", Method: "PUT", Path: "/v1/pools/web", SourceIP: "192.0.2.1", UserAgent: "terraform"}
	var entries []audit.Entry
	for _, e := range []audit.Entry{
		{Type: audit.TypeApply, Actor: audit.Actor{Name: "olivia", Role: "operator", Credential: "token/1"}, Ticket: "CHG-1", Run: run, Request: request, Resource: "pool/web", Op: "update", Unplanned: true, Outcome: audit.OutcomeOK},
		{Type: audit.TypeReject, Actor: audit.Actor{Name: "olivia"}, Outcome: audit.OutcomeRefused, Code: "frozen"},
		{Type: audit.TypeApply, Actor: audit.Actor{Name: "ada"}, Emergency: true, Outcome: audit.OutcomeOK},
	} {
		entries = append(entries, m.add(t, e, audit.Body{}))
	}
	cfg := toCollector(t, rc.URL+"/")
	cfg.OTLP.Headers = map[string]sink.Secret{"api-key": sink.SecretText("k")}
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "otel", 3)
	req := rc.received()[0]
	if req.header.Get("Api-Key") != "k" {
		t.Errorf("%v", req.header)
	}
	resource, logs := records(t, req)
	if got := attributesOf(resource.Resource.Attributes); got["service.name"] != "auditlb" || got["service.version"] != "1.2.3" || got["auditlb.log.origin"] != origin {
		t.Errorf("resource %v", got)
	}
	if len(logs) != 3 {
		t.Fatalf("%d records", len(logs))
	}
	for i, want := range []struct {
		severity logspb.SeverityNumber
		text     string
		event    string
	}{
		{logspb.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO", "auditlb.entry.apply"},
		{logspb.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN", "auditlb.entry.reject"},
		{logspb.SeverityNumber_SEVERITY_NUMBER_ERROR, "ERROR", "auditlb.entry.apply"},
	} {
		l := logs[i]
		if l.SeverityNumber != want.severity || l.SeverityText != want.text || l.EventName != want.event {
			t.Errorf("%d: %s %q %q", i, l.SeverityNumber, l.SeverityText, l.EventName)
		}
		if l.TimeUnixNano != uint64(entries[i].Time.UnixNano()) || l.ObservedTimeUnixNano < l.TimeUnixNano {
			t.Errorf("%d: times %d and %d", i, l.TimeUnixNano, l.ObservedTimeUnixNano)
		}
		if got := seqsOf(t, []byte(l.Body.GetStringValue())); got[0] != int64(i) {
			t.Errorf("%d: body of entry %d", i, got[0])
		}
	}
	got := attributesOf(logs[0].Attributes)
	for key, want := range map[string]any{
		"auditlb.seq": int64(0), "auditlb.type": "apply", "auditlb.outcome": "ok", "auditlb.actor": "olivia", "auditlb.role": "operator",
		"auditlb.credential": "token/1", "auditlb.ticket": "CHG-1", "auditlb.run": "github/1", "auditlb.run.verified": true,
		"auditlb.resource": "pool/web", "auditlb.op": "update", "auditlb.unplanned": true, "auditlb.request.id": "r-1",
		"client.address": "192.0.2.1", "user_agent.original": "terraform",
	} {
		if got[key] != want {
			t.Errorf("%s: %v, want %v", key, got[key], want)
		}
	}
	if got := attributesOf(logs[1].Attributes); got["auditlb.code"] != "frozen" || got["auditlb.ticket"] != nil {
		t.Errorf("%v", got)
	}
	if got := attributesOf(logs[2].Attributes); got["auditlb.emergency"] != true {
		t.Errorf("%v", got)
	}
}

func TestWhatACollectorsStatusMeans(t *testing.T) {
	for _, tt := range []struct {
		status  int
		retried bool
	}{
		{429, true},
		{502, true},
		{503, true},
		{504, true},
		{401, true},
		{302, true},
		{400, false},
		{403, false},
		{404, false},
		{413, false},
		{500, false},
		{501, false},
	} {
		t.Run(http.StatusText(tt.status), func(t *testing.T) {
			m, rc := newMemory(t, 1), newReceiver(t)
			rc.answers(tt.status)
			cfg := toCollector(t, rc.URL)
			r := start(t, m, impatient(t.Output()), cfg)
			if tt.retried {
				eventually(t, "attempts", func() bool { return len(rc.received()) > 6 })
				rc.answers(http.StatusOK)
				caughtUp(t, r, "otel", 1)
				return
			}
			caughtUp(t, r, "otel", 1)
			if letters := dead(t, cfg); len(letters) != 1 || letters[0].Status != tt.status || letters[0].Attempts != 1 {
				t.Errorf("%+v", letters)
			}
			if n := len(rc.received()); n != 1 {
				t.Errorf("sent %d times, and OTLP forbids to repeat it", n)
			}
		})
	}
}

// TestOfABatchOnlyTheRecordThatIsRefusedIsBuried: what is sent again is another request.
func TestOfARequestOnlyTheRecordThatIsRefusedIsBuried(t *testing.T) {
	m, rc := newMemory(t, 80), newReceiver(t)
	rc.does(func(w http.ResponseWriter, r request) {
		_, logs := records(t, r)
		if slices.ContainsFunc(logs, func(l *logspb.LogRecord) bool { return attributesOf(l.Attributes)["auditlb.seq"] == int64(7) }) {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	cfg := toCollector(t, rc.URL)
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "otel", 80)
	if letters := dead(t, cfg); len(letters) != 1 || letters[0].Seq != 7 {
		t.Errorf("%+v", letters)
	}
	seqs := collected(t, rc)
	slices.Sort(seqs)
	if !slices.Equal(slices.Compact(seqs), upTo(80)) {
		t.Errorf("%v", seqs)
	}
}

// partialSuccess is an ExportLogsServiceResponse.
func partialSuccess(rejected uint64, message string) []byte {
	var inner []byte
	if rejected > 0 {
		inner = protowire.AppendVarint(protowire.AppendTag(inner, 1, protowire.VarintType), rejected)
	}
	inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), message)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner)
}

func TestRecordsThatACollectorRejectsAreBuriedAndNotSentAgain(t *testing.T) {
	m, rc := newMemory(t, 10), newReceiver(t)
	rc.does(func(w http.ResponseWriter, _ request) { _, _ = w.Write(partialSuccess(2, "s3cret")) })
	cfg := toCollector(t, rc.URL)
	var out logged
	r := start(t, m, impatient(&out), cfg)
	caughtUp(t, r, "otel", 10)
	letters := dead(t, cfg)
	if len(letters) != 10 || letters[0].Status != 200 || !strings.Contains(letters[0].Reason, "2 of 10") {
		t.Errorf("%+v", letters)
	}
	if s := status(t, r, "otel"); len(rc.received()) != 1 || s.DeadLetters != 10 || s.Delivered != 0 || strings.Contains(out.String(), "s3cret") {
		t.Errorf("%d requests, %+v\n%s", len(rc.received()), s, &out)
	}
	// A warning without a count rejects nothing.
	rc.does(func(w http.ResponseWriter, _ request) { _, _ = w.Write(partialSuccess(0, "slow down")) })
	for _, e := range m.grow(t, 1) {
		r.Notify(&e)
	}
	caughtUp(t, r, "otel", 11)
	if s := status(t, r, "otel"); s.DeadLetters != 10 || s.Delivered != 1 || s.State != api.SinkRunning {
		t.Errorf("%+v", s)
	}
}

func TestACollectorsAnswerIsReadStrictly(t *testing.T) {
	whole := partialSuccess(3, "why")
	for _, tt := range []struct {
		name   string
		answer []byte
		want   int64
	}{
		{"nothing", nil, 0},
		{"three", whole, 3},
		{"JSON", []byte(`{"partialSuccess":{}}`), 0},
		{"half", whole[:len(whole)-1], 0},
		{"a field that is not known", append(protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 1), whole...), 3},
		{"another type", protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 3), 0},
		{"a negative count", partialSuccess(1<<64-1, ""), -1},
	} {
		if got := sink.RejectedRecords(tt.answer); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func FuzzRejectedRecords(f *testing.F) {
	f.Add(partialSuccess(3, "why"))
	f.Add([]byte{0x0a, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, answer []byte) {
		// What follows a whole answer can't take back what it says.
		if n := sink.RejectedRecords(slices.Concat(answer, partialSuccess(3, ""))); n != 3 && n != 0 {
			t.Errorf("%x and an answer that rejects 3: %d", answer, n)
		}
	})
}
