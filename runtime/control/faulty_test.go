package control_test

import (
	"context"
	"sync"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// faulty is a store whose commits go through a hook, which may delay them,
// leave them out, or do them and say otherwise.
type faulty struct {
	control.Store
	mu   sync.Mutex // guards hook
	hook func(commit func() error) error
}

// onCommit sets what happens instead of a commit; nil is the commit itself.
func (f *faulty) onCommit(hook func(commit func() error) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Begin implements control.Store.
func (f *faulty) Begin(ctx context.Context) (control.Tx, error) {
	tx, err := f.Store.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &faultyTx{tx, f}, nil
}

type faultyTx struct {
	control.Tx
	store *faulty
}

// Commit implements control.Tx.
func (t *faultyTx) Commit(ctx context.Context, size int64, note []byte) error {
	t.store.mu.Lock()
	hook := t.store.hook
	t.store.mu.Unlock()
	commit := func() error { return t.Tx.Commit(ctx, size, note) }
	if hook == nil {
		return commit()
	}
	return hook(commit)
}
