package sqlite

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// Entries implements control.Reader.
func (r *reader) Entries(ctx context.Context, q control.Query) ([]audit.Row, error) {
	var where []string
	var args []any
	add := func(clause string, values ...any) {
		where = append(where, clause)
		args = append(args, values...)
	}
	if q.Resource != "" {
		add("e.resource = (SELECT id FROM resource WHERE name = ?)", q.Resource)
	}
	if q.Run != "" {
		add("e.changeset IN (SELECT id FROM changeset WHERE run = ? AND run <> '')", q.Run)
	}
	if q.Ticket != "" {
		add("e.changeset IN (SELECT id FROM changeset WHERE ticket = ? AND ticket <> '')", q.Ticket)
	}
	if q.Actor != "" {
		add("e.changeset IN (SELECT id FROM changeset WHERE actor = ?)", q.Actor)
	}
	if q.Workspace != "" {
		add("e.changeset IN (SELECT id FROM changeset WHERE workspace = ? AND workspace <> '')", q.Workspace)
	}
	if q.Owner != "" {
		add("e.changeset IN (SELECT id FROM changeset WHERE owner = ? AND owner <> '')", q.Owner)
	}
	if len(q.Types) > 0 {
		// Literals, so that the planner can use the partial index on plans. With
		// other filters, or several types, the index on types alone must not be
		// chosen: what it selects would have to be sorted.
		column := "+e.type"
		if len(q.Types) == 1 && (len(where) == 0 || q.Types[0] == audit.TypePlan) {
			column = "e.type"
		}
		codes := make([]string, len(q.Types))
		for i, t := range q.Types {
			codes[i] = strconv.Itoa(typeCode(t))
		}
		add(fmt.Sprintf("%s IN (%s)", column, strings.Join(codes, ", ")))
	}
	if !q.Since.IsZero() {
		seq, err := r.firstAtOrAfter(ctx, q.Since.UnixMicro())
		if err != nil {
			return nil, err
		}
		add("e.seq >= ?", seq)
	}
	if !q.Until.IsZero() {
		seq, err := r.firstAtOrAfter(ctx, q.Until.UnixMicro())
		if err != nil {
			return nil, err
		}
		add("e.seq < ?", seq)
	}
	if q.Before > 0 {
		add("e.seq < ?", q.Before)
	}
	query := selectRow
	if len(where) > 0 {
		query += "WHERE " + strings.Join(where, " AND ") + " "
	}
	rows, err := r.db.QueryContext(ctx, query+"ORDER BY e.seq DESC LIMIT ?", append(args, q.Limit)...)
	return collect(rows, err, scanRow)
}

// firstAtOrAfter finds the first seq at or after a time, by bisection: time
// grows with seq, so no index is needed.
func (r *reader) firstAtOrAfter(ctx context.Context, micros int64) (int64, error) {
	var low, high int64
	if err := r.db.QueryRowContext(ctx, "SELECT 0, coalesce(max(seq) + 1, 0) FROM entry").Scan(&low, &high); err != nil {
		return 0, err
	}
	for low < high {
		mid := (low + high) / 2
		var ts int64
		if err := r.db.QueryRowContext(ctx, "SELECT ts FROM entry WHERE seq = ?", mid).Scan(&ts); err != nil {
			return 0, fmt.Errorf("entry %d: %w", mid, err)
		}
		if ts < micros {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}
