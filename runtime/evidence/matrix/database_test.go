package matrix

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// edit changes a stopped log as somebody with a SQL client would, and fails when
// nothing was changed.
func edit(t *testing.T, dir string, statements ...statement) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, sqlite.FileName))
	must(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	defer tx.Rollback()
	for _, s := range statements {
		done, err := tx.ExecContext(t.Context(), s.query, s.args...)
		must(t, err)
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			t.Fatalf("%s: changed %d rows (%v)", s.query, n, err)
		}
	}
	must(t, tx.Commit())
}

// statement is SQL with its arguments.
type statement struct {
	query string
	args  []any
}

func do(query string, args ...any) statement { return statement{query, args} }

func reader(t *testing.T, dir string) *sqlite.Reader {
	t.Helper()
	r, err := sqlite.OpenReader(dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func extentOf(t *testing.T, src audit.Source) audit.Extent {
	t.Helper()
	x, err := src.Extent(t.Context())
	must(t, err)
	return x
}

// rewrite gives a pool's entry another content, with header, digest and all hashes of the
// tree to match. With a signer, the head is signed again as well: nothing in the file
// contradicts anything else in it.
func rewrite(t *testing.T, dir string, seq int64, signer *audit.Signer) {
	t.Helper()
	src, err := sqlite.OpenReader(dir)
	must(t, err)
	rows, err := src.Rows(t.Context(), 0, 10_000)
	must(t, err)
	must(t, src.Close())
	e, err := audit.ParseLeaf(rows[seq].Leaf)
	must(t, err)
	body, err := audit.ParseBody(rows[seq].Body)
	must(t, err)
	after := bytes.Replace(body.After, []byte("127.0.0.1"), []byte("127.6.6.6"), 1)
	if bytes.Equal(after, body.After) {
		t.Fatalf("entry %d is about no member: %s", seq, body.After)
	}
	body.After = after
	record, err := audit.NewRecord(e, body, rows[seq].Salt)
	must(t, err)
	rows[seq].Leaf = record.Leaf
	statements := []statement{do("UPDATE entry SET leaf = ?, body = ? WHERE seq = ?", record.Leaf, record.Body, seq)}
	var tree audit.Tree
	for _, row := range rows {
		for _, h := range tree.Append(tlog.RecordHash(row.Leaf)) {
			statements = append(statements, do("UPDATE hash SET hash = ? WHERE idx = ?", h.Hash[:], h.Index))
		}
	}
	edit(t, dir, statements...)
	if signer != nil {
		sign(t, dir, &tree, signer)
	}
}

// sign signs the head, and what a start takes for verified.
func sign(t *testing.T, dir string, tree *audit.Tree, signer *audit.Signer) {
	t.Helper()
	cp, err := signer.Sign(tree)
	must(t, err)
	edit(t, dir, do("UPDATE head SET note = ?", cp.Note), do("UPDATE meta SET value = ? WHERE key = 'verified'", cp.Note))
}

// grow lets a node that forgot what it saw go on with its log, as if nothing had been:
// real entries, made by the real write path.
func grow(t *testing.T, dir, who string, n int) {
	t.Helper()
	forget(t, dir)
	c, done, err := daemon.OpenLog(t.Context(), configOf(dir))
	must(t, err)
	for i := range n {
		call := control.Call{Actor: control.System(who), Ticket: ticketID}
		subject := control.Subject{Resource: fmt.Sprintf("pool/p%d", i), Op: "update"}
		_, err := c.Refuse(t.Context(), call, subject, audit.Refusal{Code: "later", Detail: "what came after by " + who}, nil)
		must(t, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, daemon.LastSeenName), c.Checkpoint(), 0o600))
	must(t, done())
}

// forget removes what the node saw of its log.
func forget(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, daemon.LastSeenName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// putBack is a node whose database is that of an earlier time. All else it has is of now.
func (s *scene) putBack(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = copyOf(t, s.now)
	paths, err := filepath.Glob(filepath.Join(dir, sqlite.FileName+"*"))
	must(t, err)
	for _, path := range paths {
		must(t, os.Remove(path))
	}
	paths, err = filepath.Glob(filepath.Join(from, sqlite.FileName+"*"))
	must(t, err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o600))
	}
	return dir
}

// erased lets the retention erase what is due two months later.
func erased(t *testing.T, dir string, signer *audit.Signer) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), dir, sqlite.Options{MinFree: -1})
	must(t, err)
	later := func() time.Time { return time.Now().Add(60 * 24 * time.Hour) }
	log, err := controltest.TryOpenAs(t, signer, control.Options{Store: store, Now: later})
	must(t, err)
	done, err := log.Erase(t.Context(), control.Retention{Period: control.MinRetention, Setting: "a test"})
	must(t, err)
	if done.Bodies == 0 {
		t.Fatal("nothing was due")
	}
	log.Close()
	must(t, store.Close())
}

func configOf(dir string) daemon.Config {
	return daemon.Config{
		DataDir: dir, ShutdownTimeout: "1s", Management: &daemon.Management{Address: "127.0.0.1:0"}, Log: &daemon.Log{MinFreeBytes: -1},
	}
}
