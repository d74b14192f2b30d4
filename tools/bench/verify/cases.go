package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// benchCase is one thing that is measured.
type benchCase struct {
	name string
	// n is how many entries, proofs or questions one run handles.
	n   int64
	run func(ctx context.Context) ([]time.Duration, error)
}

func (c benchCase) selected(only string) bool { return strings.Contains(c.name, only) }

func casesOf(dir string, reader *sqlite.Reader, v note.Verifier, size int64, proofs int) []benchCase {
	cases := []benchCase{
		{"floor: headers", size, scan(dir, size, "leaf")},
		{"floor: whole rows", size, scan(dir, size, "seq, leaf, salt, body, ts, type, refused, changeset, resource")},
	}
	for _, depth := range audit.Depths {
		for _, jobs := range []int{1, 2} {
			cases = append(cases, benchCase{fmt.Sprintf("%s, jobs %d", depth, jobs), size, func(ctx context.Context) ([]time.Duration, error) {
				report, err := audit.Verification{Depth: depth, Jobs: jobs}.Run(ctx, reader, v)
				if err == nil && (!report.OK() || report.Size != size) {
					err = fmt.Errorf("%d entries, findings %v", report.Size, report.Findings)
				}
				return nil, err
			}})
		}
	}
	cases = append(cases, pastCases(reader, size, proofs)...)
	return append(cases,
		benchCase{"inclusion proofs", int64(proofs), timed(proofs, func(ctx context.Context, random *rand.Rand) error {
			_, err := tlog.ProveRecord(size, random.Int64N(size), audit.HashReader(ctx, reader))
			return err
		})},
		benchCase{"consistency proofs", int64(proofs), timed(proofs, func(ctx context.Context, random *rand.Rand) error {
			_, err := tlog.ProveTree(size, 1+random.Int64N(size), audit.HashReader(ctx, reader))
			return err
		})},
	)
}

// scan reads columns of all entries and does nothing with them, in one
// transaction for a thousand entries, as verification does.
func scan(dir string, size int64, columns string) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, sqlite.FileName)+"?mode=ro")
		if err != nil {
			return nil, err
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		query := fmt.Sprintf("SELECT %s FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", columns) //nolint:gosec // G201: of this file
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		defer stmt.Close()
		values := make([]sql.RawBytes, strings.Count(columns, ",")+1)
		into := make([]any, len(values))
		for i := range values {
			into[i] = &values[i]
			if name := strings.Split(columns, ", ")[i]; !slices.Contains([]string{"leaf", "salt", "body"}, name) {
				into[i] = new(int64)
			}
		}
		const atOnce = 1000
		for from := int64(0); from < size; from += atOnce {
			if err := scanRows(ctx, stmt, from, from+atOnce, into); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
}

func scanRows(ctx context.Context, stmt *sql.Stmt, from, to int64, into []any) error {
	rows, err := stmt.QueryContext(ctx, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// timed times calls at random places, after a tenth as many that are not counted.
func timed(n int, call func(context.Context, *rand.Rand) error) func(context.Context) ([]time.Duration, error) {
	return func(ctx context.Context) ([]time.Duration, error) {
		random := rand.New(rand.NewPCG(1, 2))
		took := make([]time.Duration, 0, n)
		for i := range n + n/10 {
			began := time.Now()
			if err := call(ctx, random); err != nil {
				return nil, err
			}
			if i >= n/10 {
				took = append(took, time.Since(began))
			}
		}
		return took, nil
	}
}
