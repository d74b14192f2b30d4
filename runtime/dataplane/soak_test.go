//go:build linux

package dataplane_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// soakTime is how long the soak test puts the engine under load: 8 seconds, or what
// AUDITLB_SOAK says.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("AUDITLB_SOAK")
	if text == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("AUDITLB_SOAK: %v", err)
	}
	return d
}

// soak is a load on an engine.
type soak struct {
	t                 *testing.T
	stop              atomic.Bool
	web, tls, streams string      // addresses of listeners
	config            *tls.Config // of clients
	mortal            map[string]*soakMember
	records           *soakRecords

	clients sync.WaitGroup
	counts  sync.Map // of *atomic.Int64, by what is counted
	faults  atomic.Int64
}

// count counts something for the summary.
func (s *soak) count(what string) {
	n, ok := s.counts.Load(what)
	if !ok {
		n, _ = s.counts.LoadOrStore(what, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// fault reports what should not have happened. After a few there is nothing to learn.
func (s *soak) fault(format string, args ...any) {
	if n := s.faults.Add(1); n <= 10 {
		s.t.Errorf(format, args...)
	} else {
		s.stop.Store(true)
	}
}

func TestNothingIsLostOrLeftBehindUnderLoad(t *testing.T) {
	lasts := soakTime(t)
	s := &soak{t: t, records: newSoakRecords(), config: &tls.Config{ServerName: "soak.test", InsecureSkipVerify: true}}
	pools, all := s.pools()
	config := &soakConfig{
		random:       rand.New(rand.NewPCG(0, 0)),
		full:         pools,
		certificates: []*tls.Certificate{certificate(t, "first", "soak.test"), certificate(t, "second", "soak.test")},
	}
	whole := soakSnapshot(pools, config.certificates[0])
	config.snapshot = whole
	without := newSoakResources(t)
	e := dataplane.New(dataplane.Options{Recorder: s.records})
	shutdown := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return e.Shutdown(ctx)
	}
	t.Cleanup(func() { _ = shutdown() })
	e.Apply(whole)
	s.web, s.tls, s.streams = address(t, e, "web"), address(t, e, "tls"), address(t, e, "streams")

	before := newSoakResources(t)
	s.load()
	s.reload(e, config, lasts)
	s.stop.Store(true)
	s.clients.Wait()
	s.summarize()

	// A last change renews all connections to members: those that are idle end.
	last := *whole
	last.Revision = config.snapshot.Revision + 1
	last.Pools = map[string]*lb.Pool{}
	for name, p := range whole.Pools {
		last.Pools[name] = alter(p, func(p *lb.Pool) { p.Timeouts.Connect, p.HealthCheck = lb.Duration(20*time.Second), nil })
	}
	e.Apply(&last)
	busy := []string{"never looked at"}
	for deadline := time.Now().Add(patience); len(busy) > 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		busy = soakBusy(e.Status(), all)
	}
	if len(busy) > 0 {
		t.Errorf("%s after the load: %s", patience, strings.Join(busy, ", "))
	}
	s.records.forget()
	before.settles(t)
	if err := shutdown(); err != nil {
		t.Errorf("shutdown without load: %v", err)
	}
	without.settles(t)
}

// pools starts all members. Those of pool mortal die.
func (s *soak) pools() (map[string]*lb.Pool, map[string]map[string]*soakMember) {
	corrupt := func(err error) { s.fault("%v", err) }
	pools, all := map[string]*lb.Pool{}, map[string]map[string]*soakMember{}
	for name, tc := range map[string]struct {
		ip       string
		protocol lb.PoolProtocol
		serve    func(net.Listener, *soakMember)
	}{
		"steady":      {"1", lb.PoolHTTP, soakServeHTTP},
		"multiplexed": {"2", lb.PoolHTTP, soakServeHTTP},
		"mortal":      {"3", lb.PoolHTTP, soakServeHTTP},
		"streams":     {"4", lb.PoolTCP, soakServeEcho},
	} {
		pools[name], all[name] = soakPool(s.t, tc.ip, 5, tc.protocol, tc.serve, corrupt)
	}
	pools["multiplexed"].HTTPVersion = lb.HTTP2
	pools["mortal"].Retries = lb.Retries{Attempts: 5, On: []lb.RetryCause{lb.RetryConnectFailure, lb.RetryReset}, BudgetPercent: lb.MaxPercent}
	s.mortal = all["mortal"]
	return pools, all
}

// soakSnapshot has listeners of every kind, with routes to the pools.
func soakSnapshot(pools map[string]*lb.Pool, certificate *tls.Certificate) *dataplane.Snapshot {
	secure := listener(lb.ListenerHTTPS, "")
	secure.Certificates = []string{"soak"}
	snapshot := &dataplane.Snapshot{
		Pools: pools, Routes: map[string]*lb.Route{},
		Listeners:    map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, ""), "tls": secure, "streams": listener(lb.ListenerTCP, "streams")},
		Certificates: map[string]*tls.Certificate{"soak": certificate},
	}
	for _, l := range snapshot.Listeners {
		l.AccessRecords = lb.AccessAll
	}
	for _, name := range []string{"steady", "multiplexed", "mortal"} {
		for _, l := range []string{"web", "tls"} {
			snapshot.Routes[name+"-"+l] = soakRoute(l, "/"+name, name)
		}
	}
	snapshot.Routes["steady-web"].Action.Mirror = &lb.Mirror{Pool: "mortal", Percent: 10}
	return snapshot
}

// reload applies a hundred changes a second for as long as the load lasts.
func (s *soak) reload(e *dataplane.Engine, config *soakConfig, lasts time.Duration) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(lasts); time.Now().Before(end) && !s.stop.Load(); <-ticker.C {
		e.Apply(config.change())
		s.count("reloads")
	}
}

// summarize logs what was done, and makes sure that something was.
func (s *soak) summarize() {
	for _, what := range []string{"requests to steady", "requests to multiplexed", "requests to mortal", "WebSockets", "TCP connections", "clients that left", "deaths", "reloads"} {
		if _, ok := s.counts.Load(what); !ok {
			s.t.Errorf("no %s in all the load", what)
		}
	}
	var lines []string
	s.counts.Range(func(what, n any) bool {
		lines = append(lines, fmt.Sprintf("%s: %d", what, n.(*atomic.Int64).Load()))
		return true
	})
	slices.Sort(lines)
	s.t.Logf("%s, decisions: %v", strings.Join(lines, ", "), s.records.decided())
}

// soakBusy lists what is still under way or open.
func soakBusy(status dataplane.Status, members map[string]map[string]*soakMember) []string {
	var busy []string
	for name, l := range status.Listeners {
		if l.Connections != 0 {
			busy = append(busy, fmt.Sprintf("listener %s has %d connections", name, l.Connections))
		}
	}
	for pool, all := range members {
		for key, m := range all {
			if active, open := status.Pools[pool].Members[key].ActiveRequests, m.open(); active != 0 || open > 0 {
				busy = append(busy, fmt.Sprintf("member %s of %s has %d requests and %d connections", key, pool, active, open))
			}
		}
	}
	return busy
}

// soakResources is what a process holds.
type soakResources struct {
	goroutines, files int
	heap              uint64
}

func newSoakResources(t *testing.T) soakResources {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	// What a sync.Pool holds goes with the second collection.
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return soakResources{runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

// The engine keeps pipes for splice, at most as many as there were copies at once.
const soakPipes = 64 * 2

// settles waits until no more is held than before.
func (before soakResources) settles(t *testing.T) {
	t.Helper()
	var now soakResources
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		now = newSoakResources(t)
		if now.goroutines <= before.goroutines+5 && now.files <= before.files+soakPipes && now.heap <= before.heap+4<<20 {
			t.Logf("before: %+v, afterwards: %+v", before, now)
			return
		}
	}
	t.Errorf("before the load there were %+v, %s after it %+v", before, patience, now)
	if now.goroutines > before.goroutines+5 {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	}
}
