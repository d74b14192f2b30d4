package audit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// memory is a stored log that tests damage. It implements audit.Source.
type memory struct {
	extent  audit.Extent
	rows    []audit.Row
	hashes  []audit.StoredHash
	current map[string]audit.Current
	// scanned, if not nil, is told where each chunk that is read begins.
	scanned func(from int64)
	mu      *sync.Mutex // guards countdown
	// fails is returned by every read once it has counted down.
	fails     error
	countdown int
}

func (m *memory) fail() error {
	if m.fails == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.countdown--; m.countdown >= 0 {
		return nil
	}
	return m.fails
}

func (m *memory) Extent(context.Context) (audit.Extent, error) {
	x := m.extent
	x.Last, x.Hashes = -1, 0
	if len(m.rows) > 0 {
		x.Entries, x.First, x.Last = 1, m.rows[0].Seq, m.rows[len(m.rows)-1].Seq
	}
	if len(m.hashes) > 0 {
		x.Hashes = m.hashes[len(m.hashes)-1].Index + 1
	}
	return x, m.fail()
}

func (m *memory) RowsOf(_ context.Context, resource string, from int64, limit int) (out []audit.Row, err error) {
	for _, row := range m.rows {
		if row.Columns.Resource == resource && row.Seq >= from && len(out) < limit {
			out = append(out, row)
		}
	}
	return out, nil
}

func (m *memory) Rows(_ context.Context, from int64, limit int) ([]audit.Row, error) {
	i, _ := slices.BinarySearchFunc(m.rows, from, func(r audit.Row, seq int64) int { return int(r.Seq - seq) })
	return m.rows[i:min(i+limit, len(m.rows))], m.fail()
}

func (m *memory) ScanLeaves(ctx context.Context, from, to int64, visit func([]byte) error) error {
	return m.Scan(ctx, from, to, func(row *audit.Row) error { return visit(row.Leaf) })
}

func (m *memory) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	if m.fails == nil && m.scanned != nil {
		m.scanned(from)
	}
	if err := m.fail(); err != nil {
		return err
	}
	rows, _ := slices.BinarySearchFunc(m.rows, from, func(r audit.Row, seq int64) int { return int(r.Seq - seq) })
	for _, row := range m.rows[rows:] {
		if row.Seq >= to {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(&row); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) HashBlock(ctx context.Context, from, to int64) (block []byte, err error) {
	hashes, err := m.Hashes(ctx, from, to)
	for _, h := range hashes {
		block = append(block, h.Hash[:]...)
	}
	if int64(len(hashes)) != to-from {
		block = nil
	}
	return block, err
}

func (m *memory) HashesAt(ctx context.Context, indexes []int64) (out []audit.StoredHash, err error) {
	for _, index := range indexes {
		hashes, _ := m.Hashes(ctx, index, index+1)
		out = append(out, hashes...)
	}
	return out, m.fail()
}

func (m *memory) Hashes(_ context.Context, from, to int64) (out []audit.StoredHash, err error) {
	i, _ := slices.BinarySearchFunc(m.hashes, from, func(h audit.StoredHash, index int64) int { return int(h.Index - index) })
	for _, h := range m.hashes[i:] {
		if h.Index >= to {
			break
		}
		out = append(out, h)
	}
	return out, m.fail()
}

func (m *memory) Currents(_ context.Context, after string, limit int) (out []audit.Current, err error) {
	for _, c := range m.current {
		if c.Resource > after {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b audit.Current) int { return strings.Compare(a.Resource, b.Resource) })
	return out[:min(limit, len(out))], m.fail()
}

func (m *memory) Current(_ context.Context, resource string) (*audit.Current, error) {
	c, ok := m.current[resource]
	if !ok {
		return nil, m.fail()
	}
	return &c, m.fail()
}

// newMemory makes a log of so many entries, verified up to a size.
func newMemory(t *testing.T, s *audit.Signer, size, verified int64) *memory {
	t.Helper()
	return makeMemory(t, s, size, verified, func(*audit.Record) {})
}

// makeMemory is newMemory with records that are changed before they are signed.
func makeMemory(t *testing.T, s *audit.Signer, size, verified int64, change func(*audit.Record)) *memory {
	t.Helper()
	m := &memory{mu: &sync.Mutex{}, current: map[string]audit.Current{}}
	var tree audit.Tree
	for seq := range size {
		e := audit.Entry{
			Seq: seq, Time: moment.Add(time.Duration(seq) * time.Second), Type: audit.TypeApply, Outcome: audit.OutcomeOK,
			Actor: audit.Actor{Name: "olivia"}, Resource: fmt.Sprintf("pool/p%d", seq%1200),
		}
		r := record(t, e, audit.Body{After: fmt.Appendf(nil, `{"n":%d}`, seq)})
		change(&r)
		m.rows = append(m.rows, audit.Row{Seq: seq, Leaf: r.Leaf, Salt: r.Salt, Body: r.Body, Columns: audit.ColumnsOf(&r.Entry)})
		m.hashes = append(m.hashes, tree.Append(r.LeafHash())...)
		m.current[e.Resource] = audit.Current{Resource: e.Resource, Seq: seq, State: fmt.Appendf(nil, `{"n":%d}`, seq)}
		if seq+1 == verified {
			m.extent.Verified = sign(t, s, &tree).Note
		}
	}
	m.extent.Size, m.extent.Note = size, sign(t, s, &tree).Note
	return m
}

func sign(t *testing.T, s *audit.Signer, tree *audit.Tree) audit.Checkpoint {
	t.Helper()
	c, err := s.Sign(tree)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDamageIsFoundAtEverySeamOfTheWalk damages entries around the bounds of
// the chunks that a verification reads.
func TestDamageIsFoundAtEverySeamOfTheWalk(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const size = 1300
	whole := newMemory(t, s, size, 0)
	if report, err := audit.Verify(t.Context(), whole, s.Verifier(), nil); err != nil || !report.OK() || report.Size != size {
		t.Fatalf("an untouched log: %+v, %v", report, err)
	}
	for _, seq := range []int64{0, 1, audit.Chunk - 1, audit.Chunk, audit.Chunk + 1, size - 1} {
		for name, damage := range map[string]func(m *memory){
			"leaf": func(m *memory) {
				m.rows[seq].Leaf = []byte(strings.Replace(string(m.rows[seq].Leaf), "olivia", "oliver", 1))
			},
			"body": func(m *memory) { m.rows[seq].Body = []byte(`{}`) },
			"row gone": func(m *memory) {
				m.rows = slices.Delete(m.rows, int(seq), int(seq)+1)
			},
			"hash": func(m *memory) { m.hashes[tlog.StoredHashIndex(0, seq)].Hash = tlog.Hash{} },
		} {
			m := newMemoryOf(whole)
			damage(m)
			report, err := audit.Verify(t.Context(), m, s.Verifier(), nil)
			if err != nil || len(report.Findings) == 0 || report.Findings[0].Seq != seq {
				t.Errorf("%s of entry %d: %v %v", name, seq, report.Findings, err)
			}
		}
	}
}

func newMemoryOf(m *memory) *memory {
	c := *m
	c.rows, c.hashes, c.current = slices.Clone(m.rows), slices.Clone(m.hashes), maps.Clone(m.current)
	return &c
}

// TestAStartReadsTheTailOnly damages both sides of what was verified before.
func TestAStartReadsTheTailOnly(t *testing.T) {
	s := newSigner(t, "test.example/log")
	const size, verified = 1300, 1234
	whole := newMemory(t, s, size, verified)
	for seq, found := range map[int64]bool{0: false, verified - 1: false, verified: true, size - 1: true} {
		m := newMemoryOf(whole)
		m.rows[seq].Body = []byte(`{}`)
		report, err := audit.VerifyTail(t.Context(), m, s.Verifier())
		if err != nil || report.OK() == found {
			t.Errorf("entry %d damaged: %v %v; want it found: %t", seq, report.Findings, err, found)
		}
	}
}

// TestALogThatCanNotBeReadIsNoMismatch fails every read in turn.
func TestALogThatCanNotBeReadIsNoMismatch(t *testing.T) {
	s := newSigner(t, "test.example/log")
	lost := errors.New("the disk is gone")
	for _, verify := range []func(m *memory) (audit.Report, error){
		func(m *memory) (audit.Report, error) { return audit.Verify(t.Context(), m, s.Verifier(), nil) },
		func(m *memory) (audit.Report, error) { return audit.VerifyTail(t.Context(), m, s.Verifier()) },
	} {
		failures := 0
		for countdown := 0; ; countdown++ {
			m := newMemory(t, s, 20, 10)
			m.fails, m.countdown = lost, countdown
			report, err := verify(m)
			if err == nil {
				if !report.OK() {
					t.Errorf("after %d reads: %v", countdown, report.Findings)
				}
				break
			}
			failures++
			if !errors.Is(err, lost) || len(report.Findings) != 0 {
				t.Errorf("read %d failed: %v with findings %v", countdown, err, report.Findings)
			}
		}
		if failures < 3 {
			t.Errorf("only %d reads were made to fail", failures)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	s := newSigner(t, "test.example/log")
	m := newMemory(t, s, 500, 0)
	for i := range m.rows {
		m.rows[i].Salt = nil
	}
	report, err := audit.Verify(t.Context(), m, s.Verifier(), nil)
	if err != nil || len(report.Findings) != audit.MaxFindings || report.Findings[0].Seq != 0 {
		t.Errorf("%d findings, %v", len(report.Findings), err)
	}
}

func TestProgressGoesToTheEnd(t *testing.T) {
	s := newSigner(t, "test.example/log")
	var told []int64
	_, err := audit.Verify(t.Context(), newMemory(t, s, 2500, 0), s.Verifier(), func(done, total int64) {
		if total != 2500 {
			t.Errorf("total %d", total)
		}
		told = append(told, done)
	})
	if err != nil || !slices.Equal(told, []int64{1000, 2000, 2500}) {
		t.Errorf("told %v, %v", told, err)
	}
}
