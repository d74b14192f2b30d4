package witness_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// member is a witness as a policy has it.
type member struct{ vkey, url string }

func (w *testWitness) member() member { return member{w.key.PublicKey(), w.url} }

// policyOf is a policy with a quorum over all its witnesses: all, any, a number or
// none. They are called w0, w1 and so on.
func policyOf(t *testing.T, quorum string, members ...member) *witness.Policy {
	t.Helper()
	var text, names strings.Builder
	for i, m := range members {
		fmt.Fprintf(&text, "witness w%d %s %s\n", i, m.vkey, m.url)
		fmt.Fprintf(&names, " w%d", i)
	}
	if quorum == "none" {
		text.WriteString("quorum none\n")
	} else {
		fmt.Fprintf(&text, "group g %s%s\nquorum g\n", quorum, &names)
	}
	p, err := witness.ParsePolicy([]byte(text.String()))
	must(t, err)
	return p
}

// collecting is a collector that runs until the end of the test.
type collecting struct {
	*witness.Collector
	results chan result
	failed  chan error
	stop    func()
}

type result struct {
	witness string
	err     error
}

func (r result) code() witness.Code {
	var f *witness.Failure
	switch {
	case r.err == nil:
		return witness.CodeOK
	case errors.As(r.err, &f):
		return f.Code
	}
	return witness.Code("untyped: " + r.err.Error())
}

func collect(t *testing.T, l witness.Log, p *witness.Policy, timeout time.Duration) *collecting {
	t.Helper()
	c := &collecting{results: make(chan result, 10000), failed: make(chan error, 10000)}
	var err error
	c.Collector, err = witness.NewCollector(l, witness.CollectorConfig{
		Policy: p, Every: time.Millisecond, Timeout: timeout,
		OnResult: func(w string, err error) { c.results <- result{w, err} },
		OnFailed: func(err error) { c.failed <- err },
	})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	c.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(c.stop)
	return c
}

// until waits for a result of a witness with a code.
func (c *collecting) until(t *testing.T, name string, code witness.Code) result {
	t.Helper()
	late := time.After(patience)
	var seen []string
	for {
		select {
		case r := <-c.results:
			if r.witness == name && r.code() == code {
				return r
			}
			seen = append(seen, fmt.Sprintf("%s %s (%v)", r.witness, r.code(), r.err))
		case <-late:
			t.Fatalf("%s did not come to be %s; seen: %q", name, code, seen)
		}
	}
}

// untilKept waits until a checkpoint of a size is kept, with a number of cosignatures.
func (l *testLog) untilKept(t *testing.T, size, cosignatures int) string {
	t.Helper()
	late := time.After(patience)
	var last string
	for {
		select {
		case last = <-l.keptAt:
			if strings.HasPrefix(last, fmt.Sprintf("%s\n%d\n", origin, size)) && strings.Count(last, "\n— ") == 1+cosignatures {
				return last
			}
		case <-late:
			t.Fatalf("size %d with %d cosignatures was not kept; last:\n%s", size, cosignatures, last)
		}
	}
}

func TestANewCheckpointIsCosignedAndKept(t *testing.T) {
	l := newLog(t, 5)
	a, b := newWitness(t, "", "a.example/w", l), newWitness(t, "", "b.example/w", l)
	c := collect(t, l, policyOf(t, "all", a.member(), b.member()), patience)
	l.untilKept(t, 5, 2)
	for size := 6; size < 20; size++ {
		l.grow(t, 1, "entry")
		c.Notify()
		kept := l.untilKept(t, size, 2)
		n, err := note.Open([]byte(kept), note.VerifierList(l.key, cosignatureVerifier(t, a.key.PublicKey()), cosignatureVerifier(t, b.key.PublicKey())))
		must(t, err)
		if len(n.Sigs) != 3 || n.Sigs[0].Name != origin || n.Sigs[1].Name != "a.example/w" || n.Sigs[2].Name != "b.example/w" {
			t.Errorf("signatures in this order: %+v", n.Sigs)
		}
	}
	c.stop()
	s := c.Status()
	if s.Size != 19 || s.Cosignatures != 2 || s.Alarm || s.KeptAt.IsZero() || len(s.Witnesses) != 2 {
		t.Errorf("status %+v", s)
	}
	for i, w := range s.Witnesses {
		if w.Name != fmt.Sprintf("w%d", i) || w.Size != 19 || w.Code != witness.CodeOK || w.At.IsZero() || w.Detail != "" || w.Alarm != "" {
			t.Errorf("status %+v", w)
		}
	}
}

// TestAWitnessThatIsDownHoldsUpNothing has one that does not listen and one that never
// answers, beside two that work.
func TestAWitnessThatIsDownHoldsUpNothing(t *testing.T) {
	l := newLog(t, 5)
	a, b := newWitness(t, "", "a.example/w", l), newWitness(t, "", "b.example/w", l)
	down := httptest.NewServer(nil)
	down.Close()
	asked := make(chan struct{}, 1)
	hanging := newListener(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	c := collect(t, l, policyOf(t, "2", a.member(), member{newCosigner(t, "down.example").vkey, down.URL}, member{newCosigner(t, "hanging.example").vkey, hanging}, b.member()), time.Hour)
	<-asked
	l.untilKept(t, 5, 2)
	for size := 6; size < 15; size++ {
		l.grow(t, 1, "entry")
		c.Notify()
		l.untilKept(t, size, 2)
	}
	c.until(t, "w1", witness.CodeUnreachable)
	if s := c.Status(); s.Witnesses[1].Code != witness.CodeUnreachable || s.Witnesses[1].FailedAt.IsZero() || strings.Contains(s.Witnesses[1].Detail, "127.0.0.1") {
		t.Errorf("status %+v", s.Witnesses[1])
	}
}

func TestAWitnessThatDoesNotAnswerInTimeIsUnreachable(t *testing.T) {
	l := newLog(t, 5)
	hanging := newListener(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	c := collect(t, l, policyOf(t, "all", member{newCosigner(t, "hanging.example").vkey, hanging}), 20*time.Millisecond)
	c.until(t, "w0", witness.CodeUnreachable)
}

func TestAWitnessThatComesBackAddsItsCosignature(t *testing.T) {
	l := newLog(t, 5)
	a, b := newWitness(t, "", "a.example/w", l), newWitness(t, "", "b.example/w", l)
	var up atomic.Bool
	gate := newListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		b.ServeHTTP(w, r)
	}))
	c := collect(t, l, policyOf(t, "any", a.member(), member{b.key.PublicKey(), gate}), patience)
	c.until(t, "w1", witness.CodeUnreachable)
	l.untilKept(t, 5, 1)
	up.Store(true)
	l.untilKept(t, 5, 2)
}

// TestWhatIsKeptNeverGoesBack has a witness that signs a checkpoint when the next one is
// kept already.
func TestWhatIsKeptNeverGoesBack(t *testing.T) {
	l := newLog(t, 5)
	a, b := newWitness(t, "", "a.example/w", l), newWitness(t, "", "b.example/w", l)
	asked, release := make(chan struct{}, 100), make(chan struct{})
	slow := newListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		b.ServeHTTP(w, r)
	}))
	c := collect(t, l, policyOf(t, "any", a.member(), member{b.key.PublicKey(), slow}), patience)
	<-asked
	l.untilKept(t, 5, 1)
	l.grow(t, 1, "entry")
	c.Notify()
	l.untilKept(t, 6, 1)
	close(release)
	l.untilKept(t, 6, 2)
	c.stop()
	var sizes []string
	for _, kept := range l.kept {
		sizes = append(sizes, strings.Split(string(kept), "\n")[1])
	}
	if !slices.IsSorted(sizes) {
		t.Errorf("kept in this order: %v", sizes)
	}
}

func TestNothingIsKeptBelowTheQuorum(t *testing.T) {
	l := newLog(t, 5)
	a := newWitness(t, "", "a.example/w", l)
	down := httptest.NewServer(nil)
	down.Close()
	c := collect(t, l, policyOf(t, "2", a.member(), member{newCosigner(t, "down.example").vkey, down.URL}), patience)
	c.until(t, "w0", witness.CodeOK)
	c.until(t, "w1", witness.CodeUnreachable)
	c.until(t, "w1", witness.CodeUnreachable)
	c.stop()
	if len(l.kept) > 0 || c.Status().Size != 0 {
		t.Errorf("kept %q", l.kept)
	}
}

func TestWithoutAQuorumWhatThereIsIsKept(t *testing.T) {
	l := newLog(t, 5)
	a := newWitness(t, "", "a.example/w", l)
	collect(t, l, policyOf(t, "none", a.member()), patience)
	l.untilKept(t, 5, 1)
}

func TestARestartGoesOnFromWhatWasKept(t *testing.T) {
	l := newLog(t, 5)
	a := newWitness(t, "", "a.example/w", l)
	requests := make(chan string, 100)
	url := newListener(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line, _, _ := strings.Cut(string(body), "\n")
		requests <- line
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		a.ServeHTTP(w, r)
	}))
	p := policyOf(t, "all", member{a.key.PublicKey(), url})
	first := collect(t, l, p, patience)
	l.untilKept(t, 5, 1)
	first.stop()
	if got := <-requests; got != "old 0" {
		t.Errorf("asked first with %q", got)
	}
	l.grow(t, 3, "entry")
	second := collect(t, l, p, patience)
	l.untilKept(t, 8, 1)
	if got := <-requests; got != "old 5" {
		t.Errorf("asked after the restart with %q", got)
	}
	second.stop()
	// What was kept is lost: the witness says where it is.
	l.kept = nil
	l.grow(t, 3, "entry")
	collect(t, l, p, patience)
	l.untilKept(t, 11, 1)
	if first, then := <-requests, <-requests; first != "old 0" || then != "old 8" {
		t.Errorf("asked with %q, then with %q", first, then)
	}
}

func TestKeepingThatFailsIsTriedAgain(t *testing.T) {
	l := newLog(t, 5)
	l.keepErr = []error{errDisk, errDisk}
	a := newWitness(t, "", "a.example/w", l)
	c := collect(t, l, policyOf(t, "all", a.member()), patience)
	if err := <-c.failed; !errors.Is(err, errDisk) {
		t.Errorf("err = %v", err)
	}
	l.untilKept(t, 5, 1)
}
