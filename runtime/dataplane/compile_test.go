package dataplane

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// large is a snapshot of n pools with ten members and n routes of one listener.
func large(n int) *Snapshot {
	s := &Snapshot{Pools: map[string]*lb.Pool{}, Routes: map[string]*lb.Route{}, Listeners: map[string]*lb.Listener{}}
	l := lb.NewListener()
	l.Address = "127.0.0.1"
	s.Listeners["web"] = l
	for i := range n {
		p := lb.NewPool()
		p.Members = map[string]lb.Member{}
		for m := range 10 {
			member := lb.NewMember()
			member.Address = fmt.Sprintf("192.0.2.%d:80", m+1)
			p.Members[fmt.Sprint("m", m)] = member
		}
		name := fmt.Sprint("p", i)
		r := lb.NewRoute()
		r.Listener, r.Match.PathPrefix = "web", fmt.Sprint("/", i)
		r.Action.Forward = map[string]lb.ForwardTarget{name: {Weight: 1}}
		s.Pools[name], s.Routes[name] = p, r
	}
	return s
}

// reweighed is the snapshot with one pool changed.
func reweighed(s *Snapshot, name string, weight int) *Snapshot {
	next := *s
	next.Revision++
	next.Pools = maps.Clone(s.Pools)
	p := *s.Pools[name]
	p.Members = maps.Clone(p.Members)
	m := p.Members["m0"]
	m.Weight = weight
	p.Members["m0"] = m
	next.Pools[name] = &p
	return &next
}

func TestOnlyWhatChangedIsCompiledAgain(t *testing.T) {
	e := New(Options{})
	defer e.Shutdown(context.Background())
	first := large(20)
	e.Apply(first)
	before := e.current.Load()
	e.Apply(reweighed(first, "p7", 5))
	after := e.current.Load()
	for name := range first.Pools {
		if changed := before.pools[name] != after.pools[name]; changed != (name == "p7") {
			t.Errorf("pool %s was compiled again: %t", name, changed)
		}
	}
	if before.listeners["web"] != after.listeners["web"] {
		t.Error("the listener was compiled again although neither it nor its routes changed")
	}
	for key, m := range before.pools["p7"].members {
		if heir := after.pools["p7"].members[key]; heir.load != m.load || heir.conns != m.conns {
			t.Errorf("member %s lost its counts or its connections", key)
		}
	}

	next := reweighed(first, "p7", 5)
	next.Routes = maps.Clone(next.Routes)
	delete(next.Routes, "p3")
	e.Apply(next)
	last := e.current.Load()
	if last.listeners["web"] == after.listeners["web"] || last.listeners["web"].routes == after.listeners["web"].routes {
		t.Error("a removed route is still in the table")
	}
}

func BenchmarkApplyOneChangeAmong1000Pools(b *testing.B) {
	e := New(Options{})
	defer e.Shutdown(context.Background())
	s := large(1000)
	e.Apply(s)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s = reweighed(s, "p500", 1+i%256)
		e.Apply(s)
	}
}
