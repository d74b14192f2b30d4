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
	duration prometheus.Observer
}

// codeClasses is how many classes of status there are: 1xx to 5xx.
const codeClasses = 5

// requestCounts counts the requests of a listener to one pool by class of status.
type requestCounts [codeClasses]atomic.Uint64

// requestCountsFor returns a counter for every pool that the listener can choose,
// and "" for requests without one; those of the previous version go on counting.
func requestCountsFor(config *lb.Listener, routes map[string]*lb.Route, old *listener) map[string]*requestCounts {
	counts := map[string]*requestCounts{"": nil, config.DefaultPool: nil}
	for _, r := range routes {
		for pool := range r.Action.Forward {
			counts[pool] = nil
		}
	}
	for pool := range counts {
		if old != nil && old.requests[pool] != nil {
			counts[pool] = old.requests[pool]
		} else {
			counts[pool] = new(requestCounts)
		}
	}
	return counts
}

// observe counts one request. A request on a state that is no longer current may
// count for series that are gone; nobody sees those.
func (l *listener) observe(pool string, status int, took time.Duration) {
	l.stats.duration.Observe(took.Seconds())
	if c, class := l.requests[pool], status/100-1; c != nil && class >= 0 && class < codeClasses {
		c[class].Add(1)
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
	revisionDesc = prometheus.NewDesc("auditlb_snapshot_revision",
		"Revision of the configuration that new requests run under.", nil, nil)
)

// metrics is the engine's collector. Most series are read from the current state
// when they are asked for, so what is removed has none.
type metrics struct {
	engine    *Engine
	durations *prometheus.HistogramVec
	apply     prometheus.Histogram
}

func newMetrics(e *Engine) *metrics {
	return &metrics{
		engine: e,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "auditlb_request_duration_seconds",
			Help:    "Time from a request's header to the end of its response, by listener; upgraded connections are left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"listener"}),
		apply: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "auditlb_apply_duration_seconds",
			Help:    "Time to make a snapshot current.",
			Buckets: prometheus.ExponentialBuckets(.0001, 4, 9),
		}),
	}
}

func (m *metrics) newListenerStats(name string) *listenerStats {
	return &listenerStats{duration: m.durations.WithLabelValues(name)}
}

// forget removes the series of a listener that is gone.
func (m *metrics) forget(listener string) { m.durations.DeleteLabelValues(listener) }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requestsDesc, healthyDesc, connectionsDesc, revisionDesc} {
		ch <- d
	}
	m.durations.Describe(ch)
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
		gauge(connectionsDesc, float64(l.stats.open.Load()), name)
		for _, pool := range slices.Sorted(maps.Keys(l.requests)) {
			for class := range codeClasses {
				if n := l.requests[pool][class].Load(); n > 0 {
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
			healthy := 0.0
			if member.load.Healthy() {
				healthy = 1
			}
			gauge(healthyDesc, healthy, name, key)
		}
	}
	m.durations.Collect(ch)
	m.apply.Collect(ch)
}
