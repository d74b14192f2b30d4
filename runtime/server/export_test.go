package server

import "time"

// The bounds of failed authentications, as tests see them.
const (
	FailuresAtOnce         = failuresAtOnce
	FailureEvery           = failureEvery
	RecordedAtOnce         = recordedAtOnce
	RecordedEvery          = recordedEvery
	RecordedPerSource      = recordedPerSource
	RecordedPerSourceEvery = recordedPerSourceEvery
	MaxSources             = maxSources
	MaxOwnStreams          = maxOwnStreams
	RefusedAtOnce          = refusedAtOnce
	MaxTileCallers         = maxTileCallers
)

// Failures counts failed authentications.
type Failures struct{ counted *failures }

// NewFailures counts from none.
func NewFailures() Failures { return Failures{newFailures()} }

// Fail counts a failure under keys.
func (f Failures) Fail(now time.Time, keys ...string) { f.counted.fail(now, keys...) }

// Blocked is how long a source or an identity has to wait.
func (f Failures) Blocked(key string, now time.Time) time.Duration {
	return f.counted.blocked(key, now)
}

// Record reports whether a failure is to be recorded.
func (f Failures) Record(source string, now time.Time) (unrecorded int, ok bool) {
	return f.counted.record(source, now)
}

// Held is how many sources and identities are remembered.
func (f Failures) Held() (attempts, recorded int) {
	return len(f.counted.attempts), len(f.counted.recorded)
}

// SetMaxReported bounds the entries of a run that a report looks at, and returns what
// undoes that. It is called before the server starts.
func SetMaxReported(n int) (undo func()) {
	before := maxReported
	maxReported = n
	return func() { maxReported = before }
}

// SetMaxSearched bounds the entries that one page of a search looks at, and returns what
// undoes that. It is called before the server starts.
func SetMaxSearched(n int) (undo func()) {
	before := maxSearched
	maxSearched = n
	return func() { maxSearched = before }
}

// MaxUndoing is how many rollbacks are worked out at a time.
const MaxUndoing = maxUndoing
