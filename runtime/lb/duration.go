package lb

import (
	"strings"
	"time"
)

// Duration is a span of time, written as Go writes it ("250ms", "1m30s") and
// always stored in one canonical form, so that "60s" and "1m" are one value in
// digests and diffs.
type Duration time.Duration

// ParseDuration reads a duration such as "500ms", "10s" or "1h". A bare number
// has no unit and is refused.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	// The standard library takes "0" without a unit.
	if err != nil || s[len(s)-1] == '0' {
		return 0, &durationError{s}
	}
	return Duration(d), nil
}

// durationError is a text that is no duration.
type durationError struct{ text string }

// Error implements error.
func (e *durationError) Error() string {
	return shown(e.text) + " is not a duration; write it with a unit, such as 500ms, 10s or 1h"
}

// String returns the canonical form: "1m", not "1m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
