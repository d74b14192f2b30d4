package health

import (
	"context"
	"errors"
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

func check(kind lb.HealthCheckType) *lb.HealthCheck {
	c := lb.NewHealthCheck()
	c.Type, c.Interval, c.Timeout = kind, lb.Duration(20*time.Millisecond), lb.Duration(20*time.Millisecond)
	c.HealthyThreshold, c.UnhealthyThreshold = 2, 3
	return &c
}

func watch(t *testing.T, target Target) <-chan change {
	t.Helper()
	changes := make(chan change, 100)
	w := NewChecker(0).Watch(target, true, func(healthy bool, cause error) { changes <- change{healthy, cause} })
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
	c := check(lb.HealthHTTP)
	c.Timeout = lb.Duration(10 * time.Second) // a failure is the status and nothing else
	changes := watch(t, Target{Address: address, Check: c})

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
	w := &Watch{target: Target{Check: check(lb.HealthHTTP)}, healthy: true, report: func(healthy bool, _ error) {
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

func TestAStoppedWatchReportsNothing(t *testing.T) {
	address, status, probes := server(t)
	status.Store(500)
	c := check(lb.HealthHTTP)
	c.Timeout = lb.Duration(10 * time.Second)
	var reports atomic.Int64
	w := NewChecker(0).Watch(Target{Address: address, Check: c}, true, func(bool, error) { reports.Add(1) })
	w.Stop()
	// A watch that goes on would have probed and reported by the time this one has.
	next(t, watch(t, Target{Address: address, Check: c}))
	if n := reports.Load(); n != 0 {
		t.Errorf("a stopped watch reported %d changes", n)
	}
	if n := probes.Load(); n > 4 {
		t.Errorf("%d probes arrived; the watch that goes on needed 3", n)
	}
}

func TestStopEndsTheProbeThatIsUnderWay(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	checker := NewChecker(0)
	checker.probe = func(ctx context.Context, _ *Watch) error {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	c := check(lb.HealthTCP)
	c.Timeout, c.UnhealthyThreshold = lb.Duration(time.Hour), 1
	w := checker.Watch(Target{Check: c}, true, func(bool, error) { t.Error("a stopped watch reported a change") })
	<-begun
	w.Stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the probe ended with %v, want %v", err, context.Canceled)
	}
}
