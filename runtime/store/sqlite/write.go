package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// AnsweredFor is how long an idempotency key is remembered.
const AnsweredFor = 7 * 24 * time.Hour

// Begin implements control.Store.
func (s *Store) Begin(ctx context.Context) (control.Tx, error) {
	if err := s.checkSpace(); err != nil {
		return nil, err
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return nil, classify(err)
	}
	return &transaction{tx: tx, prepared: s.prepared, cache: s.cache.child()}, nil
}

// putMeta keeps a value beside the log.
const putMeta = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"

// MarkVerified implements control.Store.
func (s *Store) MarkVerified(ctx context.Context, note []byte) error {
	_, err := s.write.ExecContext(ctx, putMeta, verifiedKey, note)
	return classify(err)
}

// Keep implements control.Store.
func (s *Store) Keep(ctx context.Context, key string, value []byte) error {
	_, err := s.write.ExecContext(ctx, putMeta, keptPrefix+key, value)
	return classify(err)
}

// KeepLastUses implements control.Store.
func (s *Store) KeepLastUses(ctx context.Context, at map[string]time.Time) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	defer tx.Rollback()
	for credential, used := range at {
		if _, err := tx.ExecContext(ctx, putMeta, usedPrefix+credential, strconv.AppendInt(nil, used.Unix(), 10)); err != nil {
			return classify(err)
		}
	}
	return classify(tx.Commit())
}

// verifiedKey of meta holds the checkpoint up to which the log is known to be right.
const verifiedKey = "verified"

// What keys of meta begin with: usedPrefix those that hold when a credential was
// last used, keptPrefix those of Keep.
const (
	usedPrefix = "used/"
	keptPrefix = "kept/"
)

// transaction is the open write transaction. It implements control.Tx.
type transaction struct {
	tx       *sql.Tx
	prepared prepared
	// cache holds row ids found or made in this transaction; they join the
	// store's cache when it commits.
	cache childCache
}

// Head implements control.Tx.
func (t *transaction) Head(ctx context.Context) (size int64, note []byte, err error) {
	err = t.row(ctx, sqlHead).Scan(&size, &note)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return size, note, err
}

// State implements control.Tx.
func (t *transaction) State(ctx context.Context, resource string) (*audit.Current, error) {
	return optional(scanCurrent(t.row(ctx, sqlState, resource)))
}

// Entry implements control.Tx.
func (t *transaction) Entry(ctx context.Context, seq int64) (*audit.Row, error) {
	return optional(scanRow(t.row(ctx, sqlEntry, seq)))
}

// Answered implements control.Tx.
func (t *transaction) Answered(ctx context.Context, key string) (*control.Answered, error) {
	a := control.Answered{Key: key}
	var ts int64
	err := t.row(ctx, sqlAnswered, key).Scan(&a.Digest, &a.Seq, &ts)
	a.At = time.UnixMicro(ts)
	return optional(a, err)
}

// PlanOf implements control.Tx.
func (t *transaction) PlanOf(ctx context.Context, effect, run string) (int64, bool, error) {
	query, args := sqlPlanOf, []any{effect}
	if run != "" {
		query, args = sqlPlanOfRun, append(args, run)
	}
	var seq sql.NullInt64
	err := t.row(ctx, query, args...).Scan(&seq)
	return seq.Int64, seq.Valid, err
}

// Append implements control.Tx.
func (t *transaction) Append(ctx context.Context, a control.Appendix) error {
	for _, step := range []func(context.Context, control.Appendix) error{
		t.appendEntries, t.keepManaged, t.appendHashes, t.foldStates, t.keepSecrets, t.keepAnswered, t.eraseBodies,
	} {
		if err := step(ctx, a); err != nil {
			return classify(err)
		}
	}
	return nil
}

// each runs a prepared statement for every item.
func each[T any](ctx context.Context, t *transaction, items []T, query string, args func(T) ([]any, error)) error {
	if len(items) == 0 {
		return nil
	}
	stmt := t.tx.StmtContext(ctx, t.prepared[query])
	defer stmt.Close()
	for _, item := range items {
		values, err := args(item)
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) appendEntries(ctx context.Context, a control.Appendix) error {
	var plans []audit.Record
	err := each(ctx, t, a.Records, sqlPutEntry,
		func(r audit.Record) ([]any, error) {
			c := audit.ColumnsOf(&r.Entry)
			if c.Effect != "" {
				plans = append(plans, r)
			}
			changeset, err := t.changeset(ctx, c)
			if err != nil {
				return nil, err
			}
			resource, err := t.resource(ctx, c.Resource)
			if err != nil {
				return nil, err
			}
			return []any{r.Entry.Seq, c.TimeMicros, typeCode(c.Type), c.Refused, changeset, resource, r.Leaf, r.Salt, r.Body}, nil
		})
	if err != nil {
		return fmt.Errorf("append entries: %w", err)
	}
	return each(ctx, t, plans, sqlPutPlan, func(r audit.Record) ([]any, error) {
		return []any{r.Entry.Seq, r.Entry.EffectDigest}, nil
	})
}

func (t *transaction) keepManaged(ctx context.Context, a control.Appendix) error {
	var managing []audit.Record
	for _, r := range a.Records {
		if r.Entry.Manages() {
			managing = append(managing, r)
		}
	}
	return each(ctx, t, managing, sqlPutManaged, func(r audit.Record) ([]any, error) {
		resource, err := t.resource(ctx, r.Entry.Resource)
		return []any{r.Entry.WorkspaceName(), resource, r.Entry.Seq}, err
	})
}

func (t *transaction) appendHashes(ctx context.Context, a control.Appendix) error {
	return each(ctx, t, a.Hashes, sqlPutHash, func(h audit.StoredHash) ([]any, error) {
		return []any{h.Index, h.Hash[:]}, nil
	})
}

func (t *transaction) foldStates(ctx context.Context, a control.Appendix) error {
	return each(ctx, t, a.States, sqlPutState,
		func(c audit.Current) ([]any, error) {
			resource, err := t.resource(ctx, c.Resource)
			return []any{resource, c.Seq, c.State}, err
		})
}

func (t *transaction) keepSecrets(ctx context.Context, a control.Appendix) error {
	for _, s := range a.Secrets {
		query, args := sqlDropSecret, []any{s.ID}
		if s.Sealed != nil {
			query, args = sqlPutSecret, []any{s.ID, s.Sealed}
		}
		if _, err := t.exec(ctx, query, args...); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) keepAnswered(ctx context.Context, a control.Appendix) error {
	if len(a.Answered) == 0 {
		return nil
	}
	newest := a.Answered[len(a.Answered)-1].At
	if _, err := t.exec(ctx, sqlDropAnswered, newest.Add(-AnsweredFor).UnixMicro()); err != nil {
		return err
	}
	return each(ctx, t, a.Answered, sqlPutAnswered, func(a control.Answered) ([]any, error) {
		return []any{a.Key, a.Digest, a.Seq, a.At.UnixMicro()}, nil
	})
}

func (t *transaction) eraseBodies(ctx context.Context, a control.Appendix) error {
	for _, seq := range a.Erase {
		result, err := t.exec(ctx, sqlEraseBody, seq)
		if err != nil {
			return fmt.Errorf("erase the body of entry %d: %w", seq, err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("erase the body of entry %d: there is none, or a current state is made of it", seq)
		}
	}
	return nil
}

// Commit implements control.Tx.
func (t *transaction) Commit(ctx context.Context, size int64, note []byte) error {
	_, err := t.exec(ctx, sqlPutHead, size, note)
	if err != nil {
		return classify(err)
	}
	if err := t.tx.Commit(); err != nil {
		return classify(err)
	}
	t.cache.join()
	return nil
}

// MarkVerified implements control.Tx.
func (t *transaction) MarkVerified(ctx context.Context, note []byte) error {
	_, err := t.tx.ExecContext(ctx, putMeta, verifiedKey, note)
	return classify(err)
}

// Keep implements control.Tx.
func (t *transaction) Keep(ctx context.Context, key string, value []byte) error {
	_, err := t.tx.ExecContext(ctx, putMeta, keptPrefix+key, value)
	return classify(err)
}

// Rollback implements control.Tx.
func (t *transaction) Rollback() { _ = t.tx.Rollback() }
