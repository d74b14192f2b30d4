package sink_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

func TestEveryEntryArrivesInOrder(t *testing.T) {
	m, rc := newMemory(t, 150), newReceiver(t)
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
	caughtUp(t, r, "siem", 150)
	for _, e := range m.grow(t, 10) {
		r.Notify(&e)
	}
	caughtUp(t, r, "siem", 160)
	if got := rc.seqs(t); !slices.Equal(got, upTo(160)) {
		t.Errorf("received %v", got)
	}
	s := status(t, r, "siem")
	if s.State != api.SinkRunning || s.Delivered != 160 || s.Lag != 0 || s.LagSeconds != 0 || s.LastSuccess.IsZero() || s.LastFailure != nil {
		t.Errorf("%+v", s)
	}
}

func TestThePollFindsWhatNobodyToldOf(t *testing.T) {
	m, rc := newMemory(t, 1), newReceiver(t)
	opts := impatient(t.Output())
	opts.Poll = time.Millisecond
	r := start(t, m, opts, toWebhook(t, "siem", rc.URL))
	caughtUp(t, r, "siem", 1)
	m.grow(t, 1)
	caughtUp(t, r, "siem", 2)
}

func TestASinkThatIsDownLosesNothingAndKeepsOrder(t *testing.T) {
	const entries = 2000
	m, rc := newMemory(t, 3), newReceiver(t)
	rc.answers(http.StatusServiceUnavailable)
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Batch = 50
	r := start(t, m, impatient(t.Output()), cfg)
	for _, e := range m.grow(t, entries-3) {
		r.Notify(&e)
	}
	eventually(t, "some attempts", func() bool { return status(t, r, "siem").Failures > 5 })
	down := len(rc.received())
	if s := status(t, r, "siem"); s.State != api.SinkFailing || s.Next != 0 || s.Lag != entries || s.LagSeconds <= 0 || s.LastFailure.Code != "status" {
		t.Errorf("while it is down: %+v", s)
	}
	rc.does(func(w http.ResponseWriter, _ request) {
		w.WriteHeader(http.StatusNoContent)
	})
	caughtUp(t, r, "siem", entries)
	var taken []int64
	for _, req := range rc.received()[down:] {
		taken = append(taken, seqsOf(t, req.body)...)
	}
	// The attempt that was under way may have been answered either way.
	if taken = slices.Compact(taken); !slices.Equal(taken, upTo(entries)) {
		t.Errorf("taken %d, first %v", len(taken), taken[:5])
	}
	if s := status(t, r, "siem"); s.State != api.SinkRunning || s.Lag != 0 || s.DeadLetters != 0 {
		t.Errorf("once it is up: %+v", s)
	}
}

func TestASinkThatHangsHoldsUpNoOther(t *testing.T) {
	m, hung, fine := newMemory(t, 300), newReceiver(t), newReceiver(t)
	release := make(chan struct{})
	defer close(release)
	hung.does(func(http.ResponseWriter, request) { <-release })
	r := start(t, m, impatient(t.Output()), toWebhook(t, "hung", hung.URL), toWebhook(t, "fine", fine.URL))
	eventually(t, "the hung sink's request", func() bool { return len(hung.received()) == 1 })
	for _, e := range m.grow(t, 100) {
		r.Notify(&e)
	}
	caughtUp(t, r, "fine", 400)
	if s := status(t, r, "hung"); s.Next != 0 || s.Lag != 400 {
		t.Errorf("hung: %+v", s)
	}
}

// TestACrashRepeatsAndLeavesNothingOut: what was delivered and not yet kept is delivered
// again, whenever the crash comes.
func TestACrashRepeatsAndLeavesNothingOut(t *testing.T) {
	const entries = 300
	m, rc := newMemory(t, entries), newReceiver(t)
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Batch = 7
	for range 8 {
		kept := m.position(t, "siem")
		opts := impatient(t.Output())
		crashed, err := sink.New([]sink.Config{cfg}, opts)
		if err != nil {
			t.Fatal(err)
		}
		began := len(rc.received())
		if err := crashed.Start(t.Context(), source(m)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a few requests and a position", func() bool {
			return len(rc.received()) > began+3 && m.position(t, "siem") > kept || status(t, crashed, "siem").Lag == 0
		})
		// From here on nothing more is kept: as if the process were dead.
		var held []byte
		m.set(func() { m.keepErr = errors.New("dead"); held = m.kept["sink/siem"] })
		eventually(t, "deliveries that are not kept", func() bool { return status(t, crashed, "siem").Lag == 0 || len(rc.received()) > began+8 })
		end(t, crashed)
		m.set(func() { m.keepErr = nil; m.kept["sink/siem"] = held })
	}
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "siem", entries)
	got := rc.seqs(t)
	next := int64(0)
	for _, seq := range got {
		if seq > next {
			t.Fatalf("entry %d follows %d: there is a gap in %v", seq, next-1, got)
		}
		next = max(next, seq+1)
	}
	if next != entries || len(got) == entries {
		t.Errorf("%d entries arrived as %d, up to %d; want repetitions and no gap", entries, len(got), next)
	}
}

func TestPositionsAreKeptSeldomAndAtTheEnd(t *testing.T) {
	m, rc := newMemory(t, 1000), newReceiver(t)
	opts := impatient(t.Output())
	opts.KeepEvery = time.Hour
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Batch = 10
	r := start(t, m, opts, cfg)
	caughtUp(t, r, "siem", 1000)
	end(t, r)
	if at := m.position(t, "siem"); m.keeps > 2 || at != 1000 {
		t.Errorf("kept %d times, at last %d", m.keeps, at)
	}
	start(t, m, opts, cfg)
	if got := rc.seqs(t); len(got) != 1000 {
		t.Errorf("%d entries arrived", len(got))
	}
}

// TestAPositionThatCanNotBeKeptStopsNothing, such as on a full disk.
func TestAPositionThatCanNotBeKeptStopsNothing(t *testing.T) {
	m, rc := newMemory(t, 100), newReceiver(t)
	m.keepErr = errors.New("full")
	var out logged
	r := start(t, m, impatient(&out), toWebhook(t, "siem", rc.URL))
	caughtUp(t, r, "siem", 100)
	eventually(t, "attempts to keep", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.keeps > 3 })
	if n := strings.Count(out.String(), "position not kept"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &out)
	}
	m.set(func() { m.keepErr = nil })
	eventually(t, "the position", func() bool { return m.position(t, "siem") == 100 })
}

func TestALogThatDoesNotFitThePositionStopsTheSink(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		change     func(m *memory)
	}{
		{"rolled back", "the log has 20", func(m *memory) { m.rows = m.rows[:20] }},
		{"replaced by a shorter one", "the log has 0", func(m *memory) { m.rows = nil }},
		{"replaced by another", "entry 49 is not the one", func(m *memory) { m.rows[49].Leaf = []byte(`{"another":"entry"}`) }},
		{"a position that is none", "can't be understood", func(m *memory) { m.kept["sink/siem"] = []byte("?") }},
		{"a position before the log", "can't be understood", func(m *memory) { m.kept["sink/siem"] = []byte(`{"next":-1}`) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, rc, other := newMemory(t, 50), newReceiver(t), newReceiver(t)
			end(t, func() *sink.Runner {
				r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
				caughtUp(t, r, "siem", 50)
				return r
			}())
			m.set(func() { tt.change(m) })
			held := slices.Clone(m.kept["sink/siem"])
			var out logged
			r := start(t, m, impatient(&out), toWebhook(t, "siem", rc.URL), toWebhook(t, "other", other.URL))
			s := status(t, r, "siem")
			if s.State != api.SinkStopped || s.LastFailure.Code != "position" || !strings.Contains(s.LastFailure.Detail, tt.says) || !strings.Contains(s.LastFailure.Detail, "another name") {
				t.Errorf("%+v %+v", s, s.LastFailure)
			}
			if !strings.Contains(out.String(), "level=ERROR msg=\"sink stopped") {
				t.Errorf("logged:\n%s", &out)
			}
			if tt.name == "rolled back" {
				caughtUp(t, r, "other", 20) // the others go on
			}
			end(t, r)
			if len(rc.received()) != 50 || !slices.Equal(m.kept["sink/siem"], held) {
				t.Errorf("%d requests; position %s, was %s", len(rc.received()), m.kept["sink/siem"], held)
			}
		})
	}
}

func TestANewSinkBeginsWhereItIsTold(t *testing.T) {
	m, rc := newMemory(t, 30), newReceiver(t)
	cfg := toWebhook(t, "late", rc.URL)
	cfg.From = sink.FromNow
	m.keepErr = errors.New("full")
	r := start(t, m, impatient(t.Output()), cfg)
	for _, e := range m.grow(t, 5) {
		r.Notify(&e)
	}
	eventually(t, "attempts to keep", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.keeps > 2 })
	if n := len(rc.received()); n != 0 {
		t.Errorf("%d requests before the position was kept: a crash would move it", n)
	}
	m.set(func() { m.keepErr = nil })
	caughtUp(t, r, "late", 35)
	end(t, r)
	m.grow(t, 5)
	r = start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "late", 40)
	if got := rc.seqs(t); !slices.Equal(got, upTo(40)[30:]) {
		t.Errorf("received %v", got)
	}
}

func TestASinkTakesTheTypesItWants(t *testing.T) {
	m, rc := newMemory(t, 100), newReceiver(t)
	refused := m.add(t, audit.Entry{Type: audit.TypeReject, Outcome: audit.OutcomeRefused, Code: "frozen"}, audit.Body{Refusal: &audit.Refusal{Code: "frozen", Detail: "no"}})
	m.grow(t, 100)
	// The store's columns are under no hash: who edits them hides nothing.
	m.rows[refused.Seq].Columns.Type = audit.TypePlan
	cfg := toWebhook(t, "refusals", rc.URL)
	cfg.Types = []audit.Type{audit.TypeReject, audit.TypeIdentity}
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "refusals", 201)
	if got := rc.seqs(t); !slices.Equal(got, []int64{refused.Seq}) {
		t.Errorf("received %v", got)
	}
	if s := status(t, r, "refusals"); s.Lag != 0 || s.Delivered != 1 {
		t.Errorf("%+v", s)
	}
	eventually(t, "the position", func() bool { return m.position(t, "refusals") == 201 })
}

func TestNoEntryIsPassedOverThatCanNotBeRead(t *testing.T) {
	for _, tt := range []struct {
		name, says string
		change     func(m *memory)
		back       func(m *memory, was audit.Row)
	}{
		{"damaged", "entry 10 is damaged", func(m *memory) { m.rows[10].Body = []byte("{") }, func(m *memory, was audit.Row) { m.rows[10] = was }},
		{"without its body, and not erased", "entry 10 is damaged", func(m *memory) { m.rows[10].Body = nil }, func(m *memory, was audit.Row) { m.rows[10] = was }},
		{"missing", "entry 10 is missing", func(m *memory) { m.rows = slices.Delete(slices.Clone(m.rows), 10, 11) }, func(m *memory, was audit.Row) { m.rows = slices.Insert(m.rows, 10, was) }},
		{"unreadable", "the log can't be read", func(m *memory) { m.readErr = errors.New("disk") }, func(m *memory, _ audit.Row) { m.readErr = nil }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, rc := newMemory(t, 5), newReceiver(t)
			r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
			caughtUp(t, r, "siem", 5)
			var was audit.Row
			var added []audit.Entry
			m.set(func() { added = m.growLocked(t, 15); was = m.rows[10]; tt.change(m) })
			for _, e := range added {
				r.Notify(&e)
			}
			eventually(t, "failures", func() bool { return status(t, r, "siem").Failures > 2 })
			if s := status(t, r, "siem"); s.Next > 10 || s.LastFailure.Code != "log" || !strings.Contains(s.LastFailure.Detail, tt.says) {
				t.Errorf("%+v %+v", s, s.LastFailure)
			}
			m.set(func() { tt.back(m, was) })
			caughtUp(t, r, "siem", 20)
			if got := rc.seqs(t); !slices.Equal(got, upTo(20)) {
				t.Errorf("received %v", got)
			}
		})
	}
}

func TestAnEntryWhoseBodyIsErasedIsStreamedWithout(t *testing.T) {
	m, rc := newMemory(t, 2), newReceiver(t)
	m.rows[0].Body, m.rows[0].Salt = nil, nil
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
	caughtUp(t, r, "siem", 2)
	got := rc.received()
	if strings.Contains(string(got[0].body), `"body":`) || !strings.Contains(string(got[0].body), `"seq":0`) || !strings.Contains(string(got[1].body), `"body":`) {
		t.Errorf("received %s and %s", got[0].body, got[1].body)
	}
}

// TestClosingIsBoundedAndKeepsWhatWasTaken also of a sink whose receiver hangs.
func TestClosingIsBoundedAndKeepsWhatWasTaken(t *testing.T) {
	m, rc := newMemory(t, 20), newReceiver(t)
	release := make(chan struct{})
	defer close(release)
	rc.does(func(_ http.ResponseWriter, r request) {
		if seqsOf(t, r.body)[0] == 10 {
			<-release
		}
	})
	opts := impatient(t.Output())
	opts.KeepEvery = time.Hour
	r := start(t, m, opts, toWebhook(t, "siem", rc.URL))
	eventually(t, "the request that hangs", func() bool { return len(rc.received()) == 11 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if at := m.position(t, "siem"); at != 10 {
		t.Errorf("kept %d, want 10", at)
	}
}

// TestClosingDeliversWhatThereIs, as long as the receiver takes it.
func TestClosingDeliversWhatThereIs(t *testing.T) {
	m, rc := newMemory(t, 1), newReceiver(t)
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
	caughtUp(t, r, "siem", 1)
	m.grow(t, 200) // and nobody tells of it
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rc.seqs(t); !slices.Equal(got, upTo(201)) || m.position(t, "siem") != 201 {
		t.Errorf("received %d, kept %d", len(got), m.position(t, "siem"))
	}
}

func TestLagIsAMetric(t *testing.T) {
	m, rc := newMemory(t, 40), newReceiver(t)
	rc.answers(http.StatusBadGateway)
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL))
	registry := prometheus.NewRegistry()
	registry.MustRegister(r)
	value := func(name string) float64 {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "auditlb_sink_"+name {
				if l := f.Metric[0].Label[0]; l.GetName() != "sink" || l.GetValue() != "siem" {
					t.Errorf("labels %v", l)
				}
				return f.Metric[0].GetGauge().GetValue() + f.Metric[0].GetCounter().GetValue()
			}
		}
		t.Fatalf("no metric %s", name)
		return 0
	}
	eventually(t, "failures", func() bool { return value("failures_total") > 2 })
	old := value("lag_seconds")
	if value("lag_entries") != 40 || old <= 0 || value("delivered_total") != 0 || value("stopped") != 0 {
		t.Errorf("%v entries, %v seconds behind", value("lag_entries"), old)
	}
	eventually(t, "the lag to grow", func() bool { return value("lag_seconds") > old })
	rc.answers(http.StatusOK)
	caughtUp(t, r, "siem", 40)
	if value("lag_entries") != 0 || value("lag_seconds") != 0 || value("delivered_total") != 40 {
		t.Errorf("%v entries, %v seconds behind", value("lag_entries"), value("lag_seconds"))
	}
}

func TestARunnerWithoutSinksDoesNothing(t *testing.T) {
	r := start(t, newMemory(t, 3), sink.Options{})
	r.Notify(&audit.Entry{Seq: 3})
	if got := r.Status(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTheWaitGrowsToItsBound(t *testing.T) {
	for n := 1; n < 100; n++ {
		most := min(time.Second<<min(n-1, 20), time.Minute)
		for range 20 {
			if wait := sink.Backoff(n, time.Second, time.Minute); wait < most/2 || wait > most {
				t.Fatalf("after %d failures: %s, want %s to %s", n, wait, most/2, most)
			}
		}
	}
}

// TestEachSinkHasAPositionOfItsOwn, by its name.
func TestEachSinkHasAPositionOfItsOwn(t *testing.T) {
	m := newMemory(t, 10)
	dir := t.TempDir()
	r := start(t, m, impatient(t.Output()), sink.Config{Name: "a", File: &sink.FileConfig{Path: filepath.Join(dir, "a")}})
	caughtUp(t, r, "a", 10)
	end(t, r)
	r = start(t, m, impatient(t.Output()),
		sink.Config{Name: "a", File: &sink.FileConfig{Path: filepath.Join(dir, "a")}}, sink.Config{Name: "b", File: &sink.FileConfig{Path: filepath.Join(dir, "b")}})
	caughtUp(t, r, "b", 10)
	if a, b := status(t, r, "a"), status(t, r, "b"); a.Delivered != 0 || b.Delivered != 10 {
		t.Errorf("%+v %+v", a, b)
	}
	if !reflect.DeepEqual(fileSeqs(t, filepath.Join(dir, "a")), upTo(10)) || !reflect.DeepEqual(fileSeqs(t, filepath.Join(dir, "b")), upTo(10)) {
		t.Error("the files differ")
	}
}

// TestLargeEntriesAreNotReadManyAtOnce: a receiver that takes nothing has no more than some
// megabytes held in memory for it.
func TestLargeEntriesAreNotReadManyAtOnce(t *testing.T) {
	m := newMemory(t, 0)
	large := jsontext.Value(`"` + strings.Repeat("x", 700_000) + `"`)
	for range 20 {
		m.add(t, audit.Entry{Type: audit.TypeApply, Actor: audit.Actor{Name: "olivia"}, Resource: "pool/web", Op: "update", Outcome: audit.OutcomeOK}, audit.Body{After: large})
	}
	hooks := newReceiver(t)
	read, first := int64(0), make(chan struct{})
	var once sync.Once
	hooks.does(func(http.ResponseWriter, request) {
		once.Do(func() {
			m.set(func() { read = m.scanned })
			close(first)
		})
	})
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", hooks.URL))
	<-first
	if read > 2<<20 {
		t.Errorf("%d bytes of entries were read for the first", read)
	}
	caughtUp(t, r, "siem", 20)
	if got := hooks.seqs(t); !slices.Equal(got, upTo(20)) {
		t.Errorf("got %v", got)
	}
}
