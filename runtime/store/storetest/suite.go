package storetest

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// suite is a store under test, and what it should hold.
type suite struct {
	open  Open
	place string
	store control.Store

	tree    audit.Tree
	last    time.Time
	records []audit.Record
}

// began is the time before the first entry.
var began = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// reopen closes the store, if it is open, and opens it.
func (s *suite) reopen(t *testing.T) {
	t.Helper()
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	store, err := s.open(t, s.place)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	s.store = store
	t.Cleanup(func() {
		if s.store == store {
			store.Close()
		}
	})
}

// draft is an entry with the After of its body; "" is none.
type draft struct {
	entry audit.Entry
	after string
}

// change is an apply to a resource by olivia.
func change(resource, after string) draft {
	return draft{audit.Entry{Type: audit.TypeApply, Resource: resource, Op: "update", Actor: audit.Actor{Name: "olivia"}}, after}
}

// appendix seals drafts as the next entries of the log: a second apart, with
// the hashes and states that follow from them.
func (s *suite) appendix(t *testing.T, drafts ...draft) control.Appendix {
	t.Helper()
	var a control.Appendix
	tree, last := s.tree, s.last
	if last.IsZero() {
		last = began
	}
	for _, d := range drafts {
		e := d.entry
		last = last.Add(time.Second)
		e.Seq, e.Time = tree.Size(), last
		if e.Outcome == "" {
			e.Outcome = audit.OutcomeOK
		}
		var after jsontext.Value
		if d.after != "" {
			after = jsontext.Value(d.after)
		}
		r, err := audit.NewRecord(e, audit.Body{After: after}, bytes.Repeat([]byte{byte(e.Seq)}, audit.SaltBytes))
		if err != nil {
			t.Fatal(err)
		}
		a.Records = append(a.Records, r)
		a.Hashes = append(a.Hashes, tree.Append(r.LeafHash())...)
		if r.Entry.ChangesState() {
			a.States = append(a.States, audit.Current{Resource: e.Resource, Seq: e.Seq, State: after})
		}
	}
	return a
}

// begin starts a transaction.
func (s *suite) begin(t *testing.T) control.Tx {
	t.Helper()
	tx, err := s.store.Begin(t.Context())
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	t.Cleanup(tx.Rollback)
	return tx
}

// noteOf is what stands for a checkpoint of a size: a store does not read it.
func noteOf(size int64) []byte { return fmt.Appendf(nil, "checkpoint of %d", size) }

// finish appends and commits, and remembers what the store should hold.
func (s *suite) finish(t *testing.T, tx control.Tx, a control.Appendix) {
	t.Helper()
	if err := tx.Append(t.Context(), a); err != nil {
		t.Fatalf("append: %v", err)
	}
	size := s.tree.Size() + int64(len(a.Records))
	if err := tx.Commit(t.Context(), size, noteOf(size)); err != nil {
		t.Fatalf("commit: %v", err)
	}
	for _, r := range a.Records {
		s.tree.Append(r.LeafHash())
		s.last = r.Entry.Time
	}
	s.records = append(s.records, a.Records...)
}

// write commits drafts in one transaction.
func (s *suite) write(t *testing.T, drafts ...draft) {
	t.Helper()
	s.finish(t, s.begin(t), s.appendix(t, drafts...))
}

// holds compares everything that the store has with what it should have.
func (s *suite) holds(t *testing.T) {
	t.Helper()
	x := get(s.store.Extent(t.Context()))(t)
	size := int64(len(s.records))
	if x.Size != size || x.Last != size-1 || x.First != 0 || (size > 0 && !bytes.Equal(x.Note, noteOf(size))) {
		t.Errorf("extent %+v; want %d entries under %q", x, size, noteOf(size))
	}
	rows := get(s.store.Rows(t.Context(), 0, len(s.records)+10))(t)
	if len(rows) != len(s.records) {
		t.Fatalf("%d rows, want %d", len(rows), len(s.records))
	}
	for i, row := range rows {
		sameRow(t, row, s.records[i])
	}
	tree := get(audit.LoadTree(size, audit.HashReader(t.Context(), s.store)))(t)
	if tree.Root() != s.tree.Root() {
		t.Error("the stored tree has another root")
	}
}

func sameRow(t *testing.T, row audit.Row, want audit.Record) {
	t.Helper()
	if row.Seq != want.Entry.Seq || !bytes.Equal(row.Leaf, want.Leaf) || !bytes.Equal(row.Salt, want.Salt) || !bytes.Equal(row.Body, want.Body) {
		t.Errorf("entry %d is not stored as it was: %+v", want.Entry.Seq, row)
	}
	if columns := audit.ColumnsOf(&want.Entry); row.Columns != columns {
		t.Errorf("entry %d has columns %+v, want %+v", want.Entry.Seq, row.Columns, columns)
	}
}

// get unwraps a value that must come without an error.
func get[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// seqs are the seqs of rows.
func seqs(rows []audit.Row) []int64 {
	out := make([]int64, len(rows))
	for i, row := range rows {
		out[i] = row.Seq
	}
	return out
}
