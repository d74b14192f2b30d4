package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// The statements of the write transaction. They are prepared once, before any
// transaction: preparing needs the one connection that a transaction holds.
const (
	sqlHead         = "SELECT size, note FROM head"
	sqlState        = selectCurrent + "WHERE r.name = ?"
	sqlEntry        = selectRow + "WHERE e.seq = ?"
	sqlAnswered     = "SELECT digest, seq, ts FROM answered WHERE key = ?"
	sqlPlanOf       = "SELECT max(seq) FROM plan WHERE effect = ?"
	sqlPlanOfRun    = "SELECT max(p.seq) FROM plan p JOIN entry e ON e.seq = p.seq JOIN changeset c ON c.id = e.changeset WHERE p.effect = ? AND c.run = ?"
	sqlPutEntry     = "INSERT INTO entry (seq, ts, type, refused, changeset, resource, leaf, salt, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	sqlEraseBody    = "UPDATE entry SET salt = x'', body = x'' WHERE seq = ? AND length(salt) > 0 AND NOT EXISTS (SELECT 1 FROM current WHERE current.seq = entry.seq)"
	sqlPutPlan      = "INSERT INTO plan (seq, effect) VALUES (?, ?)"
	sqlPutManaged   = "INSERT INTO managed (workspace, resource, seq) VALUES (?, ?, ?) ON CONFLICT (workspace, resource) DO UPDATE SET seq = excluded.seq"
	sqlPutHash      = "INSERT INTO hash (idx, hash) VALUES (?, ?)"
	sqlPutState     = "INSERT INTO current (resource, seq, state) VALUES (?, ?, ?) ON CONFLICT (resource) DO UPDATE SET seq = excluded.seq, state = excluded.state"
	sqlPutSecret    = "INSERT INTO secret (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed"
	sqlDropSecret   = "DELETE FROM secret WHERE id = ?"
	sqlPutAnswered  = "INSERT INTO answered (key, digest, seq, ts) VALUES (?, ?, ?, ?)"
	sqlDropAnswered = "DELETE FROM answered WHERE ts < ?"
	sqlPutHead      = "INSERT INTO head (id, size, note) VALUES (0, ?, ?) ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note"
	sqlResource     = "SELECT id FROM resource WHERE name = ?"
	sqlPutResource  = "INSERT INTO resource (name) VALUES (?)"
	sqlChangeset    = "SELECT id FROM changeset WHERE actor = ? AND ticket = ? AND run = ? AND workspace = ? AND owner = ?"
	sqlPutChangeset = "INSERT INTO changeset (actor, ticket, run, workspace, owner) VALUES (?, ?, ?, ?, ?)"
)

// prepared holds the write transaction's statements by their text.
type prepared map[string]*sql.Stmt

func prepare(ctx context.Context, db *sql.DB) (prepared, error) {
	p := prepared{}
	for _, query := range []string{
		sqlHead, sqlState, sqlEntry, sqlAnswered, sqlPlanOf, sqlPlanOfRun, sqlPutEntry, sqlPutPlan, sqlPutManaged, sqlPutHash, sqlPutState,
		sqlPutSecret, sqlDropSecret, sqlPutAnswered, sqlDropAnswered, sqlPutHead, sqlEraseBody, sqlResource, sqlPutResource, sqlChangeset, sqlPutChangeset,
	} {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("prepare: %w", err)
		}
		p[query] = stmt
	}
	return p, nil
}

// row runs a prepared query for one row in the transaction.
func (t *transaction) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.tx.StmtContext(ctx, t.prepared[query]).QueryRowContext(ctx, args...)
}

// exec runs a prepared statement in the transaction.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.tx.StmtContext(ctx, t.prepared[query]).ExecContext(ctx, args...)
}
