package dataplane_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// patient is a member whose health can be switched; it counts requests and probes.
type patient struct {
	address        string
	sick           atomic.Bool
	probes, served atomic.Int64
}

func newPatient(t *testing.T, name string) *patient {
	p := &patient{}
	p.address = backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			p.probes.Add(1)
			if p.sick.Load() {
				w.WriteHeader(500)
			}
			return
		}
		p.served.Add(1)
		io.WriteString(w, name)
	})
	return p
}

func checked(p *lb.Pool) *lb.Pool {
	return alter(p, func(p *lb.Pool) {
		c := lb.NewHealthCheck()
		c.Path, c.Interval = "/healthz", lb.Duration(20*time.Millisecond)
		p.HealthCheck = &c
	})
}

func TestUnhealthyMemberIsTakenOutAndReturns(t *testing.T) {
	a, b := newPatient(t, "a"), newPatient(t, "b")
	e := newEngine(t, dataplane.Options{})
	p := checked(pool(members("a", a.address, "b", b.address)))
	e.Apply(simple(1, p))
	client, url := newClient(t), "http://"+address(t, e, "web")
	healthy := func() bool { return e.Status().Pools["app"].Members["a"].Healthy }
	if !healthy() {
		t.Error("a member is unhealthy before it failed a probe")
	}
	a.sick.Store(true)
	eventually(t, "unhealthy", func() bool { return !healthy() })
	if cause := e.Status().Pools["app"].Members["a"].Cause; cause != "answered status 500" {
		t.Errorf("the cause is %q", cause)
	}
	for range 20 {
		wantGet(t, client, url, 200, "b")
	}
	// Health survives a change of the pool.
	e.Apply(simple(2, alter(p, member("a", func(m *lb.Member) { m.Weight = 50 }))))
	for range 20 {
		wantGet(t, client, url, 200, "b")
	}
	a.sick.Store(false)
	eventually(t, "healthy again", healthy)
	before := a.served.Load()
	for range 102 {
		get(t, client, url)
	}
	if got := a.served.Load() - before; got != 100 {
		t.Errorf("a member that returned got %d of 102 requests, want 100 by weights 50 to 1", got)
	}
}

func TestBackupServesWhileAllOthersAreUnhealthy(t *testing.T) {
	a, b := newPatient(t, "a"), newPatient(t, "backup")
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, alter(checked(pool(members("a", a.address, "b", b.address))), member("b", func(m *lb.Member) { m.Backup = true }))))
	client, url := newClient(t), "http://"+address(t, e, "web")
	for range 4 {
		wantGet(t, client, url, 200, "a")
	}
	a.sick.Store(true)
	eventually(t, "served by the backup", func() bool { _, body := get(t, client, url); return body == "backup" })
	b.sick.Store(true)
	eventually(t, "without a healthy member", func() bool { status, _ := get(t, client, url); return status == 503 })
	a.sick.Store(false)
	eventually(t, "served by the first again", func() bool { _, body := get(t, client, url); return body == "a" })
}

func TestDisabledAndRemovedMembersAreNotProbedAndDrainedOnesAre(t *testing.T) {
	disabled, removed, drained := newPatient(t, ""), newPatient(t, ""), newPatient(t, "")
	e := newEngine(t, dataplane.Options{})
	p := checked(pool(members("disabled", disabled.address, "removed", removed.address, "drained", drained.address)))
	e.Apply(simple(1, p))
	for _, m := range []*patient{disabled, removed, drained} {
		eventually(t, "probed", func() bool { return m.probes.Load() > 0 })
	}
	p = alter(p, member("disabled", func(m *lb.Member) { m.State = lb.MemberDisabled }))
	p = alter(p, member("drained", func(m *lb.Member) { m.State = lb.MemberDrain }))
	delete(p.Members, "removed")
	e.Apply(simple(2, p))
	was := []int64{disabled.probes.Load(), removed.probes.Load(), drained.probes.Load()}
	eventually(t, "probing on", func() bool { return drained.probes.Load() > was[2]+10 })
	// A probe may have been under way.
	if d, r := disabled.probes.Load()-was[0], removed.probes.Load()-was[1]; d > 1 || r > 1 {
		t.Errorf("%d probes of a disabled, %d of a removed member", d, r)
	}
}

func TestWithoutAHealthCheckAnUnhealthyMemberCountsAsHealthyAgain(t *testing.T) {
	a := newPatient(t, "a")
	a.sick.Store(true)
	p := pool(members("a", a.address))
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, checked(p)))
	client, url := newClient(t), "http://"+address(t, e, "web")
	eventually(t, "unhealthy", func() bool { status, _ := get(t, client, url); return status == 503 })
	e.Apply(simple(2, p))
	wantGet(t, client, url, 200, "a")
}

// series gathers all values by name and labels; a histogram's value is its count.
func series(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

func TestMetricsCountAndGoWithTheirObjects(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	e := newEngine(t, dataplane.Options{Registerer: registry})
	p := pool(members("a", named(t, "a"), "off", unused(t)))
	p = alter(p, member("off", func(m *lb.Member) { m.State = lb.MemberDisabled }))
	e.Apply(simple(41, p))
	client, url := newClient(t), "http://"+address(t, e, "web")
	get(t, client, url)
	e.Apply(simple(42, alter(p, member("a", func(m *lb.Member) { m.Weight = 9 }))))
	get(t, client, url)
	none := lb.NewRoute()
	none.Listener, none.Match.PathPrefix, none.Action.Forward = "web", "/none", map[string]lb.ForwardTarget{"none": {Weight: 1}}
	s := simple(43, p)
	s.Routes = map[string]*lb.Route{"none": none}
	e.Apply(s)
	get(t, client, url+"/none")

	want := map[string]float64{
		"auditlb_requests_total code=2xx listener=web pool=app":  2, // across versions of the pool
		"auditlb_requests_total code=5xx listener=web pool=none": 1,
		"auditlb_request_duration_seconds listener=web":          3,
		"auditlb_member_healthy member=a pool=app":               1,
		"auditlb_open_connections listener=web":                  1,
		"auditlb_requests_in_flight listener=web":                0,
		"auditlb_body_bytes_total direction=in listener=web":     0,
		"auditlb_body_bytes_total direction=out listener=web":    2 + float64(len("no healthy member\n")),
		"auditlb_member_active member=a pool=app":                0,
		"auditlb_member_ejected member=a pool=app":               0,
		"auditlb_snapshot_revision":                              43,
		"auditlb_apply_duration_seconds":                         3,
	}
	// A request is counted just after its response is sent.
	eventually(t, "counted", func() bool { return series(t, registry)["auditlb_request_duration_seconds listener=web"] == 3 })
	got := series(t, registry)
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
		delete(got, name)
	}
	for name := range got {
		cause, ok := strings.CutPrefix(name, "auditlb_decisions_total cause=")
		if !ok {
			t.Errorf("unexpected series %s", name)
		} else if want := cause == string(dataplane.CauseNoMember); (got[name] == 1) != want {
			t.Errorf("%s is %v", name, got[name])
		}
	}

	e.Apply(&dataplane.Snapshot{Revision: 44})
	got = series(t, registry)
	delete(got, "auditlb_snapshot_revision")
	delete(got, "auditlb_apply_duration_seconds")
	for name := range got {
		if strings.HasPrefix(name, "auditlb_decisions_total ") {
			continue
		}
		t.Errorf("series %s outlives its object", name)
	}
}
