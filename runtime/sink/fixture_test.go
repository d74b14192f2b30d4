package sink_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

const (
	origin = "lb.example.com/log"
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
	later  = "whsec_q0mUkqVD4uDhmBzpQ8r0aJyJ8p1kVhQ7q0mUkqVD4uA="
)

// memory is a log and what is kept beside it.
type memory struct {
	mu    sync.Mutex // guards what follows
	rows  []audit.Row
	kept  map[string][]byte
	keeps int
	// keepErr and readErr are what keeping and reading fail with.
	keepErr, readErr error
	// scanned counts the bytes of entries that were read.
	scanned int64
}

func newMemory(t testing.TB, entries int) *memory {
	t.Helper()
	m := &memory{kept: map[string][]byte{}}
	m.grow(t, entries)
	return m
}

// grow adds changes of a pool.
func (m *memory) grow(t testing.TB, n int) []audit.Entry {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.growLocked(t, n)
}

// growLocked is grow for who holds m.mu, so that nobody sees the log between this and another change of it.
func (m *memory) growLocked(t testing.TB, n int) []audit.Entry {
	t.Helper()
	var added []audit.Entry
	for range n {
		added = append(added, m.addLocked(t, audit.Entry{
			Type: audit.TypeApply, Actor: audit.Actor{Name: "olivia", Role: "operator"}, Ticket: "CHG-1", Resource: "pool/web", Op: "update", Outcome: audit.OutcomeOK,
		}, audit.Body{Before: jsontext.Value(`{"owner":"a"}`), After: jsontext.Value(`{"owner":"b"}`)}))
	}
	return added
}

func (m *memory) add(t testing.TB, e audit.Entry, body audit.Body) audit.Entry {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.addLocked(t, e, body)
}

func (m *memory) addLocked(t testing.TB, e audit.Entry, body audit.Body) audit.Entry {
	t.Helper()
	e.Seq, e.Time = int64(len(m.rows)), time.Now()
	r, err := audit.NewRecord(e, body, bytes.Repeat([]byte{1}, audit.SaltBytes))
	if err != nil {
		t.Fatal(err)
	}
	m.rows = append(m.rows, audit.Row{Seq: e.Seq, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body, Columns: audit.ColumnsOf(&r.Entry)})
	return r.Entry
}

// Rows implements sink.Log.
func (m *memory) Rows(_ context.Context, from int64, limit int) ([]audit.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []audit.Row
	for _, r := range m.rows {
		if r.Seq >= from && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, m.readErr
}

// Scan implements sink.Log. It overwrites what it has shown, as it may.
func (m *memory) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	rows, err := m.Rows(ctx, from, int(to-from))
	if err != nil {
		return err
	}
	for i := range rows {
		if rows[i].Seq >= to {
			break
		}
		row := rows[i]
		row.Leaf, row.Salt, row.Body = bytes.Clone(row.Leaf), bytes.Clone(row.Salt), bytes.Clone(row.Body)
		m.set(func() { m.scanned += int64(len(row.Leaf) + len(row.Body)) })
		if err := visit(&row); err != nil {
			return err
		}
		for _, b := range [][]byte{row.Leaf, row.Salt, row.Body} {
			clear(b)
		}
	}
	return nil
}

// Extent implements sink.Log.
func (m *memory) Extent(context.Context) (audit.Extent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return audit.Extent{Size: int64(len(m.rows))}, m.readErr
}

// Kept implements sink.Positions.
func (m *memory) Kept(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[key], nil
}

// Keep implements sink.Positions.
func (m *memory) Keep(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keeps++
	if m.keepErr == nil {
		m.kept[key] = value
	}
	return m.keepErr
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// position is the seq that a sink's kept position says comes next; -1 when none is kept.
func (m *memory) position(t testing.TB, name string) int64 {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	value := m.kept["sink/"+name]
	if value == nil {
		return -1
	}
	var p struct {
		Next int64 `json:"next"`
	}
	if err := json.Unmarshal(value, &p); err != nil {
		t.Fatal(err)
	}
	return p.Next
}

// logged takes what is logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// impatient are options for tests.
func impatient(out io.Writer) sink.Options {
	return sink.Options{
		Logger:   slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		MinRetry: time.Millisecond, MaxRetry: 4 * time.Millisecond, Poll: time.Hour, KeepEvery: time.Millisecond,
	}
}

func source(m *memory) sink.Source {
	return sink.Source{Log: m, Positions: m, Origin: origin, Version: "1.2.3", Record: server.Record}
}

// start streams a log to sinks until the test ends.
func start(t testing.TB, m *memory, opts sink.Options, configs ...sink.Config) *sink.Runner {
	t.Helper()
	r, err := sink.New(configs, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, r) })
	if err := r.Start(t.Context(), source(m)); err != nil {
		t.Fatal(err)
	}
	return r
}

// end closes a runner at once.
func end(t testing.TB, r *sink.Runner) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

// toWebhook is a sink that posts to a receiver.
func toWebhook(t testing.TB, name, url string) sink.Config {
	t.Helper()
	return sink.Config{
		Name: name, DeadLetterFile: filepath.Join(t.TempDir(), "dead", name+".jsonl"), Attempts: 3,
		Webhook: &sink.WebhookConfig{URL: url, Secret: sink.SecretText(secret)},
	}
}

// request is what a receiver was sent.
type request struct {
	header http.Header
	path   string
	body   []byte
}

// receiver takes what is posted, and answers as it is told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex // guards what follows
	requests []request
	answer   func(w http.ResponseWriter, r request)
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	rc := &receiver{answer: func(http.ResponseWriter, request) {}}
	rc.Server = httptest.NewServer(rc)
	t.Cleanup(rc.Close)
	return rc
}

// ServeHTTP implements http.Handler.
func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	req := request{r.Header, r.URL.Path, body}
	rc.mu.Lock()
	rc.requests = append(rc.requests, req)
	answer := rc.answer
	rc.mu.Unlock()
	answer(w, req)
}

// answers makes the receiver answer a status.
func (rc *receiver) answers(status int) {
	rc.does(func(w http.ResponseWriter, _ request) { w.WriteHeader(status) })
}

func (rc *receiver) does(answer func(http.ResponseWriter, request)) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.answer = answer
}

func (rc *receiver) received() []request {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return slices.Clone(rc.requests)
}

// seqs are the entries of all requests, in order of arrival.
func (rc *receiver) seqs(t testing.TB) []int64 {
	t.Helper()
	var out []int64
	for _, r := range rc.received() {
		out = append(out, seqsOf(t, r.body)...)
	}
	return out
}

// seqsOf are the entries of a body of our own JSON.
func seqsOf(t testing.TB, body []byte) []int64 {
	t.Helper()
	var list []api.EntryRecord
	if body[0] != '[' {
		body = slices.Concat([]byte{'['}, body, []byte{']'})
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var out []int64
	for i := range list {
		out = append(out, list[i].Seq)
	}
	return out
}

// upTo is 0, 1, … n-1.
func upTo(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

// status is how a sink is doing.
func status(t testing.TB, r *sink.Runner, name string) api.Sink {
	t.Helper()
	for _, s := range r.Status() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no sink %q", name)
	return api.Sink{}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %s", what)
		}
	}
}

// caughtUp waits until a sink has got past all entries.
func caughtUp(t testing.TB, r *sink.Runner, name string, size int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s to get to entry %d", name, size), func() bool { return status(t, r, name).Next == int64(size) })
}
