//go:build linux

package dataplane_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestConnectionsOfEveryKindOutlast300Reloads(t *testing.T) {
	const reloads, clientsOfAKind = 300, 3
	corrupt := func(err error) { t.Error(err) }
	steady, _ := soakPool(t, "1", 3, lb.PoolHTTP, soakServeHTTP, corrupt)
	steady.HealthCheck = nil
	before, after := certificate(t, "before", "soak.test"), certificate(t, "after", "soak.test")
	plain, secure := listener(lb.ListenerHTTP, "steady"), listener(lb.ListenerHTTPS, "steady")
	secure.Certificates = []string{"soak"}
	snapshot := &dataplane.Snapshot{
		Pools:        map[string]*lb.Pool{"steady": steady},
		Listeners:    map[string]*lb.Listener{"web": plain, "tls": secure},
		Certificates: map[string]*tls.Certificate{"soak": before},
	}
	e := newEngine(t, dataplane.Options{})
	e.Apply(snapshot)
	web, over := address(t, e, "web"), address(t, e, "tls")
	config := &tls.Config{ServerName: "soak.test", InsecureSkipVerify: true}

	// Each client has one connection, and nothing sends a request twice.
	var stop atomic.Bool
	var answered [3 * clientsOfAKind]atomic.Int64
	var clients sync.WaitGroup
	run := func(n int, do func(q *soakRequest) error) {
		random := rand.New(rand.NewPCG(uint64(n), 2))
		clients.Go(func() {
			for !stop.Load() {
				q := newSoakRequest(random, "steady")
				q.up, q.down = min(q.up, 4096), min(q.down, 4096)
				if err := do(q); err != nil {
					t.Errorf("%v: %v", q, err)
					return
				}
				answered[n].Add(1)
			}
		})
	}
	for n := range clientsOfAKind {
		for i, way := range []soakWay{{web, "http://" + web, nil}, {over, "https://" + over, config}} {
			c, err := soakDial(way.address, way.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			run(3*n+i, func(q *soakRequest) error { _, err := c.do(way.base, false, q); return err })
		}
		c, conn, err := soakDialHTTP2(over, config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		run(3*n+2, func(q *soakRequest) error { return q.doHTTP2(c, "https://"+over) })
	}

	for i := range reloads {
		next := *snapshot
		next.Revision = int64(i + 1)
		next.Listeners = maps.Clone(snapshot.Listeners)
		for name, l := range snapshot.Listeners {
			changed := *l
			changed.Timeouts.RequestHeader = lb.Duration(10+i%3) * lb.Duration(time.Second)
			changed.Limits.MaxConnections = 1000 + i
			next.Listeners[name] = &changed
		}
		key := fmt.Sprint("m", i%3)
		next.Pools = map[string]*lb.Pool{"steady": alter(steady, func(p *lb.Pool) {
			switch i % 4 {
			case 0:
				delete(p.Members, key)
			case 1:
				member(key, func(m *lb.Member) { m.State = lb.MemberDrain })(p)
			case 2:
				member(key, func(m *lb.Member) { m.Weight = 1 + i%lb.MaxWeight })(p)
			case 3:
				p.Timeouts.Response = lb.Duration(60+i) * lb.Duration(time.Second) // new connections to members
			}
		})}
		next.Routes = map[string]*lb.Route{fmt.Sprint("r", i%7): soakRoute("web", fmt.Sprint("/other", i%7), "steady")}
		if i >= reloads/2 {
			next.Certificates = map[string]*tls.Certificate{"soak": after}
		}
		var then [len(answered)]int64
		for n := range answered {
			then[n] = answered[n].Load()
		}
		e.Apply(&next)
		// A few reloads at a time, so that one also meets the effects of the one before.
		for n := range answered {
			if i%5 == 0 {
				eventually(t, "serving each client on", func() bool { return answered[n].Load() > then[n] || t.Failed() })
			}
		}
	}
	stop.Store(true)
	clients.Wait()
	s := e.Status()
	if s.Revision != reloads || s.Listeners["web"].Connections != clientsOfAKind || s.Listeners["tls"].Connections != 2*clientsOfAKind {
		t.Errorf("after %d reloads the status is %+v, want %d plain and %d secure connections", reloads, s, clientsOfAKind, 2*clientsOfAKind)
	}
	if subject, err := served(over, "soak.test", nil); subject != "after" {
		t.Errorf("a new connection is shown the certificate %q, %v; want the new one", subject, err)
	}
	total := int64(0)
	for n := range answered {
		total += answered[n].Load()
	}
	t.Logf("%d requests on %d connections", total, len(answered))
}
