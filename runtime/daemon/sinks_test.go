package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const signingSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

// siem takes signed batches of entries, unless it is down.
type siem struct {
	*httptest.Server
	mu   sync.Mutex // guards what follows
	down bool
	// asked counts requests, bad those that were not signed.
	asked, bad int
	entries    []api.EntryRecord
}

func newSIEM(t *testing.T) *siem {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(signingSecret)
	if err != nil {
		t.Fatal(err)
	}
	s := &siem{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var batch []api.EntryRecord
		wrong := errors.Join(verifier.Verify(body, r.Header), json.Unmarshal(body, &batch))
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		switch {
		case wrong != nil:
			s.bad++
			w.WriteHeader(http.StatusBadRequest)
		case s.down:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			s.entries = append(s.entries, batch...)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *siem) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *siem) state() (asked, taken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked, len(s.entries)
}

func streamedTo(t *testing.T, s *siem, dir string) daemon.Config {
	t.Helper()
	t.Setenv("SIEM_SECRET", signingSecret)
	c := config(dir, -1)
	c.Sinks = []daemon.Sink{
		{Name: "siem", Webhook: &daemon.SinkWebhook{URL: s.URL + "/s3cret-path", SecretEnv: "SIEM_SECRET", Batch: 50}},
		{Name: "local", Format: "ocsf", File: &daemon.SinkFile{Path: filepath.Join(dir, "local.jsonl")}},
	}
	return c
}

// write makes refusals, many at once, and returns once they are in the log.
func write(t *testing.T, d *daemon.Daemon, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range n / 20 {
				_, err := d.Controller.Refuse(context.Background(), control.Call{Actor: control.System("test")},
					control.Subject{Resource: fmt.Sprintf("pool/p%d-%d", i, j), Op: "update"}, audit.Refusal{Code: "frozen", Detail: "a test"}, nil)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestASinkThatIsDownLosesNothingAndBlocksNothing: while thousands of entries are written,
// and over a restart.
func TestASinkThatIsDownLosesNothingAndBlocksNothing(t *testing.T) {
	s := newSIEM(t)
	s.set(true)
	c := streamedTo(t, s, t.TempDir())
	var out bytes.Buffer
	logs := &lockedWriter{w: &out}
	start := func() *daemon.Daemon {
		d, err := daemon.Start(t.Context(), c, slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := start()
	cl := operator(t, d)
	write(t, d, 2000)
	for i := range 5 {
		if _, err := cl.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: fmt.Sprintf("p%d", i)}, pool("127.0.0.1:9"), client.IfAbsent()); err != nil {
			t.Fatalf("a change while the sink is down: %v", err)
		}
	}
	eventually(t, "the attempts", func() bool { asked, _ := s.state(); return asked >= 2 })
	eventually(t, "the other sink", func() bool { return sinkOf(t, cl, "local").Lag == 0 })
	if held := sinkOf(t, cl, "siem"); held.State != api.SinkFailing || held.Next != 0 || held.Lag < 2000 || held.LagSeconds <= 0 || held.LastFailure == nil || held.Target != s.URL {
		t.Errorf("while it is down: %+v %+v", held, held.LastFailure)
	}
	metrics := get(t, d.Endpoint()+"/metrics")
	for _, line := range []string{`auditlb_sink_lag_entries{sink="siem"} 20`, `auditlb_sink_lag_entries{sink="local"} 0`, `auditlb_sink_lag_seconds{sink="siem"}`, `auditlb_sink_failures_total{sink="siem"}`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no metric %s", line)
		}
	}
	stop(t, d)
	d = start()
	write(t, d, 500)
	extent, err := d.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.set(false)
	eventually(t, "what was written", func() bool { _, taken := s.state(); return taken >= int(extent.Size) })
	stop(t, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.entries {
		if s.entries[i].Seq != int64(i) || s.entries[i].Body == nil {
			t.Fatalf("entry %d came as number %d", s.entries[i].Seq, i)
		}
	}
	if s.bad != 0 {
		t.Errorf("%d requests were not signed, or not of entries", s.bad)
	}
	local, err := os.ReadFile(c.Sinks[1].File.Path)
	if err != nil || bytes.Count(local, []byte("\n")) != len(s.entries) {
		t.Errorf("%d lines of %d entries, %v", bytes.Count(local, []byte("\n")), len(s.entries), err)
	}
	for _, secret := range []string{"s3cret-path", strings.TrimPrefix(signingSecret, "whsec_")} {
		if strings.Contains(out.String(), secret) || strings.Contains(metrics, secret) {
			t.Errorf("%q is in the logs or metrics", secret)
		}
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func sinkOf(t *testing.T, cl *client.Client, name string) api.Sink {
	t.Helper()
	list, err := cl.Sinks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list.Items {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no sink %q in %+v", name, list)
	return api.Sink{}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestAnOrderlyStopDeliversWhatWasWritten, and waits for no sink that hangs.
func TestAnOrderlyStopWaitsForNoSinkThatHangs(t *testing.T) {
	release := make(chan struct{})
	asked := make(chan struct{}, 100)
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-release }))
	defer hung.Close()
	defer close(release)
	s := newSIEM(t)
	c := streamedTo(t, s, t.TempDir())
	c.Sinks = append(c.Sinks, daemon.Sink{Name: "hung", Webhook: &daemon.SinkWebhook{URL: hung.URL, SecretEnv: "SIEM_SECRET"}})
	d := start(t, c)
	write(t, d, 100)
	<-asked
	extent, err := d.Store.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_ = d.Close(ctx)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if _, taken := s.state(); taken != int(extent.Size) {
		t.Errorf("%d of %d entries were taken", taken, extent.Size)
	}
}

func TestASinksConfigurationThatIsWrongIsRefusedByBlockAndField(t *testing.T) {
	t.Setenv("SIEM_SECRET", signingSecret)
	const (
		hook = "sink \"siem\" {\nwebhook {\nurl = \"https://siem.example.com\"\nsecret_env = \"SIEM_SECRET\"\n"
		end  = "}\n}\n"
	)
	for _, tt := range []struct {
		name, hcl string
		says      []string
	}{
		{"no target", "sink \"siem\" {\n}\n", []string{`sink "siem"`, "file, webhook or otlp"}},
		{"two targets", hook + "}\nfile {\npath = \"/tmp/x\"\n" + end, []string{`sink "siem"`, "only one"}},
		{"twice", hook + end + hook + end, []string{`sink "siem"`, "name"}},
		{"format", "sink \"siem\" {\nformat = \"xml\"\nfile {\npath = \"/tmp/x\"\n" + end, []string{`sink "siem"`, "format", "xml"}},
		{"types", "sink \"siem\" {\ntypes = [\"all\"]\nfile {\npath = \"/tmp/x\"\n" + end, []string{`sink "siem"`, "types", "all"}},
		{"path", "sink \"siem\" {\nfile {\npath = \"\"\n" + end, []string{`sink "siem"`, "file.path"}},
		{"url", "sink \"siem\" {\nwebhook {\nurl = \"http://siem.example.com\"\nsecret_env = \"SIEM_SECRET\"\n" + end, []string{`sink "siem"`, "webhook.url", "insecure_http"}},
		{"no secret", "sink \"siem\" {\nwebhook {\nurl = \"https://siem.example.com\"\n" + end, []string{`sink "siem"`, "webhook.secret_file"}},
		{"secret twice", hook + "secret_file = \"/x\"\n" + end, []string{`sink "siem"`, "webhook.secret_file", "webhook.secret_env"}},
		{"secret that is not there", "sink \"siem\" {\nwebhook {\nurl = \"https://x\"\nsecret_env = \"NOT_SET_ANYWHERE\"\n" + end, []string{`sink "siem"`, "webhook.secret_env", "NOT_SET_ANYWHERE"}},
		{"ca_file", hook + "ca_file = \"/nowhere.pem\"\n" + end, []string{`sink "siem"`, "webhook.ca_file", "/nowhere.pem"}},
		{"timeout", hook + "timeout = \"soon\"\n" + end, []string{`sink "siem"`, "webhook.timeout", "soon"}},
		{"header", hook + "header_files = { Authorization = \"/nowhere\" }\n" + end, []string{`sink "siem"`, "webhook.header_files", "/nowhere"}},
		{"endpoint", "sink \"otel\" {\notlp {\nendpoint = \"otel:4318\"\n" + end, []string{`sink "otel"`, "otlp.endpoint"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tryStart(t, onLoopback+tt.hcl)
			if err == nil {
				t.Fatal("it starts")
			}
			rest := err.Error()
			for _, word := range append([]string{"configuration"}, tt.says...) {
				_, after, found := strings.Cut(rest, word)
				if !found {
					t.Fatalf("%v: does not name %s", err, word)
				}
				rest = after
			}
		})
	}
	if err := tryStart(t, onLoopback+hook+end); err != nil {
		t.Errorf("a configuration that is right: %v", err)
	}
}

// TestARuntimeStartsWithTheGuidesSinks, given the files that they name.
func TestARuntimeStartsWithTheGuidesSinks(t *testing.T) {
	text, err := os.ReadFile("../../templates/guides/streams.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"siem.secret": signingSecret, "otel.token": "Bearer x", "splunk.token": "Splunk x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	blocks := strings.Split(string(text), "```hcl\n")[1:]
	if len(blocks) < 4 {
		t.Errorf("the guide has %d blocks", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		// Nothing is sent to anybody who may be there, and written to no folder of the machine.
		block = strings.NewReplacer("/etc/auditlb/", dir+"/", "/var/log/", dir+"/", ".example.com", ".invalid").Replace(block)
		if err := tryStart(t, onLoopback+block); err != nil {
			t.Errorf("block %d: %v", i+1, err)
		}
	}
}
