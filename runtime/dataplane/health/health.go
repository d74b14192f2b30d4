// Package health probes members.
//
// A member starts healthy and is reported unhealthy after unhealthy_threshold
// failures in a row, so a pool serves from its first moment and a daemon that
// restarts does not answer 503 until its first probes are back. It is reported
// healthy again after healthy_threshold successes in a row.
//
// Every probe opens a connection of its own: a member that no longer accepts
// connections must not pass by one that it already has. Between probes a member
// costs a timer and no goroutine.
package health

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	// jitter is the share of an interval by which probes stray to either side,
	// so that probes that came together don't stay together.
	jitter = 0.1
	// firstWithin bounds the random wait before a watch's first probe. Up to this
	// interval the first probes of a large pool spread over all of it.
	firstWithin = 10 * time.Second
	// grid is what due times are rounded up to. Of many members several come due at
	// once, and waking up for them together costs a quarter less CPU than one by one.
	grid = 10 * time.Millisecond
)

// Target is what to probe and how.
type Target struct {
	// Address of the member, host:port. A name is resolved for each probe.
	Address string
	// Check must be valid and is not changed afterwards.
	Check *lb.HealthCheck
	// TLS is how the member is spoken to over TLS, with ServerName set; nil: without
	// TLS. Probes share its session cache, so that most resume the session of one
	// before, and ask for the protocol (ALPN) they speak whatever it says.
	TLS *tls.Config
	// HTTPVersion of an http check. Without TLS, HTTP/2 is spoken with prior knowledge
	// (RFC 9113 §3.3), as it always is by a grpc check. Default: [lb.HTTP1].
	HTTPVersion lb.HTTPVersion
	// ProxyProtocol is the PROXY header that connections begin with. Probes
	// carry no client's address, so they say UNKNOWN or LOCAL. Default: [lb.ProxyOff].
	ProxyProtocol lb.ProxyProtocol
}

// Watch is the repeated probing of one member.
type Watch struct {
	checker  *Checker
	target   Target
	statuses []lb.StatusRange
	report   func(healthy bool, cause error)

	next *Watch // behind it in the checker's queue; protected by Checker.mu

	mu      sync.Mutex // protects what follows
	stopped bool
	healthy bool
	streak  int                // results in a row that contradict healthy
	cancel  context.CancelFunc // ends the probe that is under way; nil between probes
	timer   *time.Timer
}

// Watch begins to probe a member. Healthy is what is held of the member so far.
// Report is called at each change, one call at a time, with the last failure as the
// cause when the member has become unhealthy; it must not call Stop. A cause is a
// short sentence that may hold text from the member.
func (c *Checker) Watch(t Target, healthy bool, report func(healthy bool, cause error)) *Watch {
	w := &Watch{checker: c, target: t, healthy: healthy, report: report}
	if t.TLS != nil {
		w.target.TLS = speaking(t.TLS, t.protocol())
	}
	if t.Check.Type == lb.HealthHTTP {
		for _, s := range t.Check.ExpectedStatuses {
			if r, err := lb.ParseStatusRange(s); err == nil {
				w.statuses = append(w.statuses, r)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(rand.N(min(t.Check.Interval.Std(), firstWithin)), w.due)
	return w
}

// protocol is what probes speak, as ALPN names it; "" for a tcp check.
func (t *Target) protocol() string {
	switch {
	case t.Check.Type == lb.HealthTCP:
		return ""
	case t.Check.Type == lb.HealthGRPC || t.HTTPVersion == lb.HTTP2:
		return lb.ALPNHTTP2
	}
	return lb.ALPNHTTP1
}

// speaking returns a config that asks for the protocol; for "" it is left as it is.
func speaking(c *tls.Config, protocol string) *tls.Config {
	want := []string{protocol}
	if protocol == "" || slices.Equal(c.NextProtos, want) {
		return c
	}
	c = c.Clone()
	c.NextProtos = want
	return c
}

// Stop ends the watch, and the probe that is under way. Once it returns, report is
// not called again.
func (w *Watch) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
	if w.cancel != nil {
		w.cancel()
	}
}

// due makes a probe when its time has come, or leaves it to whoever finishes one if
// no more may run at once.
func (w *Watch) due() {
	if !w.checker.start(w) {
		return
	}
	for ; w != nil; w = w.checker.finish() {
		w.run()
	}
}

// run makes one probe and arranges the next.
func (w *Watch) run() {
	// The timeout begins here: waiting for others is no fault of the member.
	ctx, cancel := context.WithTimeout(context.Background(), w.target.Check.Timeout.Std())
	defer cancel()
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	w.cancel = cancel
	w.mu.Unlock()

	began := time.Now()
	err := w.checker.probe(ctx, w)

	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel = nil
	if w.stopped {
		return
	}
	w.record(err)
	w.timer.Reset(time.Until(w.after(began)))
}

// after returns when the probe after the one that began at a time is due. That may
// have passed.
func (w *Watch) after(began time.Time) time.Time {
	interval := float64(w.target.Check.Interval) * (1 - jitter + 2*jitter*rand.Float64())
	due := began.Add(time.Duration(interval))
	return due.Add(grid - time.Duration(due.UnixNano())%grid)
}

// record takes in a probe's result. The caller holds mu.
func (w *Watch) record(err error) {
	if (err == nil) == w.healthy {
		w.streak = 0
		return
	}
	threshold := w.target.Check.UnhealthyThreshold
	if !w.healthy {
		threshold = w.target.Check.HealthyThreshold
	}
	if w.streak++; w.streak >= threshold {
		w.healthy, w.streak = !w.healthy, 0
		w.report(w.healthy, err)
	}
}
