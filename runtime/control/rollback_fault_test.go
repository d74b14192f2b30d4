package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// brittle is a store of which the call fails that a countdown has reached.
type brittle struct {
	control.Store
	left atomic.Int64
}

var errBrittle = errors.New("it broke")

func (b *brittle) step() error {
	if b.left.Add(-1) == 0 {
		return errBrittle
	}
	return nil
}

func stepped[T any](b *brittle, f func() (T, error)) (T, error) {
	if err := b.step(); err != nil {
		var none T
		return none, err
	}
	return f()
}

func (b *brittle) Extent(ctx context.Context) (audit.Extent, error) {
	return stepped(b, func() (audit.Extent, error) { return b.Store.Extent(ctx) })
}

func (b *brittle) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	return stepped(b, func() ([]audit.Row, error) { return b.Store.Changes(ctx, resource, through, limit) })
}

func (b *brittle) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	return stepped(b, func() ([]audit.Row, error) { return b.Store.ChangesAt(ctx, since, through, after, limit) })
}

func (b *brittle) Entries(ctx context.Context, q control.Query) ([]audit.Row, error) {
	return stepped(b, func() ([]audit.Row, error) { return b.Store.Entries(ctx, q) })
}

func (b *brittle) Leaves(ctx context.Context, from int64, limit int) ([][]byte, error) {
	return stepped(b, func() ([][]byte, error) { return b.Store.Leaves(ctx, from, limit) })
}

func (b *brittle) TicketUsage(ctx context.Context, id string) (control.Usage, error) {
	return stepped(b, func() (control.Usage, error) { return b.Store.TicketUsage(ctx, id) })
}

func (b *brittle) Begin(ctx context.Context) (control.Tx, error) {
	return stepped(b, func() (control.Tx, error) {
		tx, err := b.Store.Begin(ctx)
		return &brittleTx{tx, b}, err
	})
}

type brittleTx struct {
	control.Tx
	b *brittle
}

func (t *brittleTx) State(ctx context.Context, resource string) (*audit.Current, error) {
	return stepped(t.b, func() (*audit.Current, error) { return t.Tx.State(ctx, resource) })
}

func (t *brittleTx) Answered(ctx context.Context, key string) (*control.Answered, error) {
	return stepped(t.b, func() (*control.Answered, error) { return t.Tx.Answered(ctx, key) })
}

func (t *brittleTx) PlanOf(ctx context.Context, effect, run string) (int64, bool, error) {
	if err := t.b.step(); err != nil {
		return 0, false, err
	}
	return t.Tx.PlanOf(ctx, effect, run)
}

func (t *brittleTx) Append(ctx context.Context, a control.Appendix) error {
	if err := t.b.step(); err != nil {
		return err
	}
	return t.Tx.Append(ctx, a)
}

func (t *brittleTx) Commit(ctx context.Context, size int64, note []byte) error {
	if err := t.b.step(); err != nil {
		return err
	}
	if err := t.Tx.Commit(ctx, size, note); err != nil {
		return err
	}
	return t.b.step() // it took effect, and nobody knows
}

// TestWhereverARollbackBreaksItHappensAsAWholeOrNotAtAll lets each call of the store fail
// in turn, and then settles by the idempotency key what became of it.
func TestWhereverARollbackBreaksItHappensAsAWholeOrNotAtAll(t *testing.T) {
	inner, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	store := &brittle{Store: inner}
	log := controltest.Open(t, control.Options{Store: store})
	log.Ticket(t, "CHG-1")
	w := newTangle(t, log, 1)
	failures, tookEffect := 0, 0
	for k := int64(1); ; k++ {
		before, wanted := size(t, log)-1, w.state()
		log.Create(t, "CHG-1", "pool/web", controltest.Numbered(1))
		log.Create(t, "CHG-1", "listener/x", controltest.Listener(8000, "web"))
		log.Create(t, "CHG-1", "listener/y", controltest.Listener(8001, ""))
		was, entries := w.state(), size(t, log)
		back := func() (control.Outcome, error) {
			u, err := log.FindRollback(t.Context(), control.Rollback{Everything: true, To: before}, nil)
			if err != nil {
				return control.Outcome{}, err
			}
			return log.RollBack(t.Context(), keyed(fmt.Sprint("key ", k), "digest"), u)
		}
		store.left.Store(k)
		o, err := back()
		broke := store.left.Load() <= 0
		store.left.Store(0)
		if broke {
			failures++
			if err == nil {
				t.Fatalf("call %d of the store failed, and nobody was told", k)
			}
			if got := w.state(); !maps.Equal(got, was) {
				t.Fatalf("after failure %d the running configuration is %v", k, got)
			}
			switch grown := size(t, log) - entries; grown {
			case 0:
			case 3:
				tookEffect++
			default:
				t.Fatalf("failure %d left %d entries", k, grown)
			}
			o, err = back() // the retry finds out
		}
		controltest.Accepted(t, o, err)
		if grown := size(t, log) - entries; grown != 3 || len(o.Parts) != 3 || o.Parts[0].Entry.Seq != entries || o.Entry.Seq != entries+2 {
			t.Fatalf("after failure %d there are %d entries; the answer is entries %d to %d", k, grown, o.Parts[0].Entry.Seq, o.Entry.Seq)
		}
		if got := w.state(); !maps.Equal(got, wanted) {
			t.Fatalf("after failure %d and a retry: %v", k, got)
		}
		if !broke {
			break
		}
	}
	if failures < 20 || tookEffect != 1 {
		t.Errorf("%d failures, of which %d took effect", failures, tookEffect)
	}
	stateIsTheFold(t, log)
}

// lossy is a store that has lost a key, and a body, or has another one in its place.
type lossy struct {
	control.Store
	key  string
	body int64
	edit bool
}

// Secret implements control.Reader.
func (l *lossy) Secret(ctx context.Context, id string) ([]byte, error) {
	if id == l.key {
		return nil, nil
	}
	return l.Store.Secret(ctx, id)
}

// Changes implements history.Log.
func (l *lossy) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := l.Store.Changes(ctx, resource, through, limit)
	return l.lose(rows), err
}

// ChangesAt implements history.Log.
func (l *lossy) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := l.Store.ChangesAt(ctx, since, through, after, limit)
	return l.lose(rows), err
}

func (l *lossy) lose(rows []audit.Row) []audit.Row {
	for i := range rows {
		switch {
		case rows[i].Seq != l.body:
		case l.edit:
			rows[i].Body = ownerless.ReplaceAll(rows[i].Body, []byte(`"owner":""`))
		default:
			rows[i].Salt, rows[i].Body = nil, nil
		}
	}
	return rows
}

var ownerless = regexp.MustCompile(`"owner":"[^"]*"`)
