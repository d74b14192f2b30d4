package storetest

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

func (s *suite) empty(t *testing.T) {
	ctx := t.Context()
	if x := get(s.store.Extent(ctx))(t); x.Size != 0 || len(x.Note) != 0 || len(x.Verified) != 0 || x.Entries != 0 || x.Hashes != 0 || x.Last != -1 {
		t.Errorf("extent %+v", x)
	}
	if row := get(s.store.Entry(ctx, 0))(t); row != nil {
		t.Errorf("entry 0: %+v", row)
	}
	if c := get(s.store.Current(ctx, "pool/web"))(t); c != nil {
		t.Errorf("state: %+v", c)
	}
	if secret := get(s.store.Secret(ctx, "x"))(t); secret != nil {
		t.Errorf("secret: %q", secret)
	}
	if rows := get(s.store.Entries(ctx, control.Query{Limit: 10, Since: began, Until: began}))(t); len(rows) != 0 {
		t.Errorf("entries: %+v", rows)
	}
	tx := s.begin(t)
	if size, note, err := tx.Head(ctx); size != 0 || len(note) != 0 || err != nil {
		t.Errorf("head: %d %q %v", size, note, err)
	}
}

func (s *suite) commit(t *testing.T) {
	s.write(t, change("pool/old", `{"n":1}`))
	a := s.appendix(t, change("pool/old", `{"n":2}`), change("pool/new", `{"n":1}`))
	a.Secrets = []control.Secret{{ID: "key", Sealed: []byte("sealed")}}
	a.Answered = []control.Answered{{Key: "k", Digest: "d", Seq: 1, At: began}}
	tx := s.begin(t)
	if err := tx.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	// Nobody else sees it yet.
	s.holds(t)
	if c := get(s.store.Current(t.Context(), "pool/old"))(t); string(c.State) != `{"n":1}` {
		t.Errorf("state before the commit: %s", c.State)
	}
	if c := get(s.store.Current(t.Context(), "pool/new"))(t); c != nil {
		t.Errorf("new state before the commit: %+v", c)
	}
	if secret := get(s.store.Secret(t.Context(), "key"))(t); secret != nil {
		t.Error("the secret is there before the commit")
	}
	tx.Rollback()
	s.finish(t, s.begin(t), a)
	s.holds(t)
	if c := get(s.store.Current(t.Context(), "pool/old"))(t); c.Seq != 1 || string(c.State) != `{"n":2}` {
		t.Errorf("state after the commit: %+v", c)
	}
	if secret := get(s.store.Secret(t.Context(), "key"))(t); string(secret) != "sealed" {
		t.Errorf("secret after the commit: %q", secret)
	}
	if size, note, err := s.begin(t).Head(t.Context()); size != 3 || !bytes.Equal(note, noteOf(3)) || err != nil {
		t.Errorf("head: %d %q %v", size, note, err)
	}
}

func (s *suite) ownWrites(t *testing.T) {
	ctx := t.Context()
	plan := draft{audit.Entry{Type: audit.TypePlan, Resource: "pool/web", EffectDigest: "effect", Run: &audit.RunRef{ID: "run-1"}}, ""}
	a := s.appendix(t, change("pool/web", `{"n":1}`), plan)
	a.Answered = []control.Answered{{Key: "k", Digest: "d", Seq: 0, At: began}}
	tx := s.begin(t)
	if err := tx.Append(ctx, a); err != nil {
		t.Fatal(err)
	}
	if c := get(tx.State(ctx, "pool/web"))(t); c == nil || string(c.State) != `{"n":1}` {
		t.Errorf("state: %+v", c)
	}
	if row := get(tx.Entry(ctx, 0))(t); row == nil {
		t.Error("the entry is not there")
	} else {
		sameRow(t, *row, a.Records[0])
	}
	if row := get(tx.Entry(ctx, 2))(t); row != nil {
		t.Errorf("entry 2: %+v", row)
	}
	if before := get(tx.Answered(ctx, "k"))(t); before == nil || before.Digest != "d" {
		t.Errorf("key: %+v", before)
	}
	if seq, ok, err := tx.PlanOf(ctx, "effect", "run-1"); seq != 1 || !ok || err != nil {
		t.Errorf("plan: %d %t %v", seq, ok, err)
	}
}

func (s *suite) rollback(t *testing.T) {
	s.write(t, change("pool/web", `{"n":1}`))
	a := s.appendix(t, change("pool/web", ""), change("pool/api", `{"n":1}`))
	a.Secrets = []control.Secret{{ID: "key", Sealed: []byte("sealed")}}
	a.Answered = []control.Answered{{Key: "k", Digest: "d", Seq: 1, At: began}}
	tx := s.begin(t)
	if err := tx.Append(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	tx.Rollback() // again does no harm
	s.holds(t)
	if c := get(s.store.Current(t.Context(), "pool/web"))(t); string(c.State) != `{"n":1}` {
		t.Errorf("state: %+v", c)
	}
	tx = s.begin(t)
	if before := get(tx.Answered(t.Context(), "k"))(t); before != nil {
		t.Errorf("key: %+v", before)
	}
	s.finish(t, tx, s.appendix(t, change("pool/api", `{"n":2}`), change("pool/other", `{"n":1}`)))
	tx.Rollback() // after a commit it does nothing
	s.holds(t)
}

func (s *suite) writtenOnce(t *testing.T) {
	s.write(t, change("pool/web", `{"n":1}`))
	tx := s.begin(t)
	other := *s
	other.tree, other.records = audit.Tree{}, nil
	if err := tx.Append(t.Context(), other.appendix(t, change("pool/web", `{"n":2}`))); err == nil {
		t.Error("a second entry 0 was appended")
	}
	tx.Rollback()
	s.holds(t)
	s.write(t, change("pool/web", `{"n":3}`))
	s.holds(t)
}

func (s *suite) sizes(t *testing.T) {
	large := `"` + strings.Repeat("x", audit.MaxBodyBytes-100) + `"`
	long := change("pool/web", large)
	long.entry.Actor.Name = strings.Repeat("ü", 20_000)
	s.write(t, change("pool/empty", `{}`), long, change("pool/text", `"é 日本 \u0000 '--"`))
	s.holds(t)
	if c := get(s.store.Current(t.Context(), "pool/web"))(t); string(c.State) != large {
		t.Errorf("state of %d bytes, want %d", len(c.State), len(large))
	}
}

func (s *suite) ranges(t *testing.T) {
	var drafts []draft
	for range 13 {
		drafts = append(drafts, change("pool/web", `{}`))
	}
	s.write(t, drafts...)
	if rows := get(s.store.Rows(t.Context(), 4, 3))(t); len(rows) != 3 || rows[0].Seq != 4 || rows[2].Seq != 6 {
		t.Errorf("rows from 4: %v", seqs(rows))
	}
	if rows := get(s.store.Rows(t.Context(), 12, 10))(t); len(rows) != 1 {
		t.Errorf("rows from 12: %v", seqs(rows))
	}
	all := get(s.store.Hashes(t.Context(), 0, 1000))(t)
	if int64(len(all)) != tlog.StoredHashCount(13) {
		t.Fatalf("%d hashes, want %d", len(all), tlog.StoredHashCount(13))
	}
	some := get(s.store.Hashes(t.Context(), 5, 9))(t)
	if len(some) != 4 || some[0] != all[5] || some[3] != all[8] {
		t.Errorf("hashes in [5, 9): %v", some)
	}
	if x := get(s.store.Extent(t.Context()))(t); x.Hashes != tlog.StoredHashCount(13) || x.Entries == 0 {
		t.Errorf("extent %+v", x)
	}
}
