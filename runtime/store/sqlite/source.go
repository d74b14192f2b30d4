package sqlite

import (
	"context"
	"database/sql"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Rows implements audit.Source.
func (r *reader) Rows(ctx context.Context, from int64, limit int) ([]audit.Row, error) {
	rows, err := r.db.QueryContext(ctx, selectRow+"WHERE e.seq >= ? ORDER BY e.seq LIMIT ?", from, limit)
	return collect(rows, err, scanRow)
}

// maxScanBytes is how much of entries is read in one go: a reader that takes long
// keeps SQLite from starting its write-ahead log afresh, which then grows.
const maxScanBytes = 32 << 20

// Scan implements audit.Source.
func (r *reader) Scan(ctx context.Context, from, to int64, visit func(*audit.Row) error) error {
	for from < to {
		next := to
		read := 0
		err := r.scan(ctx, selectRow+"WHERE e.seq >= ? AND e.seq < ? ORDER BY e.seq", from, to, func(rows *sql.Rows) (more bool, err error) {
			var row audit.Row
			var kind int
			c := &row.Columns
			err = rows.Scan(&row.Seq, (*sql.RawBytes)(&row.Leaf), (*sql.RawBytes)(&row.Salt), (*sql.RawBytes)(&row.Body), &c.TimeMicros, &kind, &c.Refused,
				&c.Actor, &c.Ticket, &c.Run, &c.Workspace, &c.Owner, &c.Resource, &c.Effect)
			if err != nil {
				return false, err
			}
			c.Type = typeOf(kind)
			if read += len(row.Leaf) + len(row.Body); read > maxScanBytes {
				next = row.Seq + 1
			}
			return read <= maxScanBytes, visit(&row)
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// ScanLeaves implements audit.Source. Leaves are small (audit.MaxLeafBytes).
func (r *reader) ScanLeaves(ctx context.Context, from, to int64, visit func(leaf []byte) error) error {
	var leaf sql.RawBytes
	return r.scan(ctx, "SELECT leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", from, to, func(rows *sql.Rows) (bool, error) {
		if err := rows.Scan(&leaf); err != nil {
			return false, err
		}
		return true, visit(leaf)
	})
}

func (r *reader) scan(ctx context.Context, query string, from, to int64, each func(*sql.Rows) (more bool, err error)) error {
	rows, err := r.db.QueryContext(ctx, query, from, to)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if more, err := each(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// HashBlock implements audit.Source.
func (r *reader) HashBlock(ctx context.Context, from, to int64) ([]byte, error) {
	var block []byte
	// The order is that of the inner query. If it were another, the block would
	// not be what is expected, and hashes be compared one by one.
	err := r.db.QueryRowContext(ctx, `SELECT CAST(group_concat(hash, '') AS BLOB)
		FROM (SELECT hash FROM hash WHERE idx >= ? AND idx < ? AND length(hash) = ? ORDER BY idx)`, from, to, tlog.HashSize).Scan(&block)
	if int64(len(block)) != (to-from)*tlog.HashSize {
		return nil, err
	}
	return block, err
}

// HashesAt implements audit.Source.
func (r *reader) HashesAt(ctx context.Context, indexes []int64) ([]audit.StoredHash, error) {
	list, err := json.Marshal(indexes)
	if err != nil {
		return nil, err
	}
	rows, err := r.db.QueryContext(ctx, "SELECT idx, hash FROM hash WHERE idx IN (SELECT value FROM json_each(?))", string(list))
	return collect(rows, err, scanHash)
}

// RowsOf implements audit.Source.
func (r *reader) RowsOf(ctx context.Context, resource string, from int64, limit int) ([]audit.Row, error) {
	rows, err := r.db.QueryContext(ctx, selectRow+"WHERE e.resource = (SELECT id FROM resource WHERE name = ?) AND e.seq >= ? ORDER BY e.seq LIMIT ?", resource, from, limit)
	return collect(rows, err, scanRow)
}

// Hashes implements audit.Source.
func (r *reader) Hashes(ctx context.Context, from, to int64) ([]audit.StoredHash, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT idx, hash FROM hash WHERE idx >= ? AND idx < ? ORDER BY idx", from, to)
	return collect(rows, err, scanHash)
}

func scanHash(rows interface{ Scan(...any) error }) (audit.StoredHash, error) {
	var h audit.StoredHash
	var b []byte
	err := rows.Scan(&h.Index, &b)
	if len(b) == len(tlog.Hash{}) {
		copy(h.Hash[:], b)
	}
	return h, err
}

// Currents implements audit.Source.
func (r *reader) Currents(ctx context.Context, after string, limit int) ([]audit.Current, error) {
	rows, err := r.db.QueryContext(ctx, selectCurrent+"WHERE r.name > ? ORDER BY r.name LIMIT ?", after, limit)
	return collect(rows, err, scanCurrent)
}

// Current implements audit.Source.
func (r *reader) Current(ctx context.Context, resource string) (*audit.Current, error) {
	return optional(scanCurrent(r.db.QueryRowContext(ctx, sqlState, resource)))
}
