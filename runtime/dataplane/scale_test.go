//go:build linux

package dataplane_test

import (
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestTenThousandMembersAreProbedWithoutAGoroutineEach(t *testing.T) {
	const many, probes = lb.MaxMembers, 50
	var accepted atomic.Int64
	serve := func(l net.Listener, m *soakMember) { soakServeEcho(scaleCounted{l, &accepted}, m) }
	one := newSoakMember(t, "127.0.5.1", serve, nil) // which stands for all
	p := pool(nil)
	p.Protocol = lb.PoolTCP
	for i := range many {
		m := lb.NewMember()
		m.Address = one.address
		p.Members[fmt.Sprint("m", i)] = m
	}
	check := lb.NewHealthCheck()
	check.Type, check.Timeout = lb.HealthTCP, lb.Duration(patience)
	probed := alter(p, func(p *lb.Pool) { p.HealthCheck = &check })
	e := newEngine(t, dataplane.Options{ConcurrentProbes: probes})
	apply := func(revision int64, p *lb.Pool) time.Duration {
		began := time.Now()
		s := simple(revision, p)
		s.Listeners = map[string]*lb.Listener{"web": scaleStreams}
		e.Apply(s)
		return time.Since(began)
	}

	before := runtime.NumGoroutine()
	start := apply(1, probed)
	eventually(t, "probing", func() bool { return accepted.Load() > 500 })
	// A probe under way has a few, and the member one.
	if n := runtime.NumGoroutine() - before; n > 10*probes {
		t.Errorf("%d goroutines for %d members of which %d are probed at once", n, many, probes)
	}
	change := apply(2, alter(probed, member("m5000", func(m *lb.Member) { m.Weight = 7 })))
	stop := apply(3, p)
	eventually(t, "without a probe under way", func() bool { return one.open() == 0 })
	stopped := accepted.Load()
	time.Sleep(300 * time.Millisecond) // in which hundreds would come
	if n := accepted.Load() - stopped; n > 0 {
		t.Errorf("%d probes after the health check was removed", n)
	}
	if err := scaleConverse(address(t, e, "web")); err != nil {
		t.Errorf("a connection to one of %d members: %v", many, err)
	}
	healthy := 0
	for _, m := range e.Status().Pools["app"].Members {
		if m.Healthy {
			healthy++
		}
	}
	if healthy != many {
		t.Errorf("%d of %d members are healthy", healthy, many)
	}
	t.Logf("Apply with %d checked members: %s; of one changed: %s; without the check: %s", many, start, change, stop)
}

var scaleStreams = listener(lb.ListenerTCP, "app")

func scaleConverse(address string) error {
	c, err := soakDial(address, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.converse(soakContent{1, 1000})
}

// scaleCounted counts what it accepts.
type scaleCounted struct {
	net.Listener
	accepted *atomic.Int64
}

// Accept implements net.Listener.
func (c scaleCounted) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}
