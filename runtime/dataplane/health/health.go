// Package health probes members.
//
// A member starts healthy and is reported unhealthy after unhealthy_threshold
// failures in a row, so a pool serves from its first moment and a daemon that
// restarts does not answer 503 until its first probes are back. It is reported
// healthy again after healthy_threshold successes in a row.
package health

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// DefaultConcurrency is how many probes run at once, over all pools.
	DefaultConcurrency = 512
	// jitter is the share of an interval by which probes stray to either side,
	// so that probes that started together don't stay together.
	jitter = 0.1
	// firstWithin bounds the random wait before a watch's first probe.
	firstWithin = time.Second
)

// Checker runs probes, no more than a given number at once.
type Checker struct {
	slots chan struct{}
	probe *prober
}

// NewChecker returns a checker that runs at most concurrency probes at once; 0
// means [DefaultConcurrency].
func NewChecker(concurrency int) *Checker {
	if concurrency <= 0 {
		concurrency = DefaultConcurrency
	}
	return &Checker{slots: make(chan struct{}, concurrency), probe: newProber()}
}

// Watch is the repeated probing of one member.
type Watch struct {
	checker  *Checker
	address  string
	config   *lb.HealthCheck
	statuses []lb.StatusRange
	report   func(healthy bool, cause error)
	stop     context.CancelFunc
	ctx      context.Context

	mu      sync.Mutex // protects what follows
	stopped bool
	healthy bool
	streak  int // results in a row that contradict healthy
	timer   *time.Timer
}

// Watch begins to probe the member at an address (host:port). Healthy is what is
// held of the member so far. Report is called at each change, one call at a time,
// with the last failure as the cause when the member has become unhealthy; it
// must not call Stop.
func (c *Checker) Watch(address string, config *lb.HealthCheck, healthy bool, report func(healthy bool, cause error)) *Watch {
	w := &Watch{checker: c, address: address, config: config, healthy: healthy, report: report}
	for _, s := range config.ExpectedStatuses {
		if r, err := lb.ParseStatusRange(s); err == nil {
			w.statuses = append(w.statuses, r)
		}
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(rand.N(min(config.Interval.Std(), firstWithin)), w.run)
	return w
}

// Stop ends the watch. Once it returns, report is not called again.
func (w *Watch) Stop() {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

// run makes one probe and arranges the next.
func (w *Watch) run() {
	select {
	case w.checker.slots <- struct{}{}:
	case <-w.ctx.Done():
		return
	}
	began := time.Now()
	// The timeout begins here: waiting for a slot is no fault of the member.
	ctx, cancel := context.WithTimeout(w.ctx, w.config.Timeout.Std())
	err := w.checker.probe.probe(ctx, w)
	cancel()
	<-w.checker.slots

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	w.record(err)
	interval := float64(w.config.Interval) * (1 - jitter + 2*jitter*rand.Float64())
	w.timer.Reset(max(0, time.Duration(interval)-time.Since(began)))
}

// record takes in a probe's result. The caller holds mu.
func (w *Watch) record(err error) {
	if (err == nil) == w.healthy {
		w.streak = 0
		return
	}
	threshold := w.config.UnhealthyThreshold
	if !w.healthy {
		threshold = w.config.HealthyThreshold
	}
	if w.streak++; w.streak >= threshold {
		w.healthy, w.streak = !w.healthy, 0
		w.report(w.healthy, err)
	}
}
