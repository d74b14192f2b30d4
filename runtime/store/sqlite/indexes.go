package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// probes look for rows that one of a table's indexes does not lead to: queries would
// not find them, however right they are. Plans must also have an entry.
var probes = []struct{ table, found string }{
	{"entry", `EXISTS (SELECT 1 FROM entry i INDEXED BY entry_resource WHERE i.resource = t.resource AND i.seq = t.seq)
		AND EXISTS (SELECT 1 FROM entry i INDEXED BY entry_changeset WHERE i.changeset = t.changeset AND i.seq = t.seq)
		AND EXISTS (SELECT 1 FROM entry i INDEXED BY entry_type WHERE i.type = t.type AND i.seq = t.seq)
		AND (t.type <> 0 OR EXISTS (SELECT 1 FROM entry i INDEXED BY entry_plan WHERE i.resource = t.resource AND i.type = 0 AND i.seq = t.seq))
		AND (t.refused <> 0 OR NOT ` + manages("t") + ` OR EXISTS (SELECT 1 FROM changeset c WHERE c.id = t.changeset AND (c.workspace = ''
			OR EXISTS (SELECT 1 FROM managed m WHERE m.workspace = c.workspace AND m.resource = t.resource AND m.seq >= t.seq))))`},
	{"plan", `EXISTS (SELECT 1 FROM plan i INDEXED BY plan_effect WHERE i.effect = t.effect AND i.seq = t.seq)
		AND EXISTS (SELECT 1 FROM entry e WHERE e.seq = t.seq)`},
}

// surplus counts what indexes have more than their tables. Entries have no gaps, which
// verification finds.
var surplus = []struct{ index, count string }{
	{"entry_resource", "(SELECT count(*) FROM entry INDEXED BY entry_resource) - (SELECT max(seq) + 1 FROM entry)"},
	{"entry_changeset", "(SELECT count(*) FROM entry INDEXED BY entry_changeset) - (SELECT max(seq) + 1 FROM entry)"},
	{"entry_type", "(SELECT count(*) FROM entry INDEXED BY entry_type) - (SELECT max(seq) + 1 FROM entry)"},
	{"entry_plan", "(SELECT count(*) FROM entry INDEXED BY entry_plan WHERE type = 0) - (SELECT count(*) FROM entry INDEXED BY entry_type WHERE type = 0)"},
	{"plan_effect", "(SELECT count(*) FROM plan INDEXED BY plan_effect) - (SELECT count(*) FROM plan NOT INDEXED)"},
}

// probedAtOnce is how many seqs are probed with one query, so that a log in use is not held to
// one moment for long.
const probedAtOnce = 10_000

// CheckIndexes checks what no hash covers and verification does not read: that tables and
// indexes are those of the schema, and that a query finds each entry by what it holds. An
// error means that the file could not be read.
func (r *Reader) CheckIndexes(ctx context.Context) (findings []audit.Finding, err error) {
	find := func(seq int64, format string, args ...any) {
		if len(findings) < audit.MaxFindings {
			findings = append(findings, audit.Finding{Seq: seq, Problem: fmt.Sprintf(format, args...)})
		}
	}
	if ok, err := r.isOurSchema(ctx); !ok || err != nil {
		find(-1, "the database has other tables, indexes or triggers than auditlb makes: they were edited")
		return findings, err // the queries that follow may mean something else
	}
	for _, table := range []string{"resource", "changeset", "managed", "current", "meta", "secret", "answered"} {
		said, err := texts(ctx, r.db, "PRAGMA integrity_check("+table+")")
		if err != nil {
			return nil, err
		}
		if !slices.Equal(said, []string{"ok"}) {
			find(-1, "the table %s and its indexes contradict each other: queries don't find what it holds", table)
		}
	}
	for _, p := range probes {
		if err := r.probe(ctx, p.table, p.found, func(seq int64) {
			find(seq, "an index of the table %s does not lead to it: queries don't find it", p.table)
		}); err != nil {
			return nil, err
		}
	}
	strays, err := r.strayManaged(ctx)
	if err != nil {
		return nil, err
	}
	for _, seq := range strays {
		find(seq, "the table managed leads to it, and its workspace does not manage that object by it")
	}
	for _, s := range surplus {
		var n sql.NullInt64
		if err := r.db.QueryRowContext(ctx, "SELECT "+s.count).Scan(&n); err != nil {
			return nil, err
		}
		if n.Int64 > 0 {
			find(-1, "the index %s leads to %d entries that are not there: queries find what is not so", s.index, n.Int64)
		}
	}
	return findings, nil
}

// probe visits the seqs of rows that are not found.
func (r *Reader) probe(ctx context.Context, table, found string, visit func(seq int64)) error {
	var first, last sql.NullInt64
	if err := r.db.QueryRowContext(ctx, "SELECT (SELECT min(seq) FROM "+table+"), (SELECT max(seq) FROM "+table+")").Scan(&first, &last); err != nil {
		return err
	}
	query := "SELECT t.seq FROM " + table + " AS t NOT INDEXED WHERE t.seq BETWEEN ? AND ? AND NOT (" + found + ") ORDER BY t.seq LIMIT ?"
	for from := first.Int64; last.Valid; {
		seqs, err := r.seqs(ctx, query, from, from+probedAtOnce-1, audit.MaxFindings)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			visit(seq)
		}
		// The next row there is: somebody may have put one far away.
		var next sql.NullInt64
		if err := r.db.QueryRowContext(ctx, "SELECT min(seq) FROM "+table+" WHERE seq >= ?", from+probedAtOnce).Scan(&next); err != nil || !next.Valid || next.Int64 > last.Int64 {
			return err
		}
		from = next.Int64
	}
	return nil
}

func (r *Reader) seqs(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := r.db.QueryContext(ctx, query, args...)
	return collect(rows, err, func(rows interface{ Scan(...any) error }) (seq int64, err error) {
		err = rows.Scan(&seq)
		return seq, err
	})
}

func texts(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	return collect(rows, err, func(rows interface{ Scan(...any) error }) (text string, err error) {
		err = rows.Scan(&text)
		return text, err
	})
}

var comment = regexp.MustCompile("--[^\n]*")

// bare is SQL without comments, which may change, and with single spaces. What is left out
// within quotes leaves a quote or a space.
func bare(query string) string {
	return strings.Join(strings.Fields(comment.ReplaceAllString(query, "")), " ")
}

// isOurSchema compares the schema with one that is made anew. What ANALYZE makes is left out.
func (r *Reader) isOurSchema(ctx context.Context) (bool, error) {
	const query = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat[0-9]' ORDER BY 1"
	has, err := texts(ctx, r.db, query)
	if err != nil {
		return false, err
	}
	fresh, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return false, err
	}
	defer fresh.Close()
	fresh.SetMaxOpenConns(1) // each connection has a memory of its own
	if _, err := fresh.ExecContext(ctx, schema); err != nil {
		return false, err
	}
	wants, err := texts(ctx, fresh, query)
	return slices.EqualFunc(has, wants, func(a, b string) bool { return bare(a) == bare(b) }), err
}
