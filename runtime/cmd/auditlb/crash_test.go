package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

const (
	crashWorkers = 8
	// crashLife is how many crashes one log lives through before the next
	// begins, so that checking all of it stays quick.
	crashLife = 20
)

// TestKill9LosesNothing kills the program over and over while changes arrive,
// and after each time holds the log against what was answered: every
// acknowledged change is there with its content, what was under way is settled
// by its idempotency key, the whole log verifies and the state is its fold.
//
// AUDITLB_CRASH_ROUNDS sets how often; 100 by default, 5 with -short.
func TestKill9LosesNothing(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 5
	}
	if text := os.Getenv("AUDITLB_CRASH_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatalf("AUDITLB_CRASH_ROUNDS: %v", err)
		}
	}
	acknowledged, underWay := 0, 0
	for done := 0; done < rounds; done += crashLife {
		in := newInstallation(t)
		workers := make([]*crashWorker, crashWorkers)
		for i := range workers {
			workers[i] = &crashWorker{address: fmt.Sprintf("pool/w%d", i)}
		}
		for round := range min(crashLife, rounds-done) {
			crash(t, in, workers)
			acks, pending := survived(t, in, workers)
			underWay += pending
			if t.Failed() {
				t.Fatalf("after crash %d", done+round+1)
			}
			if round == min(crashLife, rounds-done)-1 {
				acknowledged += acks
			}
		}
	}
	t.Logf("%d crashes: %d acknowledged changes, none lost; %d calls were under way", rounds, acknowledged, underWay)
	if acknowledged < 2*rounds || underWay < rounds {
		t.Errorf("%d crashes met only %d acknowledged changes and %d calls under way: there was no load", rounds, acknowledged, underWay)
	}
}

// crash runs the program under load and kills it at a random moment: some time after
// some number of answers, so that a slow machine meets as many as a fast one.
func crash(t *testing.T, in installation, workers []*crashWorker) {
	t.Helper()
	p := in.serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	answered := make(chan struct{})
	var load sync.WaitGroup
	for _, w := range workers {
		load.Go(func() {
			if err := w.run(ctx, p.endpoint, in, answered); err != nil {
				t.Error(err)
			}
		})
	}
	for n := 3 + rand.IntN(25); n > 0 && !t.Failed(); n-- {
		select {
		case <-answered:
		case <-p.ended:
			t.Errorf("the program ended by itself: %v\n%s", p.err, p.logged())
		case <-ctx.Done():
			t.Errorf("no answer in %s\n%s", patience, p.logged())
		}
	}
	time.Sleep(rand.N(5 * time.Millisecond)) // anywhere within a commit
	p.kill()
	cancel()
	load.Wait()
}

// crashWorker changes one object of its own, one change after the other.
type crashWorker struct {
	address string
	// answers are the acknowledged changes, oldest first.
	answers []acknowledged
	// pending is the call whose answer is not known.
	pending *crashCall
}

type acknowledged struct {
	revision int64
	n        int
}

// crashCall is one change. A retry repeats it as it was.
type crashCall struct {
	key, ifMatch, ifNoneMatch string
	n                         int
}

// run makes changes until the program is gone, and tells of each answer. It returns an
// error for an answer that must not be.
func (w *crashWorker) run(ctx context.Context, endpoint string, in installation, answered chan<- struct{}) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		if w.pending == nil {
			w.pending = w.next()
		}
		revision, gone, err := w.pending.send(ctx, client, endpoint, in, w.address)
		if gone {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s change %d: %w", w.address, w.pending.n, err)
		}
		w.answers = append(w.answers, acknowledged{revision, w.pending.n})
		w.pending = nil
		select {
		case answered <- struct{}{}:
		default:
		}
	}
	return nil
}

// next is the change after the last that was acknowledged.
func (w *crashWorker) next() *crashCall {
	call := &crashCall{key: uuid.NewString(), ifNoneMatch: "*"}
	if len(w.answers) > 0 {
		last := w.answers[len(w.answers)-1]
		call.n, call.ifNoneMatch, call.ifMatch = last.n+1, "", strconv.Quote(strconv.FormatInt(last.revision, 10))
	}
	return call
}

// send makes the call. gone is set when there was no answer.
func (c *crashCall) send(ctx context.Context, client *http.Client, endpoint string, in installation, address string) (revision int64, gone bool, err error) {
	body := fmt.Sprintf(`{"owner":"team-web","labels":{"n":"%d"},"members":{"a":{"address":"127.0.0.1:8080"}}}`, c.n)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"/v1/pools/"+strings.TrimPrefix(address, "pool/"), strings.NewReader(body))
	if err != nil {
		return 0, false, err
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer " + in.token, "Content-Type": api.ContentJSON, api.HeaderTicket: in.ticketID,
		api.HeaderIdempotencyKey: c.key, api.HeaderIfMatch: c.ifMatch, api.HeaderIfNoneMatch: c.ifNoneMatch,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, true, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, true, nil
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return 0, false, fmt.Errorf("answered %s: %s", resp.Status, answer)
	}
	var object api.Object
	if err := json.Unmarshal(answer, &object); err != nil {
		return 0, false, err
	}
	return object.Revision, false, nil
}

// survived compares the log with every answer that was given, and returns how
// many there were and how many calls are without one.
func survived(t *testing.T, in installation, workers []*crashWorker) (acks, pending int) {
	t.Helper()
	reader, err := sqlite.OpenReader(in.config.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	vkey, err := os.ReadFile(filepath.Join(in.config.DataDir, daemon.PublicKeyName))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verify(t.Context(), reader, verifier, nil)
	if err != nil {
		t.Fatalf("the log could not be read: %v", err)
	}
	if !report.OK() {
		t.Fatalf("the log does not verify: %v", report.Findings)
	}
	changes := changesOf(t, reader, int(report.Size))
	for _, w := range workers {
		acks += len(w.answers)
		got := changes[w.address]
		for i, want := range w.answers {
			if i >= len(got) || got[i] != want {
				t.Errorf("%s: revision %d with n=%d was acknowledged; the log has %v there", w.address, want.revision, want.n, got[min(i, len(got)):])
				return acks, pending
			}
		}
		// What is beyond can only be the call that was under way.
		beyond := got[len(w.answers):]
		if w.pending != nil {
			pending++
		}
		if len(beyond) > 1 || (len(beyond) == 1 && (w.pending == nil || beyond[0].n != w.pending.n)) {
			t.Errorf("%s: the log has %v beyond what was acknowledged; under way was %+v", w.address, beyond, w.pending)
		}
	}
	return acks, pending
}

// changesOf reads every change of the log by object, oldest first. Refusals
// must not be: every call was right.
func changesOf(t *testing.T, reader *sqlite.Reader, size int) map[string][]acknowledged {
	t.Helper()
	rows, err := reader.Rows(t.Context(), 0, size)
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string][]acknowledged{}
	for _, row := range rows {
		if row.Columns.Refused {
			t.Errorf("entry %d is a refusal: %s", row.Seq, row.Body)
		}
		if row.Columns.Type != audit.TypeApply {
			continue
		}
		body, err := audit.ParseBody(row.Body)
		if err != nil {
			t.Fatal(err)
		}
		var pool lb.Pool
		if err := json.Unmarshal(body.After, &pool); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(pool.Labels["n"])
		if err != nil {
			t.Fatalf("entry %d: %v", row.Seq, err)
		}
		changes[row.Columns.Resource] = append(changes[row.Columns.Resource], acknowledged{row.Seq, n})
	}
	return changes
}
