package control_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// tangle is a log of random changes of objects of every kind that refer to each other,
// with the configuration after each entry.
type tangle struct {
	*controltest.Log
	rng   *rand.Rand
	certs []certificate
	// at holds the configuration by address after each entry.
	at []map[string]string
}

type certificate struct {
	cert *lb.Certificate
	key  string
}

func newTangle(t *testing.T, log *controltest.Log, seed uint64) *tangle {
	t.Helper()
	w := &tangle{Log: log, rng: rand.New(rand.NewPCG(seed, 11))}
	for i := range 3 {
		cert, key := controltest.Certificate(t, fmt.Sprintf("c%d.example.com", i))
		w.certs = append(w.certs, certificate{cert, key})
	}
	return w
}

// overriding opens an approved ticket that overrides conflicts.
func overriding(t *testing.T, log *controltest.Log, id string) control.Call {
	t.Helper()
	approvedTicket(t, log, control.TicketRequest{Request: ticket.Request{ID: id, OverrideConflicts: true}})
	return controltest.By(id)
}

// change makes a random change, which may be refused.
func (w *tangle) change(t *testing.T, call control.Call) {
	t.Helper()
	r := w.rng
	address := controltest.Address(t, pickOf(r, "pool/a", "pool/a", "pool/b", "pool/b", "listener/x", "listener/x", "listener/y", "listener/y", "route/r", "route/r", "route/r", "route/s", "route/s", "certificate/c", "certificate/d", "freeze/f", "policy/p"))
	current := w.Config().Get(address)
	if current != nil && r.IntN(4) == 0 {
		if _, err := w.Delete(t.Context(), call, address, exists); err != nil {
			t.Fatal(err)
		}
		return
	}
	put := control.Put{Address: address, Precondition: control.Precondition{Absent: current == nil, Exists: current != nil}}
	switch address.Kind {
	case lb.KindPool:
		put.Object = controltest.Numbered(r.IntN(4))
	case lb.KindListener:
		l := controltest.Listener(8000+r.IntN(3), pickOf(r, "", "a", "b"))
		if r.IntN(3) == 0 && w.Config().Get(controltest.Address(t, "certificate/c")) != nil {
			l.Protocol, l.Certificates = lb.ListenerHTTPS, []string{"c"}
		}
		put.Object = l
	case lb.KindRoute:
		put.Object = controltest.Route(pickOf(r, "x", "y"), pickOf(r, "/1", "/2"), pickOf(r, "a", "b"))
	case lb.KindCertificate:
		c := pickOf(r, w.certs...)
		put.Object, put.PrivateKey = c.cert, c.key
	case lb.KindFreeze:
		put.Object = freeze(newClock().Now().AddDate(1, 0, r.IntN(3)), "pool/none")
	case lb.KindPolicy:
		put.Object = rules(map[string]string{"r": fmt.Sprintf(`change.name == "none%d" => false`, r.IntN(3))})
	}
	put.Object.Normalize()
	if _, err := w.Put(t.Context(), call, put); err != nil {
		t.Fatal(err)
	}
}

// follow notes the configuration after each entry.
func (w *tangle) follow(t *testing.T) {
	t.Helper()
	now := map[string]string{}
	if len(w.at) > 0 {
		now = w.at[len(w.at)-1]
	}
	rows, err := w.Store.Rows(t.Context(), int64(len(w.at)), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		e, err := audit.ParseLeaf(row.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == audit.TypeApply && e.Outcome == audit.OutcomeOK {
			body, err := audit.ParseBody(row.Body)
			if err != nil {
				t.Fatal(err)
			}
			now = maps.Clone(now)
			if now[e.Resource] = string(body.After); body.After == nil {
				delete(now, e.Resource)
			}
		}
		w.at = append(w.at, now)
	}
}

// state is the running configuration by address.
func (w *tangle) state() map[string]string {
	out := map[string]string{}
	for _, kind := range lb.Kinds {
		objects, _ := w.Config().List(kind)
		for _, o := range objects {
			out[o.Address.String()] = string(o.Encoded)
		}
	}
	return out
}

// rollBack works a rollback out and makes it.
func rollBack(t *testing.T, log *controltest.Log, call control.Call, r control.Rollback) (*control.Undoing, control.Outcome) {
	t.Helper()
	u, err := log.FindRollback(t.Context(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	o, err := log.RollBack(t.Context(), call, u)
	if err != nil {
		t.Fatal(err)
	}
	return u, o
}

func TestARollbackMakesTheStateThatWas(t *testing.T) {
	effects, ops := 0, map[string]int{}
	for seed := range uint64(3) {
		w := newTangle(t, newLog(t), seed)
		call := overriding(t, w.Log, "CHG-OVER")
		for range 12 {
			for range 8 {
				w.change(t, underOne)
			}
			w.follow(t)
			n := w.rng.IntN(len(w.at))
			before := w.state()
			u, o := rollBack(t, w.Log, call, control.Rollback{Everything: true, To: int64(n), Governance: true})
			controltest.Accepted(t, o, nil)
			if got := w.state(); !maps.Equal(got, w.at[n]) {
				t.Fatalf("seed %d, back to %d: %v\nwant %v", seed, n, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(w.at[n])))
			}
			if len(o.Parts) != len(u.Effects) || len(u.Effects) > 0 && o.Entry.Seq != w.Config().Revision() {
				t.Fatalf("%d effects in %d entries, the last %d; the revision is %d", len(u.Effects), len(o.Parts), o.Entry.Seq, w.Config().Revision())
			}
			for i, part := range o.Parts {
				effects++
				ops[part.Entry.Op+" "+string(controltest.Address(t, part.Entry.Resource).Kind)]++
				if part.Entry.Seq != o.Parts[0].Entry.Seq+int64(i) || part.Entry.Rollback == nil || len(part.Body.Undone) == 0 {
					t.Errorf("entry %d of the rollback: %+v", i, part.Entry)
				}
			}
			w.follow(t)
			for i := range o.Parts {
				w.sane(t, o.Parts[i].Entry.Seq)
			}
			// And back again: a rollback of a rollback equals before.
			if len(o.Parts) > 0 && w.rng.IntN(2) == 0 {
				_, o = rollBack(t, w.Log, call, control.Rollback{Everything: true, To: o.Parts[0].Entry.Seq - 1, Governance: true})
				controltest.Accepted(t, o, nil)
				if got := w.state(); !maps.Equal(got, before) {
					t.Fatalf("seed %d: the rollback of a rollback left %v\nwant %v", seed, got, before)
				}
			}
		}
		stateIsTheFold(t, w.Log)
	}
	for _, op := range lb.Ops {
		for _, kind := range lb.Kinds {
			if ops[string(op)+" "+string(kind)] == 0 {
				t.Errorf("no %s of a %s: the test asks nothing of it", op, kind)
			}
		}
	}
	if effects < 150 {
		t.Errorf("only %d effects", effects)
	}
}

// sane fails the test unless what each object refers to was there in a configuration, and
// nothing that says how others may be changed moved before the others did.
func (w *tangle) sane(t *testing.T, revision int64) {
	t.Helper()
	for address, encoded := range w.at[revision] {
		obj, err := lb.Decode(controltest.Address(t, address).Kind, []byte(encoded))
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range obj.References() {
			if w.at[revision][ref.To.String()] == "" {
				t.Errorf("in revision %d, in the middle of a rollback, %s has no %s", revision, address, ref.To)
			}
		}
	}
}
