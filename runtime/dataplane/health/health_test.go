package health

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

type change struct {
	healthy bool
	cause   error
}

func config(kind lb.HealthCheckType) *lb.HealthCheck {
	c := lb.NewHealthCheck()
	c.Type, c.Interval, c.Timeout = kind, lb.Duration(20*time.Millisecond), lb.Duration(20*time.Millisecond)
	c.HealthyThreshold, c.UnhealthyThreshold = 2, 3
	return &c
}

func watch(t *testing.T, address string, c *lb.HealthCheck) <-chan change {
	t.Helper()
	changes := make(chan change, 100)
	w := NewChecker(0).Watch(address, c, true, func(healthy bool, cause error) { changes <- change{healthy, cause} })
	t.Cleanup(w.Stop)
	return changes
}

func next(t *testing.T, changes <-chan change) change {
	t.Helper()
	select {
	case c := <-changes:
		return c
	case <-time.After(20 * time.Second):
		t.Fatal("no change of health was reported")
		return change{}
	}
}

// server answers probes with a status that can change, and counts them.
func server(t *testing.T) (address string, status, probes *atomic.Int64) {
	t.Helper()
	status, probes = new(atomic.Int64), new(atomic.Int64)
	status.Store(200)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probes.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), status, probes
}

func TestHealthChangesOnlyAtTheThresholds(t *testing.T) {
	address, status, probes := server(t)
	status.Store(500)
	changes := watch(t, address, config(lb.HealthHTTP))

	down := next(t, changes)
	if down.healthy || down.cause == nil || !strings.Contains(down.cause.Error(), "500") {
		t.Errorf("the first change is %+v, want unhealthy because of status 500", down)
	}
	if n := probes.Load(); n != 3 {
		t.Errorf("unhealthy after %d failures, want 3", n)
	}
	status.Store(204)
	probes.Store(0)
	if up := next(t, changes); !up.healthy {
		t.Errorf("the second change is %+v, want healthy", up)
	}
	if n := probes.Load(); n < 2 || n > 3 { // one may have been under way
		t.Errorf("healthy after %d successes, want 2", n)
	}
}

func TestASuccessBetweenFailuresStartsTheCountAnew(t *testing.T) {
	w := &Watch{config: config(lb.HealthHTTP), healthy: true, report: func(healthy bool, _ error) {
		t.Errorf("reported healthy = %t", healthy)
	}}
	for _, ok := range []bool{false, false, true, false, false, true, false} {
		var err error
		if !ok {
			err = errTimeout
		}
		w.record(err)
	}
}

func TestProbeOutcomes(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/missing", http.StatusFound) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/host", func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "app.test" || r.URL.RawQuery != "deep=1" {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for _, tc := range []struct {
		name, address string
		change        func(*lb.HealthCheck)
		want          string // part of the failure; "" passes
	}{
		{"expected status", s.Listener.Addr().String(), func(c *lb.HealthCheck) { c.ExpectedStatuses = []string{"404"} }, ""},
		{"unexpected status", s.Listener.Addr().String(), func(c *lb.HealthCheck) {}, "status 404"},
		{"a redirect is not followed", s.Listener.Addr().String(), func(c *lb.HealthCheck) { c.Path = "/redirect" }, ""},
		{"host and query are sent", s.Listener.Addr().String(), func(c *lb.HealthCheck) { c.Path, c.Host = "/host?deep=1", "app.test" }, ""},
		{"timeout", s.Listener.Addr().String(), func(c *lb.HealthCheck) { c.Path = "/slow" }, "timed out"},
		{"tcp connects", s.Listener.Addr().String(), func(c *lb.HealthCheck) { c.Type = lb.HealthTCP }, ""},
		{"tcp refused", closed.Addr().String(), func(c *lb.HealthCheck) { c.Type = lb.HealthTCP }, "refused"},
		{"http refused", closed.Addr().String(), func(c *lb.HealthCheck) {}, "refused"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := config(lb.HealthHTTP)
			c.Timeout = lb.Duration(300 * time.Millisecond)
			tc.change(c)
			w := NewChecker(0).Watch(tc.address, c, true, func(bool, error) {})
			w.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), c.Timeout.Std())
			defer cancel()
			err := w.checker.probe.probe(ctx, w)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the probe ended with %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNoMoreProbesRunAtOnceThanAllowed(t *testing.T) {
	var running, most, total atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := running.Add(1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		time.Sleep(2 * time.Millisecond) // work that probes could overlap in
		running.Add(-1)
		total.Add(1)
	}))
	defer s.Close()
	checker := NewChecker(3)
	c := config(lb.HealthHTTP)
	c.Timeout = lb.Duration(10 * time.Second)
	for range 30 {
		w := checker.Watch(s.Listener.Addr().String(), c, true, func(bool, error) {})
		t.Cleanup(w.Stop)
	}
	for deadline := time.Now().Add(20 * time.Second); total.Load() < 200; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d probes in 20 seconds", total.Load())
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d probes ran at once, want at most 3", most.Load())
	}
}

func TestAStoppedWatchReportsNothing(t *testing.T) {
	address, status, probes := server(t)
	status.Store(500)
	c := config(lb.HealthHTTP)
	var reports atomic.Int64
	w := NewChecker(0).Watch(address, c, true, func(bool, error) { reports.Add(1) })
	w.Stop()
	// A watch that goes on would have probed and reported by the time this one has.
	changes := watch(t, address, c)
	next(t, changes)
	if n := reports.Load(); n != 0 {
		t.Errorf("a stopped watch reported %d changes", n)
	}
	if n := probes.Load(); n > 4 {
		t.Errorf("%d probes arrived; the watch that goes on needed 3", n)
	}
}
