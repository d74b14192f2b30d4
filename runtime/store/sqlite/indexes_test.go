package sqlite_test

import (
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// pretend makes an index anew with other rows, and has the schema say that it is as it was.
func pretend(name, is, says string) []string {
	return []string{
		"DROP INDEX " + name,
		"CREATE INDEX " + name + " ON " + is,
		"PRAGMA writable_schema = ON",
		"UPDATE sqlite_schema SET sql = 'CREATE INDEX " + name + " ON " + strings.ReplaceAll(says, "'", "''") + "' WHERE name = '" + name + "'",
	}
}

// TestWhatAnIndexHidesIsFound: every row, hash and column is right, and yet a query of the
// history leaves out an entry, or finds one that is not.
func TestWhatAnIndexHidesIsFound(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	log, err := controltest.TryOpen(t, control.Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	id := log.Ticket(t, "CHG-1")
	log.Create(t, id, "pool/web", controltest.Numbered(1)) // 3
	log.Update(t, id, "pool/web", controltest.Numbered(2))
	log.Update(t, id, "pool/web", controltest.Numbered(3))
	run := controltest.By(id)
	run.Run = "run-1"
	o, err := log.RegisterRun(t.Context(), run, run.Run, map[string]string{"system": "test", "workspace": "edge"})
	controltest.Accepted(t, o, err)
	o, err = log.Put(t.Context(), run, controltest.PutOf(t, "pool/web", controltest.Numbered(4), control.Precondition{Exists: true})) // 7
	controltest.Accepted(t, o, err)
	o, err = log.SeeDrift(t.Context(), run, &control.Drift{Address: controltest.Address(t, "pool/web"), Workspace: "edge", Kind: audit.DriftImported})
	controltest.Accepted(t, o, err) // 8
	o, err = log.Plan(t.Context(), controltest.By(""), control.Plan{Address: controltest.Address(t, "pool/web"), Op: lb.OpDelete})
	controltest.Accepted(t, o, err)
	log.Close()
	store.Close()

	for _, tt := range []struct {
		name string
		edit []string
		want string // "" is right
		seq  int64
	}{
		{"nothing", nil, "", 0},
		{"statistics", []string{"ANALYZE"}, "", 0},
		{"another comment", []string{"PRAGMA writable_schema = ON", "UPDATE sqlite_schema SET sql = replace(sql, 'microseconds since', 'since')"}, "", 0},
		{"by object", pretend("entry_resource", "entry (resource, seq) WHERE seq <> 3", "entry (resource, seq)"), "queries don't find it", 3},
		{"by ticket", pretend("entry_changeset", "entry (changeset, seq) WHERE seq <> 3", "entry (changeset, seq)"), "queries don't find it", 3},
		{"by type", pretend("entry_type", "entry (type, seq) WHERE seq <> 4", "entry (type, seq)"), "queries don't find it", 4},
		{"a plan", pretend("entry_plan", "entry (resource, type, seq) WHERE type = 9", "entry (resource, type, seq) WHERE type = 0"), "queries don't find it", 9},
		{"a plan by its effect", pretend("plan_effect", "plan (effect, seq) WHERE seq < 8", "plan (effect, seq)"), "queries don't find it", 8},
		{"a ticket", pretend("changeset_ticket", "changeset (ticket) WHERE ticket = 'x'", "changeset (ticket) WHERE ticket <> ''"), "contradict each other", -1},
		{"a managed object", pretend("managed_resource", "managed (resource) WHERE seq < 0", "managed (resource)"), "contradict each other", -1},
		{"that a workspace manages it", []string{"DELETE FROM managed"}, "queries don't find it", 7},
		{"that a workspace imported it", []string{"UPDATE managed SET seq = 7"}, "queries don't find it", 8},
		{"by which entry it manages it", []string{"UPDATE managed SET seq = 9"}, "does not manage that object by it", 9},
		{"who manages it", []string{"INSERT INTO managed SELECT 'core', resource, 5 FROM managed"}, "does not manage that object by it", 5},
		{"another object's", pretend("entry_resource", "entry (resource + 1, seq)", "entry (resource, seq)"), "queries don't find it", 0},
		{"a plan without an entry", []string{"INSERT INTO plan SELECT 9000000000, max(effect) FROM plan"}, "queries don't find it", 9_000_000_000},
		{"a trigger", []string{"CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM answered; END"}, "other tables, indexes or triggers", -1},
		{"a plain partial index", []string{"DROP INDEX entry_resource", "CREATE INDEX entry_resource ON entry (resource, seq) WHERE seq <> 3"}, "other tables, indexes or triggers", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := snapshot(t, dir)
			db := database(t, dir)
			for _, statement := range tt.edit {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			db.Close()
			reader := openReader(t, dir)
			report, err := audit.Verify(t.Context(), reader, controltest.Signer(t).Verifier(), nil)
			if err != nil || !report.OK() {
				t.Fatalf("the log itself: %v, %v", report.Findings, err)
			}
			found, err := reader.CheckIndexes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if len(found) > 0 {
					t.Errorf("found %v", found)
				}
				return
			}
			if len(found) == 0 || found[0].Seq != tt.seq || !strings.Contains(found[0].Problem, tt.want) {
				t.Errorf("found %v, want %q at %d", found, tt.want, tt.seq)
			}
		})
	}
}
