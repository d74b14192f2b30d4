package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// damages are ways to alter a stored log at an entry.
var damages = []struct {
	name string
	// unseen is set where a verification of shape does not look.
	unseen bool
	do     func(m *memory, i int)
}{
	{"leaf", false, func(m *memory, i int) {
		m.rows[i].Leaf = bytes.Replace(m.rows[i].Leaf, []byte("olivia"), []byte("oliver"), 1)
	}},
	{"leaf and its hash", false, func(m *memory, i int) {
		m.rows[i].Leaf = bytes.Replace(m.rows[i].Leaf, []byte("olivia"), []byte("oliver"), 1)
		m.hashes[hashAt(m, tlog.StoredHashIndex(0, m.rows[i].Seq))].Hash = tlog.RecordHash(m.rows[i].Leaf)
	}},
	{"leaf that is no header", false, func(m *memory, i int) { m.rows[i].Leaf = []byte("noise") }},
	{"leaf of the next entry", false, func(m *memory, i int) { m.rows[i].Leaf = m.rows[(i+1)%len(m.rows)].Leaf }},
	{"row gone", false, func(m *memory, i int) { m.rows = slices.Delete(m.rows, i, i+1) }},
	{"hash", false, func(m *memory, i int) {
		m.hashes[hashAt(m, tlog.StoredHashIndex(0, m.rows[i].Seq))].Hash = tlog.Hash{}
	}},
	{"hash gone", false, func(m *memory, i int) {
		at := hashAt(m, tlog.StoredHashIndex(0, m.rows[i].Seq))
		m.hashes = slices.Delete(m.hashes, at, at+1)
	}},
	{"hash above", false, func(m *memory, i int) {
		for level := 10; level >= 0; level-- {
			if at := hashAt(m, tlog.StoredHashIndex(level, m.rows[i].Seq>>level)); at >= 0 {
				m.hashes[at].Hash[3] ^= 1
				return
			}
		}
	}},
	{"time column", true, func(m *memory, i int) { m.rows[i].Columns.TimeMicros++ }},
	{"type column", true, func(m *memory, i int) { m.rows[i].Columns.Type = "" }},
	{"outcome column", true, func(m *memory, i int) { m.rows[i].Columns.Refused = true }},
	{"actor column", true, func(m *memory, i int) { m.rows[i].Columns.Actor = "mallory" }},
	{"ticket column", true, func(m *memory, i int) { m.rows[i].Columns.Ticket = "CHG-666" }},
	{"run column", true, func(m *memory, i int) { m.rows[i].Columns.Run = "run-666" }},
	{"resource column", true, func(m *memory, i int) { m.rows[i].Columns.Resource = "pool/other" }},
	{"effect column", true, func(m *memory, i int) { m.rows[i].Columns.Effect = "other" }},
	{"body", true, func(m *memory, i int) { m.rows[i].Body = []byte(`{"after":{"n":-1}}`) }},
	{"body that is none", true, func(m *memory, i int) { m.rows[i].Body = []byte("noise") }},
	{"no body", true, func(m *memory, i int) { m.rows[i].Body = nil }},
	{"salt", true, func(m *memory, i int) { m.rows[i].Salt = make([]byte, audit.SaltBytes) }},
	{"a byte moved from salt to body", true, func(m *memory, i int) {
		salt := m.rows[i].Salt
		if len(salt) == audit.SaltBytes {
			m.rows[i].Salt, m.rows[i].Body = salt[:15], append([]byte{salt[15]}, m.rows[i].Body...)
		}
	}},
	{"short salt", true, func(m *memory, i int) { m.rows[i].Salt = m.rows[i].Salt[:3] }},
	{"current state", true, func(m *memory, i int) {
		m.current[fmt.Sprintf("pool/p%d", i%1200)] = audit.Current{Resource: fmt.Sprintf("pool/p%d", i%1200), Seq: m.rows[i].Seq, State: []byte("{}")}
	}},
	{"current state gone", true, func(m *memory, i int) { delete(m.current, fmt.Sprintf("pool/p%d", i%1200)) }},
}

// hashAt is where a hash of the tree is in a log's hashes, or -1.
func hashAt(m *memory, index int64) int {
	i, ok := slices.BinarySearchFunc(m.hashes, index, func(h audit.StoredHash, index int64) int { return int(h.Index - index) })
	if !ok {
		return -1
	}
	return i
}

// TestEachDepthFindsWhatItSaysItChecks does one damage at a time.
func TestEachDepthFindsWhatItSaysItChecks(t *testing.T) {
	s := newSigner(t, "test.example/log")
	whole := newMemory(t, s, 1500, 0)
	for _, damage := range damages {
		m := newMemoryOf(whole)
		damage.do(m, 1234)
		for _, depth := range audit.Depths {
			report, err := audit.Verification{Depth: depth}.Run(t.Context(), m, s.Verifier())
			if err != nil {
				t.Fatal(err)
			}
			if unseen := depth == audit.DepthShape && damage.unseen; report.OK() != unseen {
				t.Errorf("%s, to depth %s: findings %v", damage.name, depth, report.Findings)
			}
			if report.Depth != depth || report.Checked != depth.Checks() || (report.NotChecked == "") != (depth == audit.DepthDeep) {
				t.Errorf("depth %s: the report says %q, checked %q, not checked %q", depth, report.Depth, report.Checked, report.NotChecked)
			}
		}
	}
}

// oddMemory makes a log whose key signed what it should not have signed.
func oddMemory(t *testing.T, s *audit.Signer, size int64) *memory {
	t.Helper()
	return makeMemory(t, s, size, 0, func(r *audit.Record) {
		switch r.Entry.Seq {
		case 5, 1700:
			r.Leaf = append(r.Leaf, ' ')
		case 700, 2 * audit.Chunk: // the latter is the only one of its chunk
			r.Leaf = bytes.Replace(r.Leaf, []byte(`"time":"2026`), []byte(`"time":"2025`), 1)
		case 1200:
			r.Leaf = bytes.Replace(r.Leaf, []byte(`"seq":1200`), []byte(`"seq":1201`), 1)
		case 1300:
			r.Leaf = bytes.Replace(r.Leaf, []byte(`olivia`), []byte(`oliv\"a`), 1)
		}
	})
}

// TestHoweverManyJobsTheFindingsAreTheSame damages logs at random, and compares
// with a walk that does nothing fast and nothing at once.
func TestHoweverManyJobsTheFindingsAreTheSame(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const size = 2*audit.Chunk + 300
	logs := []*memory{newMemory(t, s, size, 0), oddMemory(t, s, size)}
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		m := newMemoryOf(logs[seed%2])
		var done []string
		for range random.IntN(5) {
			damage, i := damages[random.IntN(len(damages))], random.IntN(len(m.rows))
			if hashAt(m, tlog.StoredHashIndex(0, m.rows[i].Seq)) < 0 {
				continue
			}
			damage.do(m, i)
			done = append(done, fmt.Sprintf("%s of %d", damage.name, i))
		}
		for _, depth := range audit.Depths {
			want, err := audit.VerifySlowly(t.Context(), m, s.Verifier(), depth)
			if err != nil {
				t.Fatal(err)
			}
			jobs := 1 + random.IntN(4)
			got, err := audit.Verification{Depth: depth, Jobs: jobs}.Run(t.Context(), m, s.Verifier())
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d, depth %s, %v: %d jobs find\n%v (%v), a slow walk\n%v", seed, depth, done, jobs, got.Findings, err, want.Findings)
			}
		}
	}
}

// TestWhatIsSaltStaysSalt moves a byte from the salt of a plan to its body, which
// together have the digest that they had.
func TestWhatIsSaltStaysSalt(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := makeMemory(t, s, 3, 0, func(r *audit.Record) {
		if r.Entry.Seq == 1 {
			r.Entry.Type = audit.TypePlan
			*r = record(t, r.Entry, audit.Body{})
		}
	})
	delete(m.current, "pool/p1")
	row := &m.rows[1]
	row.Salt, row.Body = row.Salt[:15], append([]byte{row.Salt[15]}, row.Body...)
	report, err := audit.Verify(t.Context(), m, s.Verifier(), nil)
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Seq != 1 || !strings.Contains(report.Findings[0].Problem, "the body is not the one") {
		t.Errorf("found %v, %v", report.Findings, err)
	}
}

// TestWithoutATreeTheEntriesAreStillChecked damages what comes after a hash that is
// missing, from where on the tree can't be rebuilt.
func TestWithoutATreeTheEntriesAreStillChecked(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, 3*audit.Chunk, 0)
	m.hashes = slices.Delete(m.hashes, 0, 1)
	m.rows[2*audit.Chunk+5].Columns.Actor = "mallory"
	m.rows = slices.Delete(m.rows, 2*audit.Chunk-1, 2*audit.Chunk) // the last of its chunk
	want, err := audit.VerifySlowly(t.Context(), m, s.Verifier(), audit.DepthDeep)
	if err != nil || len(want.Findings) < 3 {
		t.Fatalf("a slow walk finds %v, %v", want.Findings, err)
	}
	got, err := audit.Verify(t.Context(), m, s.Verifier(), nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("found %v (%v), a slow walk %v", got.Findings, err, want.Findings)
	}
}

// TestAVerificationThatIsCancelledEnds cancels while chunks are being read, and one
// that waits for a reader that never comes back by itself.
func TestAVerificationThatIsCancelledEnds(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, 4*audit.Chunk, 0)
	for _, jobs := range []int{1, 3} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := audit.Verification{Jobs: jobs}.Run(ctx, stuck{m, cancel}, s.Verifier())
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%d jobs: %v", jobs, err)
		}
	}
}

// stuck is a log whose second chunk is not read before the context is done.
type stuck struct {
	*memory
	cancel func()
}

func (s stuck) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	if from == audit.Chunk {
		s.cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	return s.memory.Scan(ctx, from, to, visit)
}

// TestNoMoreIsReadThanJobsCanHold looks how far reading is ahead once it goes no
// further, while what was read is not taken over.
func TestNoMoreIsReadThanJobsCanHold(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, 30*audit.Chunk, 0)
	synctest.Test(t, func(t *testing.T) {
		var furthest atomic.Int64
		m.scanned = func(from int64) {
			for at := furthest.Load(); from > at && !furthest.CompareAndSwap(at, from); at = furthest.Load() {
			}
		}
		const jobs = 2
		ctx, cancel := context.WithCancel(t.Context())
		_, err := audit.Verification{Jobs: jobs, Progress: func(done, _ int64) {
			synctest.Wait()
			// What waits to be taken over, and the one that is about to.
			if ahead := furthest.Load() - done; ahead <= 0 || ahead > 2*jobs*audit.Chunk {
				t.Errorf("%d entries are done, and those up to %d were read", done, furthest.Load())
			}
			if done == 5*audit.Chunk {
				cancel()
			}
		}}.Run(ctx, m, s.Verifier())
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// growing is a log that grows by itself while it is read.
type growing struct {
	*memory
	mu    sync.Mutex // guards what follows, and memory
	later *memory
}

func (g *growing) now() *memory {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.memory
}

func (g *growing) Extent(ctx context.Context) (audit.Extent, error) { return g.now().Extent(ctx) }

func (g *growing) ScanLeaves(ctx context.Context, from, to int64, visit func([]byte) error) error {
	return g.Scan(ctx, from, to, func(row *audit.Row) error { return visit(row.Leaf) })
}

func (g *growing) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	m := g.now()
	if from >= audit.Chunk {
		g.mu.Lock()
		g.memory = g.later
		g.mu.Unlock()
	}
	return m.Scan(ctx, from, to, visit)
}

func (g *growing) Currents(ctx context.Context, after string, limit int) ([]audit.Current, error) {
	return g.now().Currents(ctx, after, limit)
}

func (g *growing) Hashes(ctx context.Context, from, to int64) ([]audit.StoredHash, error) {
	return g.now().Hashes(ctx, from, to)
}

func (g *growing) HashBlock(ctx context.Context, from, to int64) ([]byte, error) {
	return g.now().HashBlock(ctx, from, to)
}

func (g *growing) HashesAt(ctx context.Context, indexes []int64) ([]audit.StoredHash, error) {
	return g.now().HashesAt(ctx, indexes)
}

func TestALogThatGrowsMeanwhileVerifies(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const before, after = 2*audit.Chunk + 100, 3*audit.Chunk + 50
	for depth, size := range map[audit.Depth]int64{audit.DepthShape: before, audit.DepthDeep: after} {
		g := &growing{memory: newMemory(t, s, before, 0), later: newMemory(t, s, after, 0)}
		report, err := audit.Verification{Depth: depth, Jobs: 3}.Run(t.Context(), g, s.Verifier())
		if err != nil || !report.OK() || report.Size != size {
			t.Errorf("depth %s: %d entries (want %d), %v, %v", depth, report.Size, size, report.Findings, err)
		}
	}
}
