package storetest

import (
	"bytes"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

func (s *suite) erases(t *testing.T) {
	ctx := t.Context()
	s.write(t, change("pool/web", `{"n":1}`), change("pool/web", `{"n":2}`), change("pool/api", ""))
	says := draft{audit.Entry{Type: audit.TypeSystem, Resource: audit.ResourceBodies, Op: audit.OpErase}, `{}`}
	a := s.appendix(t, says)
	a.Erase = []int64{0}
	s.finish(t, s.begin(t), a)
	row := get(s.store.Entry(ctx, 0))(t)
	if !row.BodyErased() || row.Body != nil || !bytes.Equal(row.Leaf, s.records[0].Leaf) || row.Columns != audit.ColumnsOf(&s.records[0].Entry) {
		t.Errorf("after its body was erased the entry is %+v", row)
	}
	s.records[0].Salt, s.records[0].Body = nil, nil
	s.holds(t)

	for name, seq := range map[string]int64{
		"what a current state is made of": 1, "what a deleted state is made of": 2, "what is erased already": 0, "an entry that is not there": 99,
	} {
		a := s.appendix(t, says, change("pool/new", `{}`))
		a.Erase = []int64{seq}
		tx := s.begin(t)
		if err := tx.Append(ctx, a); err == nil {
			t.Errorf("%s was erased", name)
		}
		tx.Rollback()
	}
	s.holds(t)

	// What is replaced in the same transaction may go with it.
	a = s.appendix(t, change("pool/web", `{"n":3}`), says)
	a.Erase = []int64{1}
	s.finish(t, s.begin(t), a)
	s.records[1].Salt, s.records[1].Body = nil, nil
	s.holds(t)
}

func (s *suite) ofResource(t *testing.T) {
	s.write(t, change("pool/web", `{}`), change("pool/api", `{}`), change("pool/web", `{}`), change("pool/web", ""))
	for _, tt := range []struct {
		resource string
		from     int64
		limit    int
		want     []int64
	}{
		{"pool/web", 0, 10, []int64{0, 2, 3}}, {"pool/web", 1, 1, []int64{2}}, {"pool/web", 4, 10, nil}, {"pool/none", 0, 10, nil},
	} {
		rows := get(s.store.RowsOf(t.Context(), tt.resource, tt.from, tt.limit))(t)
		if got := seqs(rows); len(got) != len(tt.want) || len(got) > 0 && (got[0] != tt.want[0] || got[len(got)-1] != tt.want[len(got)-1]) {
			t.Errorf("%d entries of %s from %d: %v, want %v", tt.limit, tt.resource, tt.from, got, tt.want)
		}
	}
}
