package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

const resumeSize = 3*audit.Chunk + 200

// brokenOff verifies a log, is cancelled once so many entries are done, and returns
// what was kept.
func brokenOff(t *testing.T, o audit.Verification, m audit.Source, s *audit.Signer, after int64) (state []byte) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Keep = func(b []byte) error { state = bytes.Clone(b); return nil }
	o.Progress = func(done, _ int64) {
		if done >= after {
			cancel()
		}
	}
	if _, err := o.Run(ctx, m, s.Verifier()); !errors.Is(err, context.Canceled) {
		t.Fatalf("ended with %v", err)
	}
	return state
}

// counting counts the entries that are read.
type counting struct {
	*memory
	mu    sync.Mutex // guards least
	least int64
}

func (c *counting) ScanLeaves(ctx context.Context, from, to int64, visit func([]byte) error) error {
	return c.Scan(ctx, from, to, func(row *audit.Row) error { return visit(row.Leaf) })
}

func (c *counting) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	c.mu.Lock()
	c.least = min(c.least, from)
	c.mu.Unlock()
	return c.memory.Scan(ctx, from, to, visit)
}

// TestAVerificationGoesOnWhereItWasBrokenOff breaks off after every chunk, and
// damages what was not read then.
func TestAVerificationGoesOnWhereItWasBrokenOff(t *testing.T) {
	s := newSigner(t, "test.example/log")
	whole := newMemory(t, s, resumeSize, 0)
	for _, depth := range audit.Depths {
		for after := int64(audit.Chunk); after < resumeSize; after += audit.Chunk {
			o := audit.Verification{Depth: depth, Jobs: 2, Version: "1"}
			state := brokenOff(t, o, whole, s, after)
			for _, damaged := range []bool{false, true} {
				m := &counting{memory: newMemoryOf(whole), least: resumeSize}
				if damaged {
					m.rows[resumeSize-1].Leaf = []byte("noise")
					m.rows[after].Leaf = m.rows[after+1].Leaf
				}
				want, err := audit.Verification{Depth: depth}.Run(t.Context(), m.memory, s.Verifier())
				if err != nil || want.OK() == damaged {
					t.Fatalf("a whole run: %v %v", want.Findings, err)
				}
				o.Resume = state
				got, err := o.Run(t.Context(), m, s.Verifier())
				if err != nil || !reflect.DeepEqual(got.Findings, want.Findings) || got.Root != want.Root {
					t.Errorf("%s, broken off after %d: found %v (%v), a whole run %v", depth, after, got.Findings, err, want.Findings)
				}
				if m.least != after || got.Resumed == nil || got.Resumed.Size != after || got.Resumed.Began.IsZero() || got.Resumed.At.Before(got.Resumed.Began) {
					t.Errorf("%s, broken off after %d: read from %d; the report says %+v", depth, after, m.least, got.Resumed)
				}
			}
		}
	}
}

// TestTimeGoesOnAfterABreak breaks off before an entry whose time lies before that of
// the last one read.
func TestTimeGoesOnAfterABreak(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const at = 2 * audit.Chunk
	m := makeMemory(t, s, resumeSize, 0, func(r *audit.Record) {
		if r.Entry.Seq == at {
			r.Entry.Time = moment.Add((at - 2) * time.Second)
			*r = record(t, r.Entry, audit.Body{After: fmt.Appendf(nil, `{"n":%d}`, at)})
		}
	})
	for _, depth := range audit.Depths {
		o := audit.Verification{Depth: depth}
		o.Resume = brokenOff(t, o, m, s, at)
		report, err := o.Run(t.Context(), m, s.Verifier())
		if err != nil || len(report.Findings) != 1 || report.Findings[0].Seq != at || !strings.Contains(report.Findings[0].Problem, "time is not after") {
			t.Errorf("%s: %v, %v", depth, report.Findings, err)
		}
	}
}

// TestAVerificationIsBrokenOffTwice goes on, is broken off again, and goes on.
func TestAVerificationIsBrokenOffTwice(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, resumeSize, 0)
	o := audit.Verification{}
	o.Resume = brokenOff(t, o, m, s, audit.Chunk)
	o.Resume = brokenOff(t, o, m, s, 2*audit.Chunk)
	report, err := o.Run(t.Context(), m, s.Verifier())
	if err != nil || !report.OK() || report.Resumed.Size != 2*audit.Chunk {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestProgressIsKeptAsItIsMade looks at what a crash would leave.
func TestProgressIsKeptAsItIsMade(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, resumeSize, 0)
	var states [][]byte
	full := errors.New("the disk is full")
	o := audit.Verification{KeepEvery: 1, Keep: func(b []byte) error { states = append(states, b); return nil }}
	if _, err := o.Run(t.Context(), m, s.Verifier()); err != nil || len(states) == 0 {
		t.Fatalf("kept %d times, %v", len(states), err)
	}
	for _, state := range states {
		report, err := audit.Verification{Resume: state}.Run(t.Context(), m, s.Verifier())
		if err != nil || !report.OK() || report.Resumed == nil {
			t.Errorf("%+v, %v", report, err)
		}
	}
	o.Keep = func([]byte) error { return full }
	if _, err := o.Run(t.Context(), m, s.Verifier()); !errors.Is(err, full) {
		t.Errorf("what can't be kept: %v", err)
	}
}

// TestNothingIsKeptOnceSomethingIsWrong makes whoever goes on read it again.
func TestNothingIsKeptOnceSomethingIsWrong(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, resumeSize, 0)
	m.rows[audit.Chunk+5].Body = nil
	o := audit.Verification{}
	o.Resume = brokenOff(t, o, m, s, 2*audit.Chunk)
	if len(o.Resume) != 0 {
		t.Error("progress was kept beyond what is wrong")
	}
	o.KeepEvery = 1
	var last []byte
	o.Keep, o.Resume = func(b []byte) error { last = b; return nil }, nil
	if _, err := o.Run(t.Context(), m, s.Verifier()); err != nil {
		t.Fatal(err)
	}
	report, err := audit.Verification{Resume: last}.Run(t.Context(), m, s.Verifier())
	if err != nil || len(report.Findings) == 0 || report.Findings[0].Seq != audit.Chunk+5 {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestWhatIsSeenOfChangesToWhatWasVerifiedBefore alters, after a verification was
// broken off, entries that it had read. They are not read again, which the report
// says; the tree's edge and the current state are.
func TestWhatIsSeenOfChangesToWhatWasVerifiedBefore(t *testing.T) {
	s := newSigner(t, "test.example/log")
	whole := newMemory(t, s, resumeSize, 0)
	const verified = 2 * audit.Chunk
	state := brokenOff(t, audit.Verification{}, whole, s, verified)
	edge := tlog.StoredHashIndex(10, 0) // over entries 0 to 1023, one of the subtrees of 2,000
	for _, tt := range []struct {
		name  string
		alter func(m *memory)
		seen  string
		// again is set where everything is read again.
		again bool
	}{
		{"a leaf", func(m *memory) { m.rows[7].Leaf = []byte("noise") }, "", false},
		{"a body", func(m *memory) { m.rows[7].Body = nil }, "", false},
		{"a row", func(m *memory) { m.rows = slices.Delete(m.rows, 7, 8) }, "", false},
		{"a hash below the edge", func(m *memory) { m.hashes[0].Hash = tlog.Hash{} }, "", false},
		{"a hash of the edge", func(m *memory) { m.hashes[edge].Hash = tlog.Hash{} }, "entries 0 to 1023 was altered", true},
		{"a leaf, its hash and the edge", func(m *memory) {
			m.rows[7].Leaf, m.hashes[edge].Hash = []byte("noise"), tlog.Hash{}
		}, "header or hash was altered", true},
		{"the current state", func(m *memory) {
			m.current["pool/p900"] = audit.Current{Resource: "pool/p900", Seq: 2100, State: []byte("{}")}
		}, "the current state is not what this entry made", false},
		{"a current state that was deleted", func(m *memory) { delete(m.current, "pool/p1000") }, "no row for what this entry made", false},
		{"another history, signed with the key", func(m *memory) {
			*m = *makeMemory(t, s, resumeSize, 0, func(r *audit.Record) {
				if r.Entry.Seq == 3 {
					*r = record(t, r.Entry, audit.Body{})
				}
			})
		}, "altered since", true},
		{"a later part of the history, signed with the key", func(m *memory) {
			*m = *makeMemory(t, s, resumeSize+500, 0, func(r *audit.Record) {
				if r.Entry.Seq == verified+50 {
					r.Entry.Actor.Name = "mallory"
					*r = record(t, r.Entry, audit.Body{After: fmt.Appendf(nil, `{"n":%d}`, r.Entry.Seq)})
				}
			})
		}, "when the log was verified before: the log was rewritten", false},
		{"an earlier head", func(m *memory) { *m = *newMemory(t, s, verified+100, 0) }, "rolled back", true},
		{"a head before what was verified", func(m *memory) { *m = *newMemory(t, s, verified-100, 0) }, "rolled back", true},
		{"more entries", func(m *memory) { *m = *newMemory(t, s, resumeSize+500, 0) }, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMemoryOf(whole)
			tt.alter(m)
			report, err := audit.Verification{Resume: state}.Run(t.Context(), m, s.Verifier())
			if err != nil {
				t.Fatal(err)
			}
			if (report.Resumed == nil) != tt.again {
				t.Errorf("resumed: %+v", report.Resumed)
			}
			found := slices.ContainsFunc(report.Findings, func(f audit.Finding) bool { return strings.Contains(f.Problem, tt.seen) })
			if tt.seen == "" && !report.OK() || tt.seen != "" && !found {
				t.Errorf("found %v; want %q", report.Findings, tt.seen)
			}
		})
	}
}

// TestOnlyAnEntryOfTheTreeSaysThatABodyWasErased removes a body, and forges the entry
// that says so where an earlier verification has been.
func TestOnlyAnEntryOfTheTreeSaysThatABodyWasErased(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const gone, says = 100, 500
	forged := func(r *audit.Record) {
		if r.Entry.Seq == says {
			after := fmt.Appendf(nil, `{"setting":"a test","before":"2026-01-31T14:05:06Z","from":0,"to":%d,"bodies":1,"erased":[[%d,%d]]}`, gone, gone, gone)
			e := audit.Entry{Seq: says, Time: r.Entry.Time, Type: audit.TypeSystem, Outcome: audit.OutcomeOK, Resource: audit.ResourceBodies, Op: audit.OpErase}
			*r = record(t, e, audit.Body{After: after})
		}
	}
	right, m := makeMemory(t, s, resumeSize, 0, forged), newMemory(t, s, resumeSize, 0)
	for _, log := range []*memory{right, m} {
		log.rows[gone].Salt, log.rows[gone].Body = nil, nil
	}
	for _, tt := range []struct {
		name string
		log  *memory
		ok   bool
	}{{"an entry of the log", right, true}, {"none", m, false}} {
		for _, depth := range audit.Depths {
			o := audit.Verification{Depth: depth, Jobs: 2}
			o.Resume = brokenOff(t, o, tt.log, s, 2*audit.Chunk)
			log := newMemoryOf(tt.log)
			log.rows[says] = right.rows[says]
			log.hashes[hashAt(log, tlog.StoredHashIndex(0, says))].Hash = tlog.RecordHash(right.rows[says].Leaf)
			report, err := o.Run(t.Context(), log, s.Verifier())
			if want := tt.ok || depth == audit.DepthShape; err != nil || report.OK() != want || report.Resumed == nil {
				t.Errorf("%s, %s: found %v, %v", tt.name, depth, report.Findings, err)
			}
		}
	}
}

// TestWhatWasKeptOfAnotherVerificationIsRefused offers what does not belong here.
func TestWhatWasKeptOfAnotherVerificationIsRefused(t *testing.T) {
	s, other, elsewhere := newSigner(t, "test.example/log"), newSigner(t, "test.example/log"), newSigner(t, "test.example/other")
	m := newMemory(t, s, resumeSize, 0)
	state := brokenOff(t, audit.Verification{Version: "1"}, m, s, audit.Chunk)
	sealed := func(old, new string) []byte {
		text, _, _ := bytes.Cut(state, []byte("\n"))
		if !bytes.Contains(text, []byte(old)) {
			t.Fatalf("%q is not in what was kept", old)
		}
		text = bytes.Replace(text, []byte(old), []byte(new), 1)
		sum := sha256.Sum256(text)
		return fmt.Appendf(nil, "%s\n%s\n", text, hex.EncodeToString(sum[:]))
	}
	for _, tt := range []struct {
		name   string
		signer *audit.Signer
		o      audit.Verification
		says   string
	}{
		{"another log", elsewhere, audit.Verification{Resume: state, Version: "1"}, `of the log "test.example/log", not of "test.example/other"`},
		{"another key", other, audit.Verification{Resume: state, Version: "1"}, "with the public key"},
		{"another depth", s, audit.Verification{Resume: state, Version: "1", Depth: audit.DepthShape}, "depth is deep, not shape"},
		{"another version", s, audit.Verification{Resume: state, Version: "2"}, `version "1"`},
		{"nothing", s, audit.Verification{Resume: []byte{}, Version: "1"}, "damaged or was edited"},
		{"cut short", s, audit.Verification{Resume: state[:len(state)/2], Version: "1"}, "damaged or was edited"},
		{"edited", s, audit.Verification{Resume: bytes.Replace(state, []byte(`"size":1000`), []byte(`"size":2000`), 1), Version: "1"}, "damaged or was edited"},
		{"edited and sealed: size", s, audit.Verification{Resume: sealed(`"size":1000`, `"size":2001`), Version: "1"}, "contradicts itself"},
		{"edited and sealed: beyond", s, audit.Verification{Resume: sealed(`"size":1000`, `"size":900000`), Version: "1"}, "contradicts itself"},
		{"edited and sealed: checkpoint", s, audit.Verification{Resume: sealed(`log\n3200\n`, `log\n3300\n`), Version: "1"}, "not signed by this log's key"},
		{"edited and sealed: format", s, audit.Verification{Resume: sealed(`"format":1`, `"format":2`), Version: "1"}, "another form"},
		{"edited and sealed: a state", s, audit.Verification{Resume: sealed(`{"seq":7,`, `{"seq":7000,`), Version: "1"}, "contradicts itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report, err := tt.o.Run(t.Context(), m, tt.signer.Verifier())
			if !errors.Is(err, audit.ErrNotResumable) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("report %+v, error %v; want it refused: …%s…", report, err, tt.says)
			}
		})
	}
	// An edge that is not the log's leads nowhere: it is noticed, and all is read.
	text := string(state)
	at := strings.Index(text, `"edge":["`) + len(`"edge":["`)
	letter := "A"
	if text[at:at+1] == letter {
		letter = "B"
	}
	forged := sealed(text[at:at+8], letter+text[at+1:at+8])
	report, err := audit.Verification{Resume: forged, Version: "1"}.Run(t.Context(), m, s.Verifier())
	if err != nil || report.Resumed != nil || len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Problem, "altered since") {
		t.Errorf("a forged edge: %+v, %v", report, err)
	}
}

// FuzzKept offers anything as what was kept: it is refused, or the log verifies as
// it does without.
func FuzzKept(f *testing.F) {
	s := newSigner(f, "test.example/log")
	var tree audit.Tree
	cp, err := s.Sign(&tree)
	if err != nil {
		f.Fatal(err)
	}
	empty := &memory{mu: &sync.Mutex{}, extent: audit.Extent{Note: cp.Note}}
	for _, text := range []string{`{}`, `{"format":1}`, `{"format":1,"size":-1,"edge":null}`, ``} {
		sum := sha256.Sum256([]byte(text))
		f.Add(fmt.Appendf(nil, "%s\n%s\n", text, hex.EncodeToString(sum[:])))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if b == nil {
			b = []byte{}
		}
		if _, err := (audit.Verification{Resume: b}).Run(t.Context(), empty, s.Verifier()); !errors.Is(err, audit.ErrNotResumable) {
			t.Errorf("%q was gone on with: %v", b, err)
		}
	})
}

func TestAReportSaysWhenTheRestWasVerified(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, resumeSize, 0)
	began := time.Now().Add(-time.Second)
	state := brokenOff(t, audit.Verification{}, m, s, audit.Chunk)
	report, err := audit.Verification{Resume: state}.Run(t.Context(), m, s.Verifier())
	if err != nil || report.Resumed.Began.Before(began) || report.Resumed.At.After(time.Now()) {
		t.Errorf("%+v, %v", report.Resumed, err)
	}
}
