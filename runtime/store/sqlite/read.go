package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// reader holds the read side: audit.Source and control.Reader.
type reader struct{ db *sql.DB }

// Extent implements audit.Source.
func (r *reader) Extent(ctx context.Context) (audit.Extent, error) {
	var x audit.Extent
	// One statement is one snapshot.
	err := r.db.QueryRowContext(ctx, `SELECT
		coalesce((SELECT size FROM head), 0), coalesce((SELECT note FROM head), x''),
		coalesce((SELECT value FROM meta WHERE key = 'verified'), x''),
		(SELECT count(*) FROM (SELECT 1 FROM entry LIMIT 1)),
		coalesce((SELECT min(seq) FROM entry), 0), coalesce((SELECT max(seq) FROM entry), -1),
		coalesce((SELECT max(idx) + 1 FROM hash), 0)`).
		Scan(&x.Size, &x.Note, &x.Verified, &x.Entries, &x.First, &x.Last, &x.Hashes)
	return x, err
}

// A row of an entry e, as scanRow reads it.
const (
	rowColumns = `e.seq, e.leaf, e.salt, e.body, e.ts, e.type, e.refused,
	coalesce(c.actor, ''), coalesce(c.ticket, ''), coalesce(c.run, ''), coalesce(c.workspace, ''), coalesce(c.owner, ''),
	coalesce(r.name, ''), coalesce(p.effect, '')`
	rowJoins = `
	LEFT JOIN changeset c ON c.id = e.changeset
	LEFT JOIN resource r ON r.id = e.resource
	LEFT JOIN plan p ON p.seq = e.seq `
	selectRow = "SELECT " + rowColumns + " FROM entry e " + rowJoins
)

func scanRow(rows interface{ Scan(...any) error }) (audit.Row, error) {
	var row audit.Row
	var kind int
	c := &row.Columns
	err := rows.Scan(&row.Seq, &row.Leaf, &row.Salt, &row.Body, &c.TimeMicros, &kind, &c.Refused,
		&c.Actor, &c.Ticket, &c.Run, &c.Workspace, &c.Owner, &c.Resource, &c.Effect)
	c.Type = typeOf(kind)
	if len(row.Body) == 0 { // erased: none, rather than an empty one
		row.Body = nil
	}
	return row, err
}

// typeOf is the type that a code stands for, or "".
func typeOf(code int) audit.Type {
	if code < 0 || code >= len(audit.Types) {
		return ""
	}
	return audit.Types[code]
}

func typeCode(t audit.Type) int {
	for i, known := range audit.Types {
		if known == t {
			return i
		}
	}
	return -1
}

func collect[T any](rows *sql.Rows, err error, scan func(interface{ Scan(...any) error }) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

const selectCurrent = `SELECT r.name, c.seq, c.state FROM current c JOIN resource r ON r.id = c.resource `

func scanCurrent(rows interface{ Scan(...any) error }) (audit.Current, error) {
	var c audit.Current
	err := rows.Scan(&c.Resource, &c.Seq, &c.State)
	return c, err
}

// optional turns "no rows" into nil.
func optional[T any](v T, err error) (*T, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// Entry implements control.Reader.
func (r *reader) Entry(ctx context.Context, seq int64) (*audit.Row, error) {
	return optional(scanRow(r.db.QueryRowContext(ctx, sqlEntry, seq)))
}

// States implements control.Reader.
func (r *reader) States(ctx context.Context, prefix string, before int64, limit int) ([]audit.Current, error) {
	if before <= 0 {
		before = 1<<63 - 1
	}
	rows, err := r.db.QueryContext(ctx, selectCurrent+
		"WHERE r.name >= ? AND r.name < ? AND c.seq < ? AND c.state IS NOT NULL ORDER BY c.seq DESC LIMIT ?",
		prefix, prefixEnd(prefix), before, limit)
	return collect(rows, err, scanCurrent)
}

// prefixEnd is the first text after all that begin with prefix.
func prefixEnd(prefix string) string {
	b := []byte(prefix)
	b[len(b)-1]++
	return string(b)
}

// CountEntries implements control.Reader.
func (r *reader) CountEntries(ctx context.Context, run string) ([]control.Count, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT type, refused, count(*) FROM entry
		WHERE changeset IN (SELECT id FROM changeset WHERE run = ? AND run <> '') GROUP BY type, refused`, run)
	return collect(rows, err, func(rows interface{ Scan(...any) error }) (control.Count, error) {
		var c control.Count
		var kind int
		err := rows.Scan(&kind, &c.Refused, &c.N)
		c.Type = typeOf(kind)
		return c, err
	})
}

// TicketUsage implements control.Reader.
func (r *reader) TicketUsage(ctx context.Context, id string) (control.Usage, error) {
	rows, err := r.db.QueryContext(ctx, `SELECT c.actor, e.refused, count(*), min(e.seq), max(e.seq)
		FROM changeset c JOIN entry e ON e.changeset = c.id JOIN resource r ON r.id = e.resource
		WHERE c.ticket = ? AND c.ticket <> '' AND e.type IN (?, ?) AND r.name NOT GLOB 'ticket/*' GROUP BY c.actor, e.refused`,
		id, typeCode(audit.TypeApply), typeCode(audit.TypeReject))
	type part struct {
		actor       string
		refused     bool
		n           int
		first, last int64
	}
	parts, err := collect(rows, err, func(rows interface{ Scan(...any) error }) (p part, err error) {
		err = rows.Scan(&p.actor, &p.refused, &p.n, &p.first, &p.last)
		return p, err
	})
	var u control.Usage
	for _, p := range parts {
		if p.refused {
			u.Refused += p.n
			continue
		}
		u.Applied += p.n
		u.Appliers = append(u.Appliers, p.actor)
		if u.First == 0 || p.first < u.First {
			u.First = p.first
		}
		u.Last = max(u.Last, p.last)
	}
	slices.Sort(u.Appliers)
	return u, err
}

// Orphans implements control.Reader.
func (r *reader) Orphans(ctx context.Context) ([]audit.Current, error) {
	// The inner query is asked for resources without a state alone, and finds their
	// entries by the index on resources: what is many is never walked.
	rows, err := r.db.QueryContext(ctx, `SELECT name, seq FROM (
			SELECT r.name, (SELECT max(e.seq) FROM entry e WHERE e.resource = r.id AND e.type IN (?, ?) AND e.refused = 0) AS seq
			FROM resource r LEFT JOIN current c ON c.resource = r.id
			WHERE c.resource IS NULL AND r.name GLOB '*/*')
		WHERE seq IS NOT NULL ORDER BY name LIMIT 100`, typeCode(audit.TypeApply), typeCode(audit.TypeIdentity))
	return collect(rows, err, func(rows interface{ Scan(...any) error }) (o audit.Current, err error) {
		err = rows.Scan(&o.Resource, &o.Seq)
		return o, err
	})
}

// LastUses implements control.Reader.
func (r *reader) LastUses(ctx context.Context) (map[string]time.Time, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT substr(key, ?), CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE key >= ? AND key < ?",
		len(usedPrefix)+1, usedPrefix, prefixEnd(usedPrefix))
	type use struct {
		credential string
		seconds    int64
	}
	uses, err := collect(rows, err, func(rows interface{ Scan(...any) error }) (u use, err error) {
		err = rows.Scan(&u.credential, &u.seconds)
		return u, err
	})
	out := make(map[string]time.Time, len(uses))
	for _, u := range uses {
		out[u.credential] = time.Unix(u.seconds, 0).UTC()
	}
	return out, err
}

// Kept implements control.Reader.
func (r *reader) Kept(ctx context.Context, key string) ([]byte, error) {
	value, err := optional(scanBytes(r.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", keptPrefix+key)))
	if value == nil {
		return nil, err
	}
	return *value, nil
}

// Secret implements control.Reader.
func (r *reader) Secret(ctx context.Context, id string) ([]byte, error) {
	sealed, err := optional(scanBytes(r.db.QueryRowContext(ctx, "SELECT sealed FROM secret WHERE id = ?", id)))
	if sealed == nil {
		return nil, err
	}
	return *sealed, nil
}

func scanBytes(row *sql.Row) (b []byte, err error) {
	err = row.Scan(&b)
	return b, err
}
