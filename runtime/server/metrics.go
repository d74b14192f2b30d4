package server

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	calls           *prometheus.CounterVec
	duration        *prometheus.HistogramVec
	unauthenticated prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "auditlb_api_calls_total", Help: "Calls of the management API by operation and status.",
		}, []string{"operation", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "auditlb_api_call_duration_seconds", Help: "Time to answer a call of the management API.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"operation"}),
		unauthenticated: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "auditlb_api_unauthenticated_total", Help: "Calls refused because their token was missing or not valid.",
		}),
	}
	r.MustRegister(m.calls, m.duration, m.unauthenticated)
	return m
}

func (m metrics) observe(operation string, status int, took time.Duration) {
	m.calls.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(operation).Observe(took.Seconds())
}
