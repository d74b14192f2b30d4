package sqlite

import (
	"context"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// manages is [audit.Entry.Manages] as far as an entry's type and operation go.
func manages(entry string) string {
	return fmt.Sprintf(`(%[1]s.type = %[2]d OR %[1]s.type = %[3]d AND
		CASE WHEN json_valid(CAST(%[1]s.leaf AS TEXT)) THEN json_extract(CAST(%[1]s.leaf AS TEXT), '$.op') = '%[4]s' ELSE 0 END)`,
		entry, typeCode(audit.TypeApply), typeCode(audit.TypeDrift), audit.DriftImported)
}

const selectManaged = `SELECT r.name, m.workspace, m.seq, e.leaf FROM managed m JOIN resource r ON r.id = m.resource JOIN entry e ON e.seq = m.seq `

func scanManaged(rows interface{ Scan(...any) error }) (m control.Managed, err error) {
	err = rows.Scan(&m.Resource, &m.Workspace, &m.Seq, &m.Leaf)
	return m, err
}

// Managed implements control.Reader.
func (r *reader) Managed(ctx context.Context, workspace string) ([]control.Managed, error) {
	rows, err := r.db.QueryContext(ctx, selectManaged+
		"WHERE m.resource IN (SELECT resource FROM managed WHERE workspace = ?) ORDER BY r.name, m.workspace", workspace)
	return collect(rows, err, scanManaged)
}

// Managers implements control.Reader.
func (r *reader) Managers(ctx context.Context, resource string) ([]control.Managed, error) {
	rows, err := r.db.QueryContext(ctx, selectManaged+"WHERE r.name = ? ORDER BY m.workspace", resource)
	return collect(rows, err, scanManaged)
}

// Workspaces implements control.Reader.
func (r *reader) Workspaces(ctx context.Context, limit int) ([]string, error) {
	rows, err := r.db.QueryContext(ctx, "SELECT DISTINCT workspace FROM changeset WHERE workspace <> '' ORDER BY workspace LIMIT ?", limit)
	return collect(rows, err, func(rows interface{ Scan(...any) error }) (name string, err error) {
		err = rows.Scan(&name)
		return name, err
	})
}

// strayManaged finds rows of managed whose entry is no such entry of the workspace.
func (r *Reader) strayManaged(ctx context.Context) ([]int64, error) {
	return r.seqs(ctx, `SELECT m.seq FROM managed m WHERE NOT EXISTS (SELECT 1 FROM entry e JOIN changeset c ON c.id = e.changeset
		WHERE e.seq = m.seq AND e.resource = m.resource AND c.workspace = m.workspace AND e.refused = 0 AND `+manages("e")+`) ORDER BY m.seq LIMIT ?`, audit.MaxFindings)
}
