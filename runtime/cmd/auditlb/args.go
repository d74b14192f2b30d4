package main

import (
	"fmt"
	"strconv"
	"time"
)

// parseSeq reads an entry's seq as an argument.
func parseSeq(text string) (int64, error) {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, usageError{fmt.Errorf("%q is not an entry's seq", text)}
	}
	return seq, nil
}

// timeFlag reads a time in a flag; "" is no time.
func timeFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usageError{fmt.Errorf("--%s %q must be an RFC 3339 time, such as 2026-01-31T14:05:00Z", name, text)}
	}
	return t, nil
}
