package control_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
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
