package history_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
)

// changed is a log of which something has been done to entries.
type changed struct {
	history.Log
	change func(*audit.Row)
}

// Changes implements history.Log.
func (c changed) Changes(ctx context.Context, resource string, through int64, limit int) ([]audit.Row, error) {
	rows, err := c.Log.Changes(ctx, resource, through, limit)
	return c.all(rows), err
}

// ChangesAt implements history.Log.
func (c changed) ChangesAt(ctx context.Context, since, through int64, after string, limit int) ([]audit.Row, error) {
	rows, err := c.Log.ChangesAt(ctx, since, through, after, limit)
	return c.all(rows), err
}

func (c changed) all(rows []audit.Row) []audit.Row {
	for i := range rows {
		c.change(&rows[i])
	}
	return rows
}

// TestNothingIsGuessedOfWhatWasErased: what is still said is what it was before bodies were
// erased, and what can't be said is marked with the entry whose body it would take.
func TestNothingIsGuessedOfWhatWasErased(t *testing.T) {
	p := newPast(t, 5, 120)
	rng := rand.New(rand.NewPCG(8, 9))
	known, gone, objectsGone := 0, 0, 0
	for range 30 {
		erased := map[int64]bool{}
		for seq := range p.at {
			erased[int64(seq)] = rng.IntN(4) == 0
		}
		log := changed{p.Store, func(row *audit.Row) {
			if erased[row.Seq] {
				row.Salt, row.Body = nil, nil
			}
		}}
		n := rng.IntN(len(p.at))
		objects, _, err := history.StateAt(t.Context(), log, int64(n), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(objects) != len(p.at[n]) {
			t.Errorf("state at %d has %d objects, want %d", n, len(objects), len(p.at[n]))
		}
		for _, o := range objects {
			if o.Gone != erased[o.Entry.Seq] || !o.Gone && string(o.Encoded) != p.at[n][o.Address.String()].encoded || o.Gone && o.Encoded != nil {
				t.Errorf("%s at %d of entry %d, erased %t: %+v", o.Address, n, o.Entry.Seq, erased[o.Entry.Seq], o)
			}
			object, blamed, err := history.Blame(t.Context(), log, o.Address, int64(n))
			if err != nil {
				t.Fatal(err)
			}
			if object.Gone {
				objectsGone++
				continue
			}
			set := p.at[n][o.Address.String()].set
			if len(blamed) != len(set) {
				t.Errorf("%s at %d: %d attributes, want %d", o.Address, n, len(blamed), len(set))
			}
			for _, a := range blamed {
				switch want := set[a.Pointer]; {
				case !a.Gone && a.Entry.Seq == want && !erased[want]:
					known++
				case a.Gone && erased[a.Entry.Seq] && want <= a.Entry.Seq:
					gone++
				default:
					t.Errorf("%s%s at %d was set by %d; blamed on %d (gone %t, erased %t)", o.Address, a.Pointer, n, want, a.Entry.Seq, a.Gone, erased[a.Entry.Seq])
				}
			}
		}
		other := rng.IntN(len(p.at))
		differences, _, err := history.Diff(t.Context(), log, int64(n), int64(other), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differences {
			if patch, err := d.Patch(); err != nil || d.Gone() != (len(patch) == 0) {
				t.Errorf("%s from %d to %d: gone %t, patch %v, %v", d.Address, n, other, d.Gone(), patch, err)
			}
		}
	}
	if known < 100 || gone < 100 || objectsGone < 5 {
		t.Errorf("%d known, %d gone attributes, %d gone objects: the test asks little", known, gone, objectsGone)
	}
}

func TestWhatCanNotBeReadIsDamageAndNamed(t *testing.T) {
	p := newPast(t, 5, 60)
	for name, damage := range map[string]func(*audit.Row){
		"header": func(row *audit.Row) { row.Leaf = []byte("{}x") },
		"body":   func(row *audit.Row) { row.Body = []byte("{") },
	} {
		t.Run(name, func(t *testing.T) {
			log := changed{p.Store, damage}
			n := int64(len(p.at) - 1)
			_, _, err := history.StateAt(t.Context(), log, n, "", 100)
			for address := range p.at[n] {
				_, _, blame := history.Blame(t.Context(), log, controltest.Address(t, address), n)
				_, diff := history.DiffOf(t.Context(), log, controltest.Address(t, address), 0, n)
				for _, err := range []error{err, blame, diff} {
					var damaged *history.Damage
					if !errors.As(err, &damaged) || damaged.Seq <= 0 {
						t.Errorf("%s: %v", address, err)
					}
				}
			}
		})
	}
}
