package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// maxCachedIDs bounds the cache; beyond it the cache starts afresh.
const maxCachedIDs = 50_000

// idCache remembers row ids of resources and changesets. Only the writer uses it.
type idCache struct{ ids map[string]int64 }

func newIDCache() idCache { return idCache{map[string]int64{}} }

// childCache is the cache of one transaction over the store's: what it learns
// is forgotten when the transaction is rolled back.
type childCache struct{ parent, own map[string]int64 }

func (c idCache) child() childCache { return childCache{c.ids, map[string]int64{}} }

func (c childCache) get(key string) (int64, bool) {
	if id, ok := c.own[key]; ok {
		return id, true
	}
	id, ok := c.parent[key]
	return id, ok
}

func (c childCache) join() {
	if len(c.parent)+len(c.own) > maxCachedIDs {
		clear(c.parent)
	}
	for key, id := range c.own {
		c.parent[key] = id
	}
}

func (t *transaction) resource(ctx context.Context, name string) (int64, error) {
	return t.id(ctx, "r "+name, sqlResource, sqlPutResource, name)
}

func (t *transaction) changeset(ctx context.Context, c audit.Columns) (int64, error) {
	key := "c " + strings.Join([]string{c.Actor, c.Ticket, c.Run, c.Workspace, c.Owner}, "\x00")
	return t.id(ctx, key, sqlChangeset, sqlPutChangeset, c.Actor, c.Ticket, c.Run, c.Workspace, c.Owner)
}

// id finds a row's id, or makes the row.
func (t *transaction) id(ctx context.Context, key, find, insert string, args ...any) (int64, error) {
	if id, ok := t.cache.get(key); ok {
		return id, nil
	}
	var id int64
	err := t.row(ctx, find, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		var res sql.Result
		if res, err = t.exec(ctx, insert, args...); err == nil {
			id, err = res.LastInsertId()
		}
	}
	if err == nil {
		t.cache.own[key] = id
	}
	return id, err
}
