package decision

import (
	"bytes"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

var sample = dataplane.Record{
	Time: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Revision: 7, Cause: dataplane.CauseRetry,
	Listener: "web", Route: "api", Pool: "app", Member: "a", Client: netip.MustParseAddr("2001:db8::1"),
	Method: []byte("GET"), Host: []byte("app.example.com"), Path: []byte("/v1"), Status: 502, Latency: 1500 * time.Microsecond,
	BytesIn: 1, BytesOut: 2, Tries: 3, RequestID: []byte("id"), TraceParent: []byte("00-1-2-01"), Detail: []byte("reset"),
}

func TestRecordsAreLinesOfJSON(t *testing.T) {
	dir := t.TempDir()
	l := Open(dir, slog.New(slog.DiscardHandler))
	l.Decision(&sample)
	l.Access(&dataplane.Record{Status: 200})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"time":"2026-11-25T08:00:00Z","type":"decision","revision":7,"cause":"retry","listener":"web","route":"api","pool":"app","member":"a",` +
		`"client":"2001:db8::1","method":"GET","host":"app.example.com","path":"/v1","status":502,"latency_us":1500,"bytes_in":1,"bytes_out":2,"tries":3,` +
		`"request_id":"id","traceparent":"00-1-2-01","detail":"reset"}` + "\n" +
		`{"time":"0001-01-01T00:00:00Z","type":"access","revision":0,"status":200}` + "\n"
	if string(got) != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
}

func FuzzWhatClientsSendStaysWithinItsText(f *testing.F) {
	for _, s := range []string{"", "/a", "\"},{", "\\", "\n\r\x00\x7f", "\xff\xfe", "é\u2028", strings.Repeat("\x01", 2000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := sample
		r.Path, r.Detail, r.RequestID, r.Host = []byte(s), []byte(s), []byte(s), []byte(s)
		line := appendRecord(nil, "access", &r)
		if len(line) > maxRecordBytes {
			t.Fatalf("a record of %d bytes", len(line))
		}
		if bytes.Count(line, []byte("\n")) != 1 || !jsontext.Value(line).IsValid() {
			t.Fatalf("not one line of JSON: %q", line)
		}
		var back struct {
			Path string `json:"path"`
		}
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); len(s) <= maxText && len(back.Path) < len(want) {
			t.Fatalf("path %q came back as %q", s, back.Path)
		}
	})
}

// stuck is a disk that takes nothing until it is released.
type stuck struct {
	release chan struct{}
	mu      sync.Mutex
	got     bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}
func (s *stuck) Close() error { return nil }

func TestASlowDiskDropsRecordsAndHoldsNobodyUp(t *testing.T) {
	disk := &stuck{release: make(chan struct{})}
	l := newLog(disk, slog.New(slog.DiscardHandler))
	const records = 50_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range records {
			l.Access(&sample)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("records wait for the disk")
	}
	close(disk.release)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	written, dropped := l.written.Load(), l.dropped.Load()
	if dropped == 0 || written+dropped != records {
		t.Errorf("%d written, %d dropped of %d", written, dropped, records)
	}
	if lines := bytes.Count(disk.got.Bytes(), []byte("\n")); uint64(lines) != written {
		t.Errorf("%d lines for %d records", lines, written)
	}
}

func TestARecordLeavesNoGarbage(t *testing.T) {
	l := newLog(&stuck{release: make(chan struct{})}, slog.New(slog.DiscardHandler))
	if n := testing.AllocsPerRun(500, func() { l.Access(&sample) }); n > 0 {
		t.Errorf("%v allocations a record", n)
	}
}

func BenchmarkRecord(b *testing.B) {
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		out = appendRecord(out[:0], "access", &sample)
	}
}
