package dataplane

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// listenerStats counts for one listener, across its versions and moves.
type listenerStats struct {
	open     atomic.Int64
	accepted atomic.Int64 // connections
	duration histogram
	// Bytes that clients and members took, headers left out. Those of an exchange are
	// counted when it ends, those of a connection without HTTP as they move.
	bytesIn, bytesOut atomic.Int64
}

// durationBounds are the upper bounds of the histogram's buckets.
var durationBounds = [...]time.Duration{
	250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second,
	2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
}

// histogram counts durations. It costs a request two additions.
type histogram struct {
	counts [len(durationBounds) + 1]atomic.Uint64
	sum    atomic.Int64 // nanoseconds
}

// observe counts a duration and returns its bucket.
func (h *histogram) observe(d time.Duration) (bucket int) {
	for bucket < len(durationBounds) && d > durationBounds[bucket] {
		bucket++
	}
	h.counts[bucket].Add(1)
	h.sum.Add(int64(d))
	return bucket
}

// collect returns the histogram at about one moment.
func (h *histogram) collect(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, len(durationBounds))
	total := uint64(0)
	for i, bound := range durationBounds {
		total += h.counts[i].Load()
		buckets[bound.Seconds()] = total
	}
	total += h.counts[len(durationBounds)].Load()
	return prometheus.MustNewConstHistogram(desc, total, time.Duration(h.sum.Load()).Seconds(), buckets, labels...)
}

// CodeClasses is how many classes of status there are: 1xx to 5xx.
const CodeClasses = 5

// poolCounts counts what a listener sent to one pool.
type poolCounts struct {
	// requests are counted by class of status and bucket of [durationBounds] at once, so
	// that knowing how long those to one pool take costs a request no addition more.
	requests [CodeClasses][len(durationBounds) + 1]atomic.Uint64
	// Connections of a listener without HTTP: those that a member took, and those that
	// none did.
	carried, failed atomic.Uint64
}

// ofClass is how many requests had a class of status.
func (c *poolCounts) ofClass(class int) (n uint64) {
	for bucket := range c.requests[class] {
		n += c.requests[class][bucket].Load()
	}
	return n
}

// poolCountsFor returns counters for every pool that the listener can choose, and ""
// for what went to none; those of the previous version go on counting.
func poolCountsFor(config *lb.Listener, routes map[string]*lb.Route, old *listener) map[string]*poolCounts {
	counts := map[string]*poolCounts{"": nil, config.DefaultPool: nil}
	for _, r := range routes {
		for pool := range r.Action.Forward {
			counts[pool] = nil
		}
	}
	for pool := range counts {
		if old != nil && old.counts[pool] != nil {
			counts[pool] = old.counts[pool]
		} else {
			counts[pool] = new(poolCounts)
		}
	}
	return counts
}

// observe counts one request. A request on a state that is no longer current may
// count for series that are gone; nobody sees those.
func (l *listener) observe(pool string, status int, took time.Duration) {
	bucket := l.live.stats.duration.observe(took)
	if c, class := l.counts[pool], status/100-1; c != nil && class >= 0 && class < CodeClasses {
		c.requests[class][bucket].Add(1)
	}
}

// carried counts a connection without HTTP that a member took, or that none did.
func (l *listener) carried(pool string, ok bool) {
	switch c := l.counts[pool]; {
	case c == nil:
	case ok:
		c.carried.Add(1)
	default:
		c.failed.Add(1)
	}
}

var (
	requestsDesc = prometheus.NewDesc("auditlb_requests_total",
		"Requests by listener, pool (empty: none was chosen) and class of the status; a client that went away counts as 4xx.",
		[]string{"listener", "pool", "code"}, nil)
	healthyDesc = prometheus.NewDesc("auditlb_member_healthy",
		"Whether a member that is not disabled is held to be healthy.", []string{"pool", "member"}, nil)
	connectionsDesc = prometheus.NewDesc("auditlb_open_connections",
		"Connections of clients that are open, by listener.", []string{"listener"}, nil)
	inFlightDesc = prometheus.NewDesc("auditlb_requests_in_flight",
		"Requests under way, by listener.", []string{"listener"}, nil)
	bytesDesc = prometheus.NewDesc("auditlb_body_bytes_total",
		"Bytes of bodies and of tcp connections, by listener and direction (in: from clients).", []string{"listener", "direction"}, nil)
	durationDesc = prometheus.NewDesc("auditlb_request_duration_seconds",
		"Time from a request's header to the end of its response, by listener; upgraded connections are left out.",
		[]string{"listener"}, nil)
	activeDesc = prometheus.NewDesc("auditlb_member_active",
		"Requests (connections of a tcp pool) that a member is serving.", []string{"pool", "member"}, nil)
	ejectedDesc = prometheus.NewDesc("auditlb_member_ejected",
		"Whether outlier detection keeps a member from being chosen.", []string{"pool", "member"}, nil)
	decisionsDesc = prometheus.NewDesc("auditlb_decisions_total",
		"Times that traffic did not go where the configuration says at the first try, by cause.", []string{"cause"}, nil)
	revisionDesc = prometheus.NewDesc("auditlb_snapshot_revision",
		"Revision of the configuration that new requests run under.", nil, nil)
)

// metrics is the engine's collector. Most series are read from the current state
// when they are asked for, so what is removed has none.
type metrics struct {
	engine    *Engine
	apply     prometheus.Histogram
	decisions map[Cause]*atomic.Uint64 // the map itself never changes
}

func newMetrics(e *Engine) *metrics {
	m := &metrics{
		engine: e,
		apply: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "auditlb_apply_duration_seconds",
			Help:    "Time to make a snapshot current.",
			Buckets: prometheus.ExponentialBuckets(.0001, 4, 9),
		}),
		decisions: make(map[Cause]*atomic.Uint64, len(Causes)),
	}
	for _, cause := range Causes {
		m.decisions[cause] = new(atomic.Uint64)
	}
	return m
}

// decided counts a decision.
func (m *metrics) decided(cause Cause) { m.decisions[cause].Add(1) }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsDesc, healthyDesc, connectionsDesc, inFlightDesc, bytesDesc, durationDesc, activeDesc, ejectedDesc, decisionsDesc, revisionDesc,
	} {
		ch <- d
	}
	m.apply.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	st := m.engine.current.Load()
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	gauge(revisionDesc, float64(st.revision))
	for name, l := range st.listeners {
		gauge(connectionsDesc, float64(l.live.stats.open.Load()), name)
		gauge(inFlightDesc, float64(l.live.inFlight.Load()), name)
		ch <- l.live.stats.duration.collect(durationDesc, name)
		ch <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue, float64(l.live.stats.bytesIn.Load()), name, "in")
		ch <- prometheus.MustNewConstMetric(bytesDesc, prometheus.CounterValue, float64(l.live.stats.bytesOut.Load()), name, "out")
		for _, pool := range slices.Sorted(maps.Keys(l.counts)) {
			for class := range CodeClasses {
				if n := l.counts[pool].ofClass(class); n > 0 {
					ch <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(n), name, pool, strconv.Itoa(class+1)+"xx")
				}
			}
		}
	}
	for name, p := range st.pools {
		for key, member := range p.members {
			if member.state == lb.MemberDisabled {
				continue
			}
			gauge(healthyDesc, number(member.load.Healthy()), name, key)
			gauge(ejectedDesc, number(member.load.Ejected()), name, key)
			gauge(activeDesc, float64(member.load.Active()), name, key)
		}
	}
	for cause, n := range m.decisions {
		ch <- prometheus.MustNewConstMetric(decisionsDesc, prometheus.CounterValue, float64(n.Load()), string(cause))
	}
	m.apply.Collect(ch)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
