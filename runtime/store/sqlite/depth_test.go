package sqlite_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
)

// onlyDeep are the edits of an entry that a verification of shape does not look for.
var onlyDeep = []string{
	"time column", "type column", "type column beyond the known", "outcome column", "actor column", "ticket column", "run column", "workspace column", "owner column",
	"changeset that does not exist", "resource column", "body", "empty body", "salt",
}

// TestWhatShapeFindsAndWhatOnlyDeepDoes makes every edit of an entry, and some of
// what lies around: a verification of shape names the same entry, or finds nothing.
func TestWhatShapeFindsAndWhatOnlyDeepDoes(t *testing.T) {
	x := newSpecimen(t)
	check := func(name string, edits []statement, seq int64, problem string, deepOnly bool) {
		t.Run(name, func(t *testing.T) {
			dir := snapshot(t, x.dir)
			edit(t, dir, edits...)
			reader := openReader(t, dir)
			for _, depth := range audit.Depths {
				report, err := audit.Verification{Depth: depth, Jobs: 2}.Run(t.Context(), reader, controltest.Signer(t).Verifier())
				if err != nil {
					t.Fatal(err)
				}
				if depth == audit.DepthShape && deepOnly {
					if !report.OK() {
						t.Errorf("shape found %v; the table says it does not look there", report.Findings)
					}
					continue
				}
				found(t, string(depth), report.Findings, seq, problem)
			}
		})
	}
	for _, tt := range entryEdits {
		check(tt.name, tt.statements(x.old), x.old, tt.problem, slices.Contains(onlyDeep, tt.name))
	}
	check("tree hash", []statement{do("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(1, 1))}, 3, "tree hash over entries 2 to 3", false)
	check("two hashes, one too short and one too long", []statement{
		// Together they are the bytes that they were.
		do("UPDATE hash SET hash = CAST(hash || (SELECT substr(hash, 1, 1) FROM hash WHERE idx = 1) AS BLOB) WHERE idx = 0"),
		do("UPDATE hash SET hash = substr(hash, 2) WHERE idx = 1"),
	}, 0, "header or hash was altered", false)
	check("plan effect", []statement{do("UPDATE plan SET effect = 'other' WHERE seq = ?", x.old)}, x.old, "effect is other", true)
	check("current state", []statement{do("UPDATE current SET state = x'7b7d' WHERE seq = ?", x.loaded)}, x.loaded, "current state is not", true)
	check("last entries gone", []statement{do("DELETE FROM entry WHERE seq >= ?", x.size-2)}, x.size-2, "missing, and all after it", false)
	check("head", []statement{do("UPDATE head SET size = size + 1")}, notNamed, "the head says", false)
}

// TestAScanGivesWhatRowsGive compares the two ways to read entries, and that of
// reading hashes in a block with that of reading them one by one.
func TestAScanGivesWhatRowsGive(t *testing.T) {
	x := newSpecimen(t)
	reader := openReader(t, x.dir)
	want, err := reader.Rows(t.Context(), 3, int(x.size)-5)
	if err != nil {
		t.Fatal(err)
	}
	text := func(r *audit.Row) string {
		return fmt.Sprintf("%d %s %x %s %+v", r.Seq, r.Leaf, r.Salt, r.Body, r.Columns)
	}
	rows, leaves := want, want
	err = reader.Scan(t.Context(), 3, x.size-2, func(r *audit.Row) error {
		if text(r) != text(&rows[0]) {
			t.Errorf("scanned\n%s\nnot\n%s", text(r), text(&rows[0]))
		}
		rows = rows[1:]
		return nil
	})
	if err != nil || len(rows) > 0 {
		t.Errorf("%d rows left, %v", len(rows), err)
	}
	err = reader.ScanLeaves(t.Context(), 3, x.size-2, func(leaf []byte) error {
		if string(leaf) != string(leaves[0].Leaf) {
			t.Errorf("scanned\n%s\nnot\n%s", leaf, leaves[0].Leaf)
		}
		leaves = leaves[1:]
		return nil
	})
	if err != nil || len(leaves) > 0 {
		t.Errorf("%d leaves left, %v", len(leaves), err)
	}
	enough := errors.New("enough")
	if err := reader.Scan(t.Context(), 0, x.size, func(*audit.Row) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a visit that fails: %v", err)
	}
	if err := reader.ScanLeaves(t.Context(), 0, x.size, func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a visit of leaves that fails: %v", err)
	}
	hashes, err := reader.Hashes(t.Context(), 2, 17)
	if err != nil {
		t.Fatal(err)
	}
	var block []byte
	var indexes []int64
	for _, h := range hashes {
		block, indexes = append(block, h.Hash[:]...), append(indexes, h.Index)
	}
	if got, err := reader.HashBlock(t.Context(), 2, 17); err != nil || len(block) != 15*tlog.HashSize || string(got) != string(block) {
		t.Errorf("block %x (%v)\nwant %x", got, err, block)
	}
	beyond := tlog.StoredHashCount(x.size)
	if got, err := reader.HashBlock(t.Context(), beyond-1, beyond+1); err != nil || got != nil {
		t.Errorf("a block with a hash that is missing: %x, %v", got, err)
	}
	got, err := reader.HashesAt(t.Context(), append([]int64{beyond}, indexes...))
	slices.SortFunc(got, func(a, b audit.StoredHash) int { return int(a.Index - b.Index) })
	if err != nil || !slices.Equal(got, hashes) {
		t.Errorf("hashes at %v: %v (%v), want %v", indexes, got, err, hashes)
	}
}

// TestALongReadIsCutInPieces reads bodies of many megabytes. Meanwhile the last entry
// is deleted: what is read after a piece is not of the moment that it was read at.
func TestALongReadIsCutInPieces(t *testing.T) {
	x := newSpecimen(t)
	dir := snapshot(t, x.dir)
	edit(t, dir, do("UPDATE entry SET body = zeroblob(20000000) WHERE seq IN (2, 3, 5)"))
	seq := int64(0)
	err := openReader(t, dir).Scan(t.Context(), 0, x.size, func(r *audit.Row) error {
		if r.Seq != seq {
			t.Errorf("read entry %d, want %d", r.Seq, seq)
		}
		if seq++; r.Seq == 3 {
			edit(t, dir, do("DELETE FROM entry WHERE seq = ?", x.size-1))
		}
		return nil
	})
	if err != nil || seq != x.size-1 {
		t.Errorf("read %d of %d, %v; the last was deleted", seq, x.size, err)
	}
}
