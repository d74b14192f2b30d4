package dataplane

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane/route"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// manyObjects is how many pools and routes the engine is made for.
const manyObjects = 10_000

// many is a snapshot of manyObjects pools with a few members, and as many routes.
func many() *Snapshot {
	s := large(manyObjects)
	for _, p := range s.Pools {
		maps.DeleteFunc(p.Members, func(key string, _ lb.Member) bool { return key > "m2" })
	}
	return s
}

// rerouted is the snapshot with one route's path changed.
func rerouted(s *Snapshot, name, prefix string) *Snapshot {
	next := *s
	next.Revision++
	next.Routes = maps.Clone(s.Routes)
	r := *s.Routes[name]
	r.Match.PathPrefix = prefix
	next.Routes[name] = &r
	return &next
}

// allocationsOf is how many allocations it takes to apply two snapshots in turn, each.
func allocationsOf(e *Engine, a, b *Snapshot) float64 {
	next := []*Snapshot{a, b}
	return testing.AllocsPerRun(4, func() {
		e.Apply(next[0])
		next[0], next[1] = next[1], next[0]
	})
}

func TestAmongTenThousandPoolsAndRoutesOneChangeCompilesOneObject(t *testing.T) {
	e := New(Options{})
	defer e.Shutdown(context.Background())
	s := many()
	began := time.Now()
	e.Apply(s)
	all := time.Since(began)
	first := e.current.Load()

	began = time.Now()
	pool := reweighed(s, "p7777", 5)
	e.Apply(pool)
	onePool := time.Since(began)
	second := e.current.Load()
	for name, p := range first.pools {
		if changed := second.pools[name] != p; changed != (name == "p7777") {
			t.Fatalf("pool %s was compiled again: %t", name, changed)
		}
	}
	if second.listeners["web"] != first.listeners["web"] {
		t.Error("the listener was compiled again although only a pool changed")
	}

	began = time.Now()
	routes := rerouted(pool, "p4444", "/elsewhere")
	e.Apply(routes)
	oneRoute := time.Since(began)
	third := e.current.Load()
	for name, p := range second.pools {
		if third.pools[name] != p {
			t.Fatalf("pool %s was compiled again although only a route changed", name)
		}
	}
	for path, want := range map[string]string{"/elsewhere": "p4444", "/4444": "", "/4445": "p4445"} {
		if got := routeOf(t, third, path); got != want {
			t.Errorf("%s goes to route %q, want %q", path, got, want)
		}
	}
	if got := routeOf(t, second, "/4444"); got != "p4444" {
		t.Errorf("the table before the change was changed: /4444 goes to %q", got)
	}

	// Comparing ten thousand pointers allocates nothing; building what they stand for would.
	if n := allocationsOf(e, s, pool); n > manyObjects/20 {
		t.Errorf("a changed pool makes %v allocations", n)
	}
	if n := allocationsOf(e, pool, routes); n > manyObjects/20 {
		t.Errorf("a changed route makes %v allocations", n)
	}
	t.Logf("Apply of all: %s; of one changed pool: %s; of one changed route: %s", all, onePool, oneRoute)
}

// routeOf is the name of the route for a path, "" for none.
func routeOf(t *testing.T, st *state, path string) string {
	t.Helper()
	r, err := st.listeners["web"].routes.Match(&route.Request{Host: []byte("a.test"), Method: []byte("GET"), Path: []byte(path)})
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		return ""
	}
	return r.Name
}

func TestALookupAmongTenThousandRoutesTakesNoLongerThanAmongTen(t *testing.T) {
	// The fastest of many runs is one that nothing else has disturbed.
	fastest := func(n int) time.Duration {
		table := route.New(large(n).Routes, nil)
		requests := make([]route.Request, 10)
		for i := range requests {
			path := fmt.Sprintf("/%d/some/file", i*n/len(requests))
			requests[i] = route.Request{Host: []byte("a.test"), Method: []byte("GET"), Path: []byte(path)}
		}
		least := time.Hour
		for range 200 {
			began := time.Now()
			for i := range requests {
				if r, err := table.Match(&requests[i]); err != nil || r == nil {
					t.Fatalf("%s: %v, %v", requests[i].Path, r, err)
				}
			}
			least = min(least, time.Since(began))
		}
		return least / time.Duration(len(requests))
	}
	few, many := fastest(10), fastest(manyObjects)
	if many > 5*few {
		t.Errorf("a lookup takes %s among %d routes, %s among 10", many, manyObjects, few)
	}
	t.Logf("a lookup takes %s among %d routes, %s among 10", many, manyObjects, few)
}

func BenchmarkApplyOneChangeAmongTenThousand(b *testing.B) {
	for name, change := range map[string]func(s *Snapshot, i int) *Snapshot{
		"pool":  func(s *Snapshot, i int) *Snapshot { return reweighed(s, "p7777", 1+i%lb.MaxWeight) },
		"route": func(s *Snapshot, i int) *Snapshot { return rerouted(s, "p4444", fmt.Sprint("/elsewhere", i%2)) },
	} {
		b.Run(name, func(b *testing.B) {
			e := New(Options{})
			defer e.Shutdown(context.Background())
			s := many()
			e.Apply(s)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				s = change(s, i)
				b.StartTimer()
				e.Apply(s)
			}
		})
	}
}
