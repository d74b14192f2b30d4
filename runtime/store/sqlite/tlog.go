package sqlite

import (
	"context"
	"database/sql"
)

// Leaves implements control.Reader.
func (r *reader) Leaves(ctx context.Context, from int64, limit int) ([][]byte, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", from, from+int64(limit))
	return collect(rows, err, func(rows interface{ Scan(...any) error }) ([]byte, error) {
		var leaf sql.RawBytes
		err := rows.Scan(&leaf)
		return append([]byte(nil), leaf...), err
	})
}
