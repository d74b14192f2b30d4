package api

import "time"

// Bounds of an answer about traffic.
const (
	// DefaultTrafficSpan is how far back an answer reaches unless it is said.
	DefaultTrafficSpan = time.Hour
	// MaxTrafficPoints bounds the points of one series.
	MaxTrafficPoints = 500
)

// Traffic answers GET /v1/traffic: what the data plane did in a span of time, in steps.
type Traffic struct {
	// Since and Until are the span, in whole steps; the last one may be under way.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// StepSeconds is the length of a step.
	StepSeconds int `json:"step_seconds"`
	// CountingSince is when the runtime began to count, with its start: of before, there
	// is nothing.
	CountingSince time.Time `json:"counting_since"`
	// Items are the series: listeners by name, then pools by name.
	Items []TrafficSeries `json:"items"`
	Next  string          `json:"next,omitzero"`
}

// TrafficSeries is what a listener or a pool did, or, with both names, what the listener
// sent to the pool.
type TrafficSeries struct {
	Listener string `json:"listener,omitzero"`
	Pool     string `json:"pool,omitzero"`
	// Protocol is http where requests are counted, and tcp where connections are.
	Protocol string `json:"protocol"`
	// Total is the whole span.
	Total TrafficPoint `json:"total"`
	// Points are the steps, oldest first. One that the runtime did not count in is left
	// out.
	Points []TrafficPoint `json:"points"`
}

// Name is listener/web, pool/web or, for both, listener/web to pool/web.
func (s *TrafficSeries) Name() string {
	switch {
	case s.Pool == "":
		return "listener/" + s.Listener
	case s.Listener == "":
		return "pool/" + s.Pool
	}
	return "listener/" + s.Listener + " to pool/" + s.Pool
}

// TCP reports whether connections are counted, and not requests.
func (s *TrafficSeries) TCP() bool { return s.Protocol == TrafficTCP }

// What is counted.
const (
	TrafficHTTP = "http"
	TrafficTCP  = "tcp"
)

// TrafficPoint is what was counted in a step.
type TrafficPoint struct {
	// Time is the step's beginning.
	Time time.Time `json:"time"`
	// Seconds is how much of the step was counted in: what counts are divided by to be
	// rates.
	Seconds float64 `json:"seconds"`
	// Revision is that of the configuration at the end of the step.
	Revision int64 `json:"revision"`
	Requests int64 `json:"requests,omitzero"`
	// Errors are requests that were answered with status 5xx, by members or in their
	// place, and connections without HTTP that no member took.
	Errors int64 `json:"errors,omitzero"`
	// ClientErrors are requests that were answered with status 4xx, or whose client went
	// away.
	ClientErrors int64 `json:"client_errors,omitzero"`
	// LatencyP50 and LatencyP99 are the times, in seconds, that half and 99 of 100 requests
	// took at most, as near as the buckets tell that they are counted in; at most 60. Left
	// out without requests.
	LatencyP50 float64 `json:"latency_p50_seconds,omitzero"`
	LatencyP99 float64 `json:"latency_p99_seconds,omitzero"`
	// Connections were opened by clients; of a pool, only those without HTTP.
	Connections int64 `json:"connections,omitzero"`
	// OpenConnections are the most that were open at a look every ten seconds.
	OpenConnections int64 `json:"open_connections,omitzero"`
	// Bytes of bodies, and of connections without HTTP, from and to clients. Those of a
	// request are counted when it ends. Of listeners only.
	BytesIn  int64 `json:"bytes_in,omitzero"`
	BytesOut int64 `json:"bytes_out,omitzero"`
}

// PerSecond is a count of the point as a rate.
func (p *TrafficPoint) PerSecond(count int64) float64 {
	if p.Seconds <= 0 {
		return 0
	}
	return float64(count) / p.Seconds
}

// TrafficQuery selects traffic.
type TrafficQuery struct {
	// Listener and Pool name one series; without both, it is all listeners and all pools.
	Listener, Pool string
	// Since and Until are by default an hour ago and now.
	Since, Until time.Time
	// Step is rounded up to what is kept: by default, so that there are at most 120 points.
	Step   time.Duration
	Limit  int
	Cursor string
}
