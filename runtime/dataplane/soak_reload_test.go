//go:build linux

package dataplane_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// soakConfig is a configuration that changes all the time, in ways that must not fail
// a request: "m0" of each pool stays active, and the routes to the pools stay.
type soakConfig struct {
	random       *rand.Rand
	snapshot     *dataplane.Snapshot
	full         map[string]*lb.Pool // with all members
	certificates []*tls.Certificate
}

// change returns a snapshot with one change.
func (c *soakConfig) change() *dataplane.Snapshot {
	next := *c.snapshot
	next.Revision++
	switch n := c.random.IntN(20); {
	case n < 14:
		next.Pools = maps.Clone(next.Pools)
		name := soakPick(c.random, slices.Sorted(maps.Keys(next.Pools)))
		next.Pools[name] = alter(next.Pools[name], func(p *lb.Pool) { c.changePool(name, p) })
	case n < 17:
		next.Listeners = maps.Clone(next.Listeners)
		name := soakPick(c.random, slices.Sorted(maps.Keys(next.Listeners)))
		next.Listeners[name] = c.changeListener(*next.Listeners[name])
	case n < 18:
		next.Certificates = map[string]*tls.Certificate{"soak": soakPick(c.random, c.certificates)}
	default:
		next.Routes = maps.Clone(next.Routes)
		name := fmt.Sprint("other", c.random.IntN(10))
		if next.Routes[name] != nil {
			delete(next.Routes, name)
		} else {
			next.Routes[name] = soakRoute("web", "/"+name, "steady")
		}
	}
	c.snapshot = &next
	return &next
}

// changePool changes a pool or one of its members.
func (c *soakConfig) changePool(name string, p *lb.Pool) {
	key := fmt.Sprint("m", 1+c.random.IntN(len(c.full[name].Members)-1))
	m, has := p.Members[key]
	if !has {
		m = c.full[name].Members[key]
	}
	switch c.random.IntN(12) {
	case 0, 1:
		delete(p.Members, key)
		return
	case 2:
		m.State = lb.MemberDrain
	case 3:
		m.State = lb.MemberDisabled
	case 4, 5, 6:
		m.State = lb.MemberActive
	case 7:
		m.Weight = 1 + c.random.IntN(lb.MaxWeight)
	case 8:
		m.Backup = !m.Backup
	case 9:
		p.Timeouts.Connect = lb.Duration(10+c.random.IntN(2)) * lb.Duration(time.Second) // new connections
		return
	case 10:
		p.Algorithm = soakPick(c.random, lb.Algorithms)
		return
	case 11:
		p.HealthCheck = c.full[name].HealthCheck
		if c.random.IntN(4) == 0 {
			p.HealthCheck = nil
		}
		return
	}
	p.Members[key] = m
}

func (c *soakConfig) changeListener(l lb.Listener) *lb.Listener {
	switch c.random.IntN(4) {
	case 0:
		l.Limits.MaxConnections = 10_000 + c.random.IntN(10)
	case 1:
		l.Timeouts.Idle = lb.Duration(60+c.random.IntN(3)) * lb.Duration(time.Second)
	case 2:
		l.HTTP2.MaxConcurrentStreams = 100 + c.random.IntN(3)
	case 3:
		l.Limits.RequestRate, l.Limits.RequestBurst = c.random.IntN(2)*lb.MaxRequestRate, lb.MaxRequestBurst
	}
	return &l
}

// soakRoute sends what begins with a path to a pool.
func soakRoute(listener, prefix, pool string) *lb.Route {
	r := lb.NewRoute()
	r.Listener, r.Match.PathPrefix, r.Action.Forward = listener, prefix, map[string]lb.ForwardTarget{pool: {Weight: 1}}
	r.Normalize()
	return r
}

func soakPick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
