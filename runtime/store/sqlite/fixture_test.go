package sqlite_test

import (
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// open opens the store of a directory; it closes with the test.
func open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// openReader opens the log of a directory for reading; it closes with the test.
func openReader(t testing.TB, dir string) *sqlite.Reader {
	t.Helper()
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// snapshot copies the files of a log that is not being written to at the
// moment, as a power cut would leave them.
func snapshot(t testing.TB, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		copyFile(t, filepath.Join(from, sqlite.FileName+suffix), filepath.Join(dir, sqlite.FileName+suffix))
	}
	return dir
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(out, in); err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// database opens a log's file as somebody with a SQL client would.
func database(t testing.TB, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// edit changes a stopped log by SQL, and fails when nothing was changed.
func edit(t testing.TB, dir string, statements ...statement) {
	t.Helper()
	db := database(t, dir)
	defer db.Close()
	for _, s := range statements {
		res, err := db.ExecContext(t.Context(), s.query, s.args...)
		if err != nil {
			t.Fatalf("%s: %v", s.query, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			t.Fatalf("%s: changed %d rows (%v)", s.query, n, err)
		}
	}
}

// statement is SQL with its arguments.
type statement struct {
	query string
	args  []any
}

func do(query string, args ...any) statement { return statement{query, args} }

// head reads a log's size and checkpoint.
func head(t testing.TB, s control.Store) (size int64, note []byte) {
	t.Helper()
	x, err := s.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return x.Size, x.Note
}
