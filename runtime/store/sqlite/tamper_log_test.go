package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// notNamed is the seq of a finding that can name no entry.
const notNamed = -1

// TestEveryEditOfLogAndStateIsFound edits what lies around the entries: state,
// tree, head and index tables.
func TestEveryEditOfLogAndStateIsFound(t *testing.T) {
	x := newSpecimen(t)
	one := func(query string, args ...any) []statement { return []statement{do(query, args...)} }
	const web, api, tail = "(SELECT id FROM resource WHERE name = 'pool/web')", "(SELECT id FROM resource WHERE name = 'pool/api')", "(SELECT id FROM resource WHERE name = 'pool/tail')"
	edge := tlog.StoredHashIndex(1, x.tail>>1)
	for _, tt := range []struct {
		name       string
		statements []statement
		seq        int64
		problem    string
		// starts is set where the damage is not in what a start reads.
		starts bool
	}{
		{"current state of a loaded object", one("UPDATE current SET state = CAST(replace(CAST(state AS TEXT), '127.0.0.1', '127.0.0.6') AS BLOB) WHERE resource = " + api), x.loaded, "current state is not what this entry made", false},
		{"current state in the tail", one("UPDATE current SET state = CAST(replace(CAST(state AS TEXT), '127.0.0.1', '127.0.0.6') AS BLOB) WHERE resource = " + tail), x.tail, "current state is not what this entry made", false},
		{"current state emptied as if deleted", one("UPDATE current SET state = NULL WHERE resource = " + api), x.loaded, "current state is not what this entry made", false},
		{"deleted object brought back", one("UPDATE current SET state = (SELECT state FROM current WHERE resource = "+api+") WHERE seq = ?", x.deleted), x.deleted, "current state is not what this entry made", false},
		{"revoked token brought back", []statement{do(
			"UPDATE current SET seq = ?1, state = CAST(replace(CAST(state AS TEXT), '\"revoked\":true', '\"revoked\":false') AS BLOB) WHERE seq = ?2", x.created, x.revoked,
		)}, x.revoked, "claims to be of entry", false},
		{"current seq", one("UPDATE current SET seq = 1 WHERE resource = " + api), x.loaded, "claims to be of entry 1", false},
		{"current seq beyond the log", one("UPDATE current SET seq = 5000 WHERE resource = " + api), x.loaded, "claims to be of entry 5000", false},
		{"current row of an older object deleted", one("DELETE FROM current WHERE resource = " + api), x.loaded, "no row for what this entry made", false},
		{"current row in the tail deleted", one("DELETE FROM current WHERE resource = " + web), x.tail - 1, "no row for what this entry made", false},
		{"current row inserted", []statement{
			do("INSERT INTO resource (id, name) VALUES (500, 'pool/ghost')"),
			do("INSERT INTO current (resource, seq, state) SELECT 500, seq, state FROM current WHERE resource = " + api),
		}, x.loaded, "a row that no entry made", false},
		{"current row inserted beyond the log", []statement{
			do("INSERT INTO resource (id, name) VALUES (500, 'pool/ghost')"),
			do("INSERT INTO current (resource, seq, state) SELECT 500, 5000, state FROM current WHERE resource = " + api),
		}, 5000, "a row that no entry made", false},

		{"resource renamed", one("UPDATE resource SET name = 'pool/other' WHERE name = 'pool/api'"), x.loaded, "header says: resource", false},
		{"actor renamed everywhere", one("UPDATE changeset SET actor = 'mallory' WHERE actor = 'olivia'"), 1, "header says: actor", false},
		{"plan effect", one("UPDATE plan SET effect = 'other' WHERE seq = ?", x.old), x.old, "header says: effect", true},
		{"plan row deleted", one("DELETE FROM plan WHERE seq = ?", x.old), x.old, "header says: effect", true},
		{"plan row inserted", one("INSERT INTO plan (seq, effect) VALUES (?, 'other')", x.tail), x.tail, "header says: effect", false},

		{"tail truncated, head left alone", one("DELETE FROM entry WHERE seq >= ?", x.size-2), x.size - 2, "missing, and all after it", false},
		{"everything truncated, head left alone", one("DELETE FROM entry"), 0, "missing, and all after it", false},
		{"head rolled back, tail left alone", one("UPDATE head SET size = ?, note = ?", x.earlierSize, x.earlier), x.earlierSize, "it was inserted", false},
		{"row inserted after the last", one("INSERT INTO entry SELECT ?, ts, type, refused, changeset, resource, leaf, salt, body FROM entry WHERE seq = ?", x.size, x.size-1), x.size, "it was inserted", false},
		{"row inserted before the first", one("INSERT INTO entry SELECT -5, ts, type, refused, changeset, resource, leaf, salt, body FROM entry WHERE seq = 1"), -5, "negative seq", false},
		{"head size", one("UPDATE head SET size = size + 1"), notNamed, "the head says", false},
		{"checkpoint signature", one("UPDATE head SET note = CAST(substr(CAST(note AS TEXT), 1, length(note) - 6) || 'AAAAA' || char(10) AS BLOB)"), notNamed, "not signed by this log's key", false},
		{"head deleted", one("DELETE FROM head"), notNamed, "not signed by this log's key", false},

		{"tree hash over two entries in the tail", one("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", edge), x.tail | 1, "tree hash over entries", false},
		{"tree hash over eight old entries", one("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(3, 0)), 7, "tree hash over entries 0 to 7", false},
		{"tree hash over two old entries", one("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(1, 1)), 3, "tree hash over entries 2 to 3", true},
		{"tree hash over two old entries deleted", one("DELETE FROM hash WHERE idx = ?", tlog.StoredHashIndex(1, 1)), 3, "tree hash over entries 2 to 3", true},
		{"hash inserted", one("INSERT INTO hash (idx, hash) VALUES (?, zeroblob(32))", tlog.StoredHashCount(x.size)), notNamed, "hashes beyond the checkpoint", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := snapshot(t, x.dir)
			edit(t, dir, tt.statements...)
			report, err := inspect(t, dir)
			found(t, "verify", report.Findings, tt.seq, tt.problem)
			if tt.starts {
				if err != nil {
					t.Errorf("start: %v; want this to be found by verify only", err)
				}
				return
			}
			if !control.IsIntegrity(err) {
				t.Errorf("start: %v; want it refused as an IntegrityError", err)
			}
		})
	}
}

// TestAConsistentRewriteMissesTheSignedRoot replaces an entry and everything
// that follows from it but the signature.
func TestAConsistentRewriteMissesTheSignedRoot(t *testing.T) {
	x := newSpecimen(t)
	for _, tt := range []struct {
		name string
		seq  int64
	}{{"old entry", x.old}, {"entry in the tail", x.tail}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := snapshot(t, x.dir)
			rows, err := openReader(t, dir).Rows(t.Context(), 0, int(x.size))
			if err != nil {
				t.Fatal(err)
			}
			rewritten := bytes.Replace(rows[tt.seq].Leaf, []byte(`"role":"operator"`), []byte(`"role":"admin"`), 1)
			if bytes.Equal(rewritten, rows[tt.seq].Leaf) {
				t.Fatal("nothing was rewritten")
			}
			rows[tt.seq].Leaf = rewritten
			statements := []statement{do("UPDATE entry SET leaf = ? WHERE seq = ?", rewritten, tt.seq)}
			var tree audit.Tree
			for _, row := range rows {
				for _, h := range tree.Append(tlog.RecordHash(row.Leaf)) {
					statements = append(statements, do("UPDATE hash SET hash = ? WHERE idx = ?", h.Hash[:], h.Index))
				}
			}
			edit(t, dir, statements...)
			report, err := inspect(t, dir)
			found(t, "verify", report.Findings, notNamed, "the log was rewritten")
			if !control.IsIntegrity(err) {
				t.Errorf("start: %v; want it refused as an IntegrityError", err)
			}
		})
	}
}

// TestALogRolledBackBehindWhatWasVerifiedDoesNotStart takes the log back to an
// earlier, truly signed head, and everything else with it.
func TestALogRolledBackBehindWhatWasVerifiedDoesNotStart(t *testing.T) {
	x := newSpecimen(t)
	dir := snapshot(t, x.dir)
	edit(t, dir,
		do("INSERT INTO meta (key, value) VALUES ('verified', (SELECT note FROM head)) ON CONFLICT (key) DO UPDATE SET value = excluded.value"),
		do("UPDATE head SET size = ?, note = ?", x.earlierSize, x.earlier),
		do("DELETE FROM entry WHERE seq >= ?", x.earlierSize),
		do("DELETE FROM hash WHERE idx >= ?", tlog.StoredHashCount(x.earlierSize)),
	)
	_, err := inspect(t, dir)
	refusesToStart(t, err, notNamed, "rolled back")
}

// TestTheNewestEntryIsCheckedAtStart edits the one entry that every start
// reads, after a shutdown that marked the whole log as verified.
func TestTheNewestEntryIsCheckedAtStart(t *testing.T) {
	x := newSpecimen(t)
	for _, leaf := range []string{"leaf", "leaf that is no header", "body", "time column"} {
		for _, tt := range entryEdits {
			if tt.name != leaf {
				continue
			}
			t.Run(tt.name, func(t *testing.T) {
				dir := snapshot(t, x.dir)
				edit(t, dir, do("UPDATE meta SET value = (SELECT note FROM head) WHERE key = 'verified'"))
				edit(t, dir, tt.statements(x.size-1)...)
				edit(t, dir, do("DELETE FROM current WHERE seq = ?", x.size-1))
				_, err := inspect(t, dir)
				refusesToStart(t, err, x.size-1, tt.problem)
			})
		}
	}
}

// TestTheFirstBadEntryIsNamedFirst makes damage in an order in which it is not
// met.
func TestTheFirstBadEntryIsNamedFirst(t *testing.T) {
	x := newSpecimen(t)
	dir := snapshot(t, x.dir)
	edit(t, dir, do("UPDATE head SET size = size + 1"))
	edit(t, dir, one("INSERT INTO entry SELECT 1000, ts, type, refused, changeset, resource, leaf, salt, body FROM entry WHERE seq = ?")(1)...)
	edit(t, dir, do("UPDATE entry SET salt = x'00' WHERE seq IN (?, ?)", x.old, x.tail))
	report, _ := inspect(t, dir)
	found(t, "verify", report.Findings, x.old, "the body is not the one")
	if last := report.Findings[len(report.Findings)-1]; last.Seq != notNamed {
		t.Errorf("the last finding is %q; want the one that names no entry", last.Error())
	}
}

func TestTheVerifiedMarkMustBeSigned(t *testing.T) {
	x := newSpecimen(t)
	dir := snapshot(t, x.dir)
	edit(t, dir, do("UPDATE meta SET value = x'00' WHERE key = 'verified'"))
	_, err := inspect(t, dir)
	refusesToStart(t, err, notNamed, "last verified checkpoint")
}

// TestUnreadableIsToldApartFromMismatch damages the file itself: that says
// nothing of what the log held.
func TestUnreadableIsToldApartFromMismatch(t *testing.T) {
	x := newSpecimen(t)
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
	}{
		{"pages overwritten", func(t *testing.T, dir string) {
			path := filepath.Join(dir, sqlite.FileName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 4096; i < len(b); i++ {
				b[i] = 0xff
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"not a database", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, sqlite.FileName), []byte(strings.Repeat("noise ", 2000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"table gone", func(t *testing.T, dir string) {
			db := database(t, dir)
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), "DROP TABLE hash"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := snapshot(t, x.dir)
			edit(t, dir, do("UPDATE meta SET value = value")) // brings the WAL into the file
			tt.damage(t, dir)
			report, err := audit.Verify(t.Context(), openReader(t, dir), controltest.Signer(t).Verifier(), nil)
			if err == nil {
				t.Fatalf("verify returned a report, %+v; want an error", report)
			}
			store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
			if err == nil {
				defer store.Close()
				_, err = controltest.TryOpen(t, control.Options{Store: store})
			}
			if err == nil || control.IsIntegrity(err) {
				t.Errorf("start: %v; want an error that is not an IntegrityError", err)
			}
		})
	}
}

// TestColumnsTakeOnlyTheirOwnType keeps a client with SQL from turning a
// mismatch into something that can't be read.
func TestColumnsTakeOnlyTheirOwnType(t *testing.T) {
	x := newSpecimen(t)
	db := database(t, snapshot(t, x.dir))
	defer db.Close()
	for _, query := range []string{
		"UPDATE entry SET ts = 'abc'", "UPDATE entry SET refused = 'maybe'", "UPDATE entry SET leaf = 'text'",
		"UPDATE head SET size = 'abc'", "UPDATE current SET seq = 'abc'", "UPDATE hash SET hash = 'text'",
	} {
		if _, err := db.ExecContext(t.Context(), query); err == nil {
			t.Errorf("%s was accepted", query)
		}
	}
}

// TestASwappedTokenHashDoesNotStart gives a token another secret: the hash is
// kept apart from the log, and its digest is in the token's entry.
func TestASwappedTokenHashDoesNotStart(t *testing.T) {
	x := newSpecimen(t)
	dir := snapshot(t, x.dir)
	edit(t, dir, do("UPDATE secret SET sealed = zeroblob(32) WHERE id LIKE 'token/%'"))
	_, err := inspect(t, dir)
	if !control.IsIntegrity(err) || !strings.Contains(err.Error(), "kept hash") {
		t.Errorf("start: %v; want it refused because of the hash", err)
	}
}
