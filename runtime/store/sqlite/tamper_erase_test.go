package sqlite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// TestAForgedErasureIsFound clears bodies without an entry that says so, or makes an
// entry say more than it did.
func TestAForgedErasureIsFound(t *testing.T) {
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-30 * 24 * time.Hour)
	log, err := controltest.TryOpen(t, control.Options{Store: store, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	id := log.Ticket(t, "CHG-1")
	erased := log.Create(t, id, "pool/web", controltest.Numbered(1)).Entry.Seq
	log.Update(t, id, "pool/web", controltest.Numbered(2))
	now = time.Now()
	says, err := log.Erase(t.Context(), control.Retention{Period: control.MinRetention, Setting: "a test"})
	if err != nil || says.Bodies == 0 {
		t.Fatalf("%+v, %v", says, err)
	}
	id = log.Ticket(t, "CHG-2")
	replaced := log.Update(t, id, "pool/web", controltest.Numbered(3)).Entry.Seq
	current := log.Update(t, id, "pool/web", controltest.Numbered(4)).Entry.Seq
	o, err := log.Put(t.Context(), controltest.By("CHG-unknown"), controltest.PutOf(t, "pool/web", controltest.Numbered(5), control.Precondition{Exists: true}))
	refused := o.Entry.Seq
	controltest.Refused(t, "ticket_unknown", o, err)
	log.Create(t, id, "pool/last", controltest.Numbered(1)) // a start looks at the newest entry in any case
	log.Close()
	store.Close()

	const clear = "UPDATE entry SET salt = x'', body = x'' WHERE seq = ?"
	tests := []struct {
		name string
		edit []statement
		want string // "" is right
		// starts is whether a runtime starts on it all the same: it looks at what it needs.
		starts bool
	}{
		{"nothing", nil, "", true},
		{"a refusal", []statement{{clear, []any{refused}}}, "no entry says that it was erased", true},
		{"a state that was replaced", []statement{{clear, []any{replaced}}}, "no entry says that it was erased", true},
		{"what a current state is made of", []statement{{clear, []any{current}}}, "no entry says that it was erased", false},
		{"the entry that says what was erased", []statement{{clear, []any{says.Entry.Seq}}}, "not the one that the header commits to", true},
		{"the log's first entry", []statement{{clear, []any{0}}}, "not the one that the header commits to", false},
		{"a body without its salt", []statement{{"UPDATE entry SET salt = x'' WHERE seq = ?", []any{refused}}}, "not the one that the header commits to", true},
		{"a salt without its body", []statement{{"UPDATE entry SET body = x'' WHERE seq = ?", []any{refused}}}, "not the one that the header commits to", true},
		{"another body where one was erased", []statement{{"UPDATE entry SET salt = zeroblob(16), body = CAST('{}' AS BLOB) WHERE seq = ?", []any{erased}}}, "not the one that the header commits to", true},
		{"an entry that says more than it did", []statement{
			{clear, []any{refused}},
			{"UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '\"erased\":[[', '\"erased\":[[?1,?1],[') AS BLOB) WHERE seq = ?2", []any{refused, says.Entry.Seq}},
		}, "not the one that the header commits to", true},
		{"an entry in the guise of one", []statement{
			{clear, []any{refused}},
			{"UPDATE entry SET resource = (SELECT id FROM resource WHERE name = 'log/bodies') WHERE seq = ?", []any{current}},
		}, "no entry says that it was erased", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := snapshot(t, dir)
			edit(t, dir, tt.edit...)
			reader := openReader(t, dir)
			for _, jobs := range []int{1, 4} {
				report, err := audit.Verification{Jobs: jobs}.Run(t.Context(), reader, controltest.Signer(t).Verifier())
				if err != nil {
					t.Fatal(err)
				}
				found := tt.want == "" && report.OK()
				for _, f := range report.Findings {
					found = found || tt.want != "" && strings.Contains(f.Problem, tt.want)
				}
				if !found {
					t.Errorf("%d jobs: found %v, want %q", jobs, report.Findings, tt.want)
				}
			}
			reader.Close()
			store := open(t, dir)
			again, err := controltest.TryOpen(t, control.Options{Store: store})
			if err == nil {
				again.Close()
			} else if !control.IsIntegrity(err) {
				t.Fatal(err)
			}
			if (err == nil) != tt.starts {
				t.Errorf("starts = %v, want %v", err, tt.starts)
			}
		})
	}
}
