package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// commitMetrics measures the write path.
func commitMetrics(registry *prometheus.Registry) func(entries int, took time.Duration, err error) {
	entries := prometheus.NewCounter(prometheus.CounterOpts{Name: "auditlb_log_entries_total", Help: "Entries written to the log."})
	failures := prometheus.NewCounter(prometheus.CounterOpts{Name: "auditlb_log_commit_failures_total", Help: "Commits of the log that failed; changes were refused."})
	batch := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "auditlb_log_commit_entries", Help: "Entries committed together.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256},
	})
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "auditlb_log_commit_duration_seconds", Help: "Time to make a commit durable.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
	})
	if registry != nil {
		registry.MustRegister(entries, failures, batch, duration)
	}
	return func(n int, took time.Duration, err error) {
		if err != nil {
			failures.Inc()
			return
		}
		entries.Add(float64(n))
		batch.Observe(float64(n))
		duration.Observe(took.Seconds())
	}
}
