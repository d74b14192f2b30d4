package sink

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// kind is the type of a sink, and target where it leads to, without what may be secret.
func (c *Config) kind() (kind, target string) {
	switch {
	case c.File != nil:
		return "file", c.File.Path
	case c.Webhook != nil:
		return "webhook", shown(c.Webhook.URL)
	}
	return "otlp", shown(c.OTLP.Endpoint)
}

// newTarget makes what the configuration names.
func (s *stream) newTarget() target {
	switch {
	case s.cfg.File != nil:
		return newFile(s.cfg.File, s.logger)
	case s.cfg.Webhook != nil:
		return newWebhook(s.cfg.Webhook, s.formatter)
	}
	return newOTLP(s.cfg.OTLP, s.formatter)
}

func (s *stream) status() api.Sink {
	out := api.Sink{Name: s.cfg.Name, Format: string(s.cfg.Format), Envelope: s.cfg.Envelope}
	out.Type, out.Target = s.cfg.kind()
	s.mu.Lock()
	defer s.mu.Unlock()
	out.State, out.Next = s.state, s.next
	out.Delivered, out.Failures, out.DeadLetters = s.seen.delivered, s.seen.failures, s.seen.deadLetters
	out.LastSuccess = s.seen.success
	if s.seen.failure != nil {
		last := *s.seen.failure
		out.LastFailure = &last
	}
	if out.Lag = max(s.runner.size.Load()-s.next, 0); out.Lag > 0 && !s.oldest.IsZero() {
		out.LagSeconds = max(s.now().Sub(s.oldest).Seconds(), 0)
	}
	return out
}

// describe makes the description of a metric of each sink.
func describe(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("auditlb_sink_"+name, help, []string{"sink"}, nil)
}

var (
	lagEntriesDesc  = describe("lag_entries", "Entries of the log that the sink has not got to yet.")
	lagSecondsDesc  = describe("lag_seconds", "Age of the oldest entry that the sink has not got to yet.")
	stoppedDesc     = describe("stopped", "1 when the sink has stopped until the next start.")
	deliveredDesc   = describe("delivered_total", "Entries that the sink took.")
	failuresDesc    = describe("failures_total", "Attempts to deliver that failed.")
	deadLettersDesc = describe("dead_letters_total", "Entries that the sink refused for good.")
)

// Describe implements prometheus.Collector.
func (r *Runner) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEntriesDesc, lagSecondsDesc, stoppedDesc, deliveredDesc, failuresDesc, deadLettersDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (r *Runner) Collect(ch chan<- prometheus.Metric) {
	for _, s := range r.Status() {
		send := func(d *prometheus.Desc, t prometheus.ValueType, value float64) {
			ch <- prometheus.MustNewConstMetric(d, t, value, s.Name)
		}
		stopped := 0.0
		if s.State == api.SinkStopped {
			stopped = 1
		}
		send(lagEntriesDesc, prometheus.GaugeValue, float64(s.Lag))
		send(lagSecondsDesc, prometheus.GaugeValue, s.LagSeconds)
		send(stoppedDesc, prometheus.GaugeValue, stopped)
		send(deliveredDesc, prometheus.CounterValue, float64(s.Delivered))
		send(failuresDesc, prometheus.CounterValue, float64(s.Failures))
		send(deadLettersDesc, prometheus.CounterValue, float64(s.DeadLetters))
	}
}
