package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// accepted selects accepted changes. The type is not for the planner: the index on types
// selects more than that on resources.
var accepted = fmt.Sprintf("+e.type = %d AND e.refused = 0", typeCode(audit.TypeApply))

// sqlChanges finds the changes of an object by the index on resources.
var sqlChanges = fmt.Sprintf(`%s WHERE e.resource = (SELECT id FROM resource WHERE name = ?) AND e.seq <= ? AND %s ORDER BY e.seq DESC LIMIT ?`, selectRow, accepted)

// sqlChangesAt walks over the names of objects, and looks for the newest change of each.
var sqlChangesAt = fmt.Sprintf(`SELECT %s FROM resource o
	JOIN entry e ON e.seq = (SELECT e.seq FROM entry e WHERE e.resource = o.id AND e.seq > ? AND e.seq <= ? AND %s ORDER BY e.seq DESC LIMIT 1) %s
	WHERE o.name > ? AND o.name < ? AND (%s) ORDER BY o.name LIMIT ?`, rowColumns, accepted, rowJoins, anyKind())

// anyKind is the condition that a name is an object's address.
func anyKind() string {
	conditions := make([]string, len(lb.Kinds))
	for i, kind := range lb.Kinds {
		conditions[i] = fmt.Sprintf("o.name GLOB '%s/*'", kind)
	}
	return strings.Join(conditions, " OR ")
}

// lastAddress comes after every address: what there are most of, runs and tickets, comes
// after it and is not walked over.
var lastAddress = func() string {
	last := ""
	for _, kind := range lb.Kinds {
		last = max(last, prefixEnd(string(kind)+"/"))
	}
	return last
}()

// Changes implements history.Log.
func (r *reader) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := r.db.QueryContext(ctx, sqlChanges, resource, through, limit)
	return collect(rows, err, scanRow)
}

// ChangesAt implements history.Log.
func (r *reader) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := r.db.QueryContext(ctx, sqlChangesAt, since, through, after, lastAddress, limit)
	return collect(rows, err, scanRow)
}

// RunSpan implements control.Reader.
func (r *reader) RunSpan(ctx context.Context, run string) (first, last int64, err error) {
	err = r.db.QueryRowContext(ctx, `SELECT coalesce(min(e.seq), 0), coalesce(max(e.seq), 0) FROM changeset c JOIN entry e ON e.changeset = c.id
		WHERE c.run = ? AND c.run <> '' AND `+accepted, run).Scan(&first, &last)
	return first, last, err
}
