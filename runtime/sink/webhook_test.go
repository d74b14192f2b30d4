package sink_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

// verifies fails the test unless a request is signed with a secret.
func verifies(t testing.TB, r request, with string) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(with)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify(r.body, r.header); err != nil {
		t.Errorf("%v: %v", r.header, err)
	}
}

func TestWebhooksAreSignedAndIDsAreStable(t *testing.T) {
	m, rc := newMemory(t, 5), newReceiver(t)
	var n atomic.Int64
	rc.does(func(w http.ResponseWriter, _ request) {
		if n.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := start(t, m, impatient(t.Output()), toWebhook(t, "siem", rc.URL+"/hook"))
	caughtUp(t, r, "siem", 5)
	ids := map[string]int64{}
	for _, req := range rc.received() {
		verifies(t, req, secret)
		id, seq := req.header.Get("webhook-id"), seqsOf(t, req.body)[0]
		if other, seen := ids[id]; seen && other != seq || strings.Contains(id, ".") || !strings.HasSuffix(id, fmt.Sprintf("_%d", seq)) {
			t.Errorf("id %q of entry %d, and of %d", id, seq, other)
		}
		ids[id] = seq
		if req.path != "/hook" || req.header.Get("Content-Type") != "application/json" || req.header.Get("User-Agent") != "auditlb" {
			t.Errorf("%s %v", req.path, req.header)
		}
		// A body that was changed on the way does not verify.
		verifier, _ := standardwebhooks.NewWebhook(secret)
		if verifier.Verify(append(slices.Clone(req.body), ' '), req.header) == nil {
			t.Error("another body verifies")
		}
	}
	if len(ids) != 5 || len(rc.received()) != 10 {
		t.Errorf("%d ids in %d requests", len(ids), len(rc.received()))
	}
}

// TestASecretIsChangedWithoutAGap: while two are there both sign, and the file is read anew.
func TestASecretIsChangedWithoutAGap(t *testing.T) {
	m, rc := newMemory(t, 1), newReceiver(t)
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret + "\n")
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Secret = sink.SecretFile(file)
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "siem", 1)
	grow := func() request {
		t.Helper()
		for _, e := range m.grow(t, 1) {
			r.Notify(&e)
			caughtUp(t, r, "siem", int(e.Seq)+1)
		}
		got := rc.received()
		return got[len(got)-1]
	}
	write(secret + "\n" + later + "\n")
	both := grow()
	verifies(t, both, secret)
	verifies(t, both, later)
	write(later)
	verifies(t, grow(), later)
	// One that is none holds everything back, and is not sent unsigned.
	write("whsec_short")
	before := len(rc.received())
	for _, e := range m.grow(t, 1) {
		r.Notify(&e)
	}
	eventually(t, "failures", func() bool { return status(t, r, "siem").Failures > 1 })
	if s := status(t, r, "siem"); s.LastFailure.Code != "credentials" || len(rc.received()) != before {
		t.Errorf("%+v, %d requests", s.LastFailure, len(rc.received())-before)
	}
	write(later)
	caughtUp(t, r, "siem", 4)
}

// dead are the dead letters of a sink.
func dead(t testing.TB, cfg sink.Config) (letters []letter) {
	t.Helper()
	text, err := os.ReadFile(cfg.DeadLetterFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var l letter
		if err := json.Unmarshal(line, &l, json.RejectUnknownMembers(true)); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		letters = append(letters, l)
	}
	return letters
}

type letter struct {
	Sink     string         `json:"sink"`
	Seq      int64          `json:"seq"`
	Time     time.Time      `json:"time"`
	Status   int            `json:"status"`
	Reason   string         `json:"reason"`
	Attempts int            `json:"attempts"`
	Payload  jsontext.Value `json:"payload"`
}

func TestWhatEachStatusMeans(t *testing.T) {
	const (
		taken   = "taken"
		retried = "retried"
		buried  = "buried"
		stopped = "stopped"
	)
	for _, tt := range []struct {
		status int
		means  string
		code   string
	}{
		{200, taken, ""},
		{202, taken, ""},
		{204, taken, ""},
		{301, retried, "status"},
		{302, retried, "status"},
		{307, retried, "status"},
		{401, retried, "credentials"},
		{408, retried, "status"},
		{429, retried, "status"},
		{500, retried, "status"},
		{502, retried, "status"},
		{503, retried, "status"},
		{504, retried, "status"},
		{599, retried, "status"},
		{400, buried, "rejected"},
		{403, buried, "rejected"},
		{404, buried, "rejected"},
		{413, buried, "rejected"},
		{415, buried, "rejected"},
		{422, buried, "rejected"},
		{410, stopped, "gone"},
	} {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			m, rc, elsewhere := newMemory(t, 3), newReceiver(t), newReceiver(t)
			rc.does(func(w http.ResponseWriter, r request) {
				if seqsOf(t, r.body)[0] == 1 {
					w.Header().Set("Location", elsewhere.URL)
					w.WriteHeader(tt.status)
				}
			})
			cfg := toWebhook(t, "siem", rc.URL)
			var out logged
			r := start(t, m, impatient(&out), cfg)
			got := func(seq int64) (n int) {
				for _, s := range rc.seqs(t) {
					if s == seq {
						n++
					}
				}
				return n
			}
			switch tt.means {
			case taken:
				caughtUp(t, r, "siem", 3)
				if got(1) != 1 {
					t.Errorf("sent %d times", got(1))
				}
				return
			case retried:
				eventually(t, "more attempts than a refusal has", func() bool { return got(1) > 6 })
				if got(2) != 0 || status(t, r, "siem").State != api.SinkFailing {
					t.Errorf("%+v", status(t, r, "siem"))
				}
			case stopped:
				eventually(t, "the stop", func() bool { return status(t, r, "siem").State == api.SinkStopped })
				end(t, r)
				if got(1) != 1 || got(2) != 0 || m.position(t, "siem") != 1 || !strings.Contains(out.String(), "level=ERROR") {
					t.Errorf("sent %d times; position %d", got(1), m.position(t, "siem"))
				}
			case buried:
				caughtUp(t, r, "siem", 3)
				letters := dead(t, cfg)
				if len(letters) != 1 || got(1) != 3 {
					t.Fatalf("%+v after %d attempts", letters, got(1))
				}
				l := letters[0]
				if l.Sink != "siem" || l.Seq != 1 || l.Status != tt.status || l.Attempts != 3 || l.Time.IsZero() || seqsOf(t, l.Payload)[0] != 1 {
					t.Errorf("%+v", l)
				}
				if s := status(t, r, "siem"); s.DeadLetters != 1 || s.Delivered != 2 || !strings.Contains(out.String(), "dead letters") {
					t.Errorf("%+v\n%s", s, &out)
				}
			}
			if f := status(t, r, "siem").LastFailure; f.Code != tt.code || !strings.Contains(f.Detail, fmt.Sprint(tt.status)) {
				t.Errorf("%+v", f)
			}
			if len(elsewhere.received()) != 0 {
				t.Error("a redirect was followed")
			}
		})
	}
}

// TestDeadLettersAreOnDiskBeforeTheStreamGoesOn: where they can't be written, it waits.
func TestDeadLettersAreOnDiskBeforeTheStreamGoesOn(t *testing.T) {
	m, rc := newMemory(t, 3), newReceiver(t)
	rc.does(func(w http.ResponseWriter, r request) {
		if seqsOf(t, r.body)[0] == 1 {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	cfg := toWebhook(t, "siem", rc.URL)
	folder := filepath.Dir(cfg.DeadLetterFile)
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a file is in the way
		t.Fatal(err)
	}
	r := start(t, m, impatient(t.Output()), cfg)
	eventually(t, "attempts to bury", func() bool {
		f := status(t, r, "siem").LastFailure
		return f != nil && f.Code == "dead_letters" && status(t, r, "siem").Failures > 6
	})
	if s := status(t, r, "siem"); s.Next != 1 || s.DeadLetters != 0 || slices.Contains(rc.seqs(t), 2) {
		t.Errorf("%+v", s)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	caughtUp(t, r, "siem", 3)
	if letters := dead(t, cfg); len(letters) != 1 || letters[0].Seq != 1 {
		t.Errorf("%+v", letters)
	}
	if info, err := os.Stat(cfg.DeadLetterFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestOfABatchOnlyTheEntryThatIsRefusedIsBuried.
func TestOfABatchOnlyTheEntryThatIsRefusedIsBuried(t *testing.T) {
	m, rc := newMemory(t, 100), newReceiver(t)
	rc.does(func(w http.ResponseWriter, r request) {
		if slices.Contains(seqsOf(t, r.body), 37) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
	})
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Batch = 20
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "siem", 100)
	if letters := dead(t, cfg); len(letters) != 1 || letters[0].Seq != 37 {
		t.Errorf("%+v", letters)
	}
	var taken []int64
	for _, req := range rc.received() {
		verifies(t, req, secret)
		if req.body[0] != '[' {
			t.Errorf("no array: %.40s", req.body)
		}
		if seqs := seqsOf(t, req.body); !slices.Contains(seqs, 37) {
			taken = append(taken, seqs...)
		}
	}
	if want := slices.Delete(upTo(100), 37, 38); !slices.Equal(taken, want) {
		t.Errorf("taken %v", taken)
	}
	if s := status(t, r, "siem"); s.Delivered != 99 || s.DeadLetters != 1 || s.State != api.SinkRunning {
		t.Errorf("%+v", s)
	}
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "7.5": 0, "soon": 0, "100000": sink.MaxRetryAfter, "99999999999999999999": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(48 * time.Hour).Format(http.TimeFormat):   sink.MaxRetryAfter,
	} {
		if got := sink.RetryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	m, rc := newMemory(t, 1), newReceiver(t)
	rc.does(func(w http.ResponseWriter, _ request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	var out logged
	r := start(t, m, impatient(&out), toWebhook(t, "siem", rc.URL))
	eventually(t, "the failure", func() bool { return strings.Contains(out.String(), "retry_in=10m0s") })
	if n := len(rc.received()); n != 1 {
		t.Errorf("%d requests", n)
	}
	end(t, r)
}

// TestWhatAReceiverSaysIsBoundedAndNotRepeated: an answer without end, and one that repeats
// our secrets.
func TestWhatAReceiverSaysIsBoundedAndNotRepeated(t *testing.T) {
	const planted = "s3cret-in-an-answer"
	m, rc := newMemory(t, 2), newReceiver(t)
	rc.does(func(w http.ResponseWriter, r request) {
		w.WriteHeader(http.StatusBadRequest)
		for err := error(nil); err == nil; {
			_, err = fmt.Fprint(w, strings.Repeat(planted+r.header.Get("Authorization"), 1000))
		}
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("Bearer s3cret-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := toWebhook(t, "siem", rc.URL+"/s3cret-path?token=s3cret-query")
	cfg.Webhook.Headers = map[string]sink.Secret{"Authorization": sink.SecretFile(file)}
	var out logged
	r := start(t, m, impatient(&out), cfg)
	caughtUp(t, r, "siem", 2)
	if got := rc.received()[0].header.Get("Authorization"); got != "Bearer s3cret-token" {
		t.Errorf("sent %q", got)
	}
	// From here on connections fail: broken off with half an answer, then refused.
	rc.does(func(w http.ResponseWriter, _ request) {
		conn, out, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = out.WriteString(planted + "\r\n")
			_ = out.Flush()
			_ = conn.Close()
		}
	})
	for _, e := range m.grow(t, 1) {
		r.Notify(&e)
	}
	eventually(t, "broken connections", func() bool { return status(t, r, "siem").LastFailure.Detail == "the connection failed" })
	rc.Close()
	eventually(t, "refused connections", func() bool { return status(t, r, "siem").LastFailure.Detail == "it refuses connections" })
	shown, err := json.Marshal(r.Status())
	if err != nil {
		t.Fatal(err)
	}
	letters, err := os.ReadFile(cfg.DeadLetterFile)
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{
		"log": out.String(), "status": string(shown), "dead letters": string(letters), "config": fmt.Sprintf("%+v %#v", cfg.Webhook, cfg.Webhook.Headers),
	} {
		if where == "config" {
			text = strings.ReplaceAll(text, cfg.Webhook.URL, "") // what an operator wrote there is shown
		}
		for _, secret := range []string{"s3cret", strings.TrimPrefix(secret, "whsec_")} {
			if strings.Contains(text, secret) {
				t.Errorf("%s: has %q in it:\n%s", where, secret, text)
			}
		}
	}
	if want := strings.Split(rc.URL, "/s3cret")[0]; status(t, r, "siem").Target != want {
		t.Errorf("target %q", status(t, r, "siem").Target)
	}
}

func TestAReceiverIsTrustedByItsAuthority(t *testing.T) {
	rc := newReceiver(t)
	tls := httptest.NewUnstartedServer(rc)
	tls.Config.ErrorLog = nil
	tls.StartTLS()
	defer tls.Close()
	m := newMemory(t, 1)
	stranger := toWebhook(t, "stranger", tls.URL)
	known := toWebhook(t, "known", tls.URL)
	known.Webhook.CAPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})
	r := start(t, m, impatient(t.Output()), stranger, known)
	caughtUp(t, r, "known", 1)
	eventually(t, "a failure", func() bool { return status(t, r, "stranger").Failures > 0 })
	if f := status(t, r, "stranger").LastFailure; f.Code != "certificate" {
		t.Errorf("%+v", f)
	}
	if n := len(rc.received()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestASlowReceiverTimesOut(t *testing.T) {
	m, rc := newMemory(t, 1), newReceiver(t)
	release := make(chan struct{})
	defer close(release)
	rc.does(func(http.ResponseWriter, request) { <-release })
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Timeout = 5 * time.Millisecond
	r := start(t, m, impatient(t.Output()), cfg)
	eventually(t, "two attempts", func() bool { return status(t, r, "siem").Failures > 1 })
	if f := status(t, r, "siem").LastFailure; f.Code != "timeout" {
		t.Errorf("%+v", f)
	}
}

// TestAnAnswerThatNeverEndsIsAnAnswer: its status says what became of the entry, and what
// was taken is not sent again for ever.
func TestAnAnswerThatNeverEndsIsAnAnswer(t *testing.T) {
	m, rc := newMemory(t, 2), newReceiver(t)
	release := make(chan struct{})
	defer close(release)
	rc.does(func(w http.ResponseWriter, _ request) {
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	cfg := toWebhook(t, "siem", rc.URL)
	cfg.Webhook.Timeout = 500 * time.Millisecond
	r := start(t, m, impatient(t.Output()), cfg)
	caughtUp(t, r, "siem", 2)
	if got := rc.seqs(t); got[0] != 0 || got[len(got)-1] != 1 || status(t, r, "siem").Delivered != 2 {
		t.Errorf("sent %v; %+v", got, status(t, r, "siem"))
	}
}
