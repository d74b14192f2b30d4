package sqlite_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// specimen is a log whose files are copied and tampered with. Its first part
// was verified by a clean shutdown; the tail was written after that and was
// cut off by a crash.
type specimen struct {
	dir string
	// The entries that tampering aims at: one that no state came from, one
	// that made an object which is loaded at start, one in the tail.
	old, loaded, tail int64
	// replaced made a state of pool/web that a later entry replaced.
	replaced int64
	// revoked is the entry that revoked a token, which created made.
	created, revoked int64
	deleted          int64
	size             int64
	// earlier is a head that the tail has passed, verified the size of the
	// first part.
	earlier     []byte
	earlierSize int64
	verified    int64
}

func newSpecimen(t *testing.T) specimen {
	t.Helper()
	x := specimen{dir: t.TempDir()}
	ctx := t.Context()

	store, err := sqlite.Open(ctx, x.dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	log := controltest.Open(t, control.Options{Store: store})
	id := log.Ticket(t, "CHG-1")
	x.replaced = log.Create(t, id, "pool/web", controltest.Numbered(1)).Entry.Seq
	log.Update(t, id, "pool/web", controltest.Numbered(2))
	x.loaded = log.Create(t, id, "pool/api", controltest.Numbered(1)).Entry.Seq
	log.Create(t, id, "pool/gone", controltest.Numbered(1))
	o, err := log.Delete(ctx, controltest.By(id), controltest.Address(t, "pool/gone"), control.Precondition{Exists: true})
	x.deleted = controltest.Accepted(t, o, err).Entry.Seq
	run := control.Call{Actor: controltest.Olivia, Ticket: id, Run: "run-1"}
	o, err = log.RegisterRun(ctx, run, "run-1", map[string]string{"system": "test"})
	controltest.Accepted(t, o, err)
	o, err = log.Plan(ctx, run, control.Plan{Address: controltest.Address(t, "pool/new"), Op: lb.OpCreate, Object: controltest.Numbered(1)})
	x.old = controltest.Accepted(t, o, err).Entry.Seq
	o, _, err = log.CreateToken(ctx, control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "mallory", Role: "admin", NotAfter: o.Entry.Time.AddDate(1, 0, 0)})
	x.created = controltest.Accepted(t, o, err).Entry.Seq
	o, err = log.RevokeToken(ctx, control.Call{Actor: control.System("test")}, strings.TrimPrefix(o.Entry.Resource, "token/"))
	x.revoked = controltest.Accepted(t, o, err).Entry.Seq
	x.verified, _ = head(t, store)
	log.Close()
	store.Close()

	store = open(t, x.dir)
	log = controltest.Open(t, control.Options{Store: store})
	log.Create(t, id, "pool/tail", controltest.Numbered(1))
	x.earlierSize, x.earlier = head(t, store)
	log.Update(t, id, "pool/web", controltest.Numbered(3))
	o, err = log.Put(ctx, run, controltest.PutOf(t, "pool/tail", controltest.Numbered(2), control.Precondition{Exists: true}))
	x.tail = controltest.Accepted(t, o, err).Entry.Seq
	o, err = log.Put(ctx, controltest.By("CHG-unknown"), controltest.PutOf(t, "pool/web", controltest.Numbered(4), control.Precondition{Exists: true}))
	controltest.Refused(t, "ticket_unknown", o, err)
	log.Create(t, id, "pool/last", controltest.Numbered(1))
	x.size, _ = head(t, store)
	x.dir = snapshot(t, x.dir)
	return x
}

// inspect verifies a tampered copy, and tries to start on it.
func inspect(t *testing.T, dir string) (report audit.Report, start error) {
	t.Helper()
	report, err := audit.Verify(t.Context(), openReader(t, dir), controltest.Signer(t).Verifier(), nil)
	if err != nil {
		t.Fatalf("the log could not be read: %v", err)
	}
	log, start := controltest.TryOpen(t, control.Options{Store: open(t, dir)})
	if start == nil {
		log.Close()
	}
	return report, start
}

// found fails the test unless the first finding is of the entry and says so.
func found(t *testing.T, what string, findings []audit.Finding, seq int64, problem string) {
	t.Helper()
	if len(findings) == 0 {
		t.Fatalf("%s found nothing; want entry %d: %s", what, seq, problem)
	}
	if first := findings[0]; first.Seq != seq || !strings.Contains(first.Problem, problem) {
		t.Errorf("%s found %q first; want entry %d: …%s…", what, first.Error(), seq, problem)
	}
}

// refusesToStart fails the test unless the error names the entry.
func refusesToStart(t *testing.T, err error, seq int64, problem string) {
	t.Helper()
	var integrity *control.IntegrityError
	if !errors.As(err, &integrity) {
		t.Fatalf("start: %v; want an IntegrityError of entry %d", err, seq)
	}
	found(t, "start", integrity.Findings, seq, problem)
}

func TestAnUntouchedLogVerifiesAndStarts(t *testing.T) {
	x := newSpecimen(t)
	report, err := inspect(t, snapshot(t, x.dir))
	if err != nil || !report.OK() || report.Size != x.size {
		t.Fatalf("report %+v, start %v", report, err)
	}
}

// TestEveryEditOfAnEntryIsFound edits one entry at a time: an old one that only
// a whole verification reads, one that made an object, and one in the tail. The
// latter two are refused at start.
func TestEveryEditOfAnEntryIsFound(t *testing.T) {
	x := newSpecimen(t)
	for _, at := range []struct {
		name   string
		seq    int64
		starts bool
	}{{"old entry", x.old, true}, {"entry of a loaded object", x.loaded, false}, {"entry in the tail", x.tail, false}} {
		for _, tt := range entryEdits {
			t.Run(at.name+"/"+tt.name, func(t *testing.T) {
				dir := snapshot(t, x.dir)
				edit(t, dir, tt.statements(at.seq)...)
				report, err := inspect(t, dir)
				found(t, "verify", report.Findings, at.seq, tt.problem)
				// An entry that is made to look like a change is missed in the state.
				if at.starts && tt.name != "type column" {
					if err != nil {
						t.Errorf("start: %v; an old entry is found by verify, not at start", err)
					}
					return
				}
				refusesToStart(t, err, at.seq, "")
			})
		}
	}
}

// entryEdits are the ways to edit an entry's row.
var entryEdits = []struct {
	name       string
	statements func(seq int64) []statement
	problem    string
}{
	{"time column", one("UPDATE entry SET ts = ts + 1 WHERE seq = ?"), "index column is not what the header says: time"},
	{"type column", one("UPDATE entry SET type = 6 WHERE seq = ?"), "header says: type"},
	{"type column beyond the known", one("UPDATE entry SET type = 99 WHERE seq = ?"), "header says: type"},
	{"outcome column", one("UPDATE entry SET refused = 1 WHERE seq = ?"), "header says: outcome"},
	{"actor column", changeset("'mallory', ticket, run, workspace, owner"), "header says: actor"},
	{"ticket column", changeset("actor, 'CHG-666', run, workspace, owner"), "header says: ticket"},
	{"run column", changeset("actor, ticket, 'run-666', workspace, owner"), "header says: run"},
	{"workspace column", changeset("actor, ticket, run, 'elsewhere', owner"), "header says: workspace"},
	{"owner column", changeset("actor, ticket, run, workspace, 'nobody'"), "header says: owner"},
	{"changeset that does not exist", one("UPDATE entry SET changeset = 666 WHERE seq = ?"), "header says: actor"},
	{"resource column", one("UPDATE entry SET resource = (SELECT id FROM resource WHERE name = 'log') WHERE seq = ?"), "header says: resource"},
	{"leaf", one(`UPDATE entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'olivia', 'oliver') AS BLOB) WHERE seq = ?`), "header or hash was altered"},
	{"leaf that is no header", one(`UPDATE entry SET leaf = x'00' WHERE seq = ?`), "header or hash was altered"},
	{"leaf of another entry", one(`UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE seq = 1) WHERE seq = ?`), "header or hash was altered"},
	{"body", one(`UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '127.0.0.1', '127.0.0.6') AS BLOB) WHERE seq = ?`), "the body is not the one"},
	{"empty body", one(`UPDATE entry SET body = x'' WHERE seq = ?`), "the body is not the one"},
	{"salt", one(`UPDATE entry SET salt = x'00112233445566778899aabbccddeeff' WHERE seq = ?`), "the body is not the one"},
	{"deleted", func(seq int64) []statement {
		return []statement{do("DELETE FROM entry WHERE seq = ?", seq)}
	}, "the entry is missing: it was deleted"},
	{"deleted with its hash", func(seq int64) []statement {
		return []statement{do("DELETE FROM entry WHERE seq = ?", seq), do("DELETE FROM hash WHERE idx = ?", tlog.StoredHashIndex(0, seq))}
	}, "missing"},
	{"hash edited", func(seq int64) []statement {
		return []statement{do("UPDATE hash SET hash = zeroblob(32) WHERE idx = ?", tlog.StoredHashIndex(0, seq))}
	}, "header or hash was altered"},
	{"hash cut short", func(seq int64) []statement {
		return []statement{do("UPDATE hash SET hash = x'00' WHERE idx = ?", tlog.StoredHashIndex(0, seq))}
	}, "header or hash was altered"},
	{"hash deleted", func(seq int64) []statement {
		return []statement{do("DELETE FROM hash WHERE idx = ?", tlog.StoredHashIndex(0, seq))}
	}, "hash is missing from the stored tree"},
}

func one(query string) func(int64) []statement {
	return func(seq int64) []statement { return []statement{do(query, seq)} }
}

// changeset gives an entry another actor, ticket, run, workspace and owner.
func changeset(values string) func(int64) []statement {
	return func(seq int64) []statement {
		return []statement{
			do("INSERT INTO changeset (id, actor, ticket, run, workspace, owner) SELECT 500, "+values+" FROM changeset WHERE id = (SELECT changeset FROM entry WHERE seq = ?)", seq),
			do("UPDATE entry SET changeset = 500 WHERE seq = ?", seq),
		}
	}
}
