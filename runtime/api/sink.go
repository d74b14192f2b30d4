package api

import "time"

// Sink is a stream of the log's entries to somewhere else.
type Sink struct {
	Name string `json:"name"`
	// Type is file, webhook or otlp.
	Type string `json:"type"`
	// Target is a file's path, or the scheme and host of a URL: its path may hold a secret.
	Target string `json:"target"`
	// Format is json or ocsf; Envelope is cloudevents, or left out.
	Format   string `json:"format"`
	Envelope string `json:"envelope,omitzero"`
	// State is one of SinkStates.
	State string `json:"state"`
	// Next is the seq of the entry that comes next: all before it were taken.
	Next int64 `json:"next"`
	// Lag is how many entries of the log the sink has not got to yet.
	Lag int64 `json:"lag"`
	// LagSeconds is the age of the oldest of these.
	LagSeconds float64 `json:"lag_seconds"`
	// Delivered, Failures and DeadLetters count since the start: entries taken, attempts
	// that failed, and entries that were refused for good.
	Delivered   int64 `json:"delivered"`
	Failures    int64 `json:"failures"`
	DeadLetters int64 `json:"dead_letters"`
	// LastSuccess is when something was taken last.
	LastSuccess time.Time `json:"last_success,omitzero"`
	// LastFailure is why and when an attempt failed last, since the start.
	LastFailure *SinkFailure `json:"last_failure,omitzero"`
}

// SinkFailure is why a sink took nothing. It repeats nothing that a receiver said.
type SinkFailure struct {
	Code   string    `json:"code"`
	Detail string    `json:"detail"`
	At     time.Time `json:"at"`
}

// SinkStates are the states of a sink: running; failing, when the last attempt failed
// and is made again; stopped, until the next start.
var SinkStates = []string{SinkRunning, SinkFailing, SinkStopped}

// The states of a sink.
const (
	SinkRunning = "running"
	SinkFailing = "failing"
	SinkStopped = "stopped"
)

// SinkList is all sinks, in order of the configuration.
type SinkList struct {
	Items []Sink `json:"items"`
}
