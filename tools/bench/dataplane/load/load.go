// Package load puts load on a server of HTTP and tells what came of it: wrk and
// h2load for keep-alive connections, and clients of its own for new TLS
// handshakes, for connections that idle and for connections that a reload might
// close.
package load

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// Result is what a window of load came to.
type Result struct {
	// Requests is how many were answered with a status of 2xx, Failed how many
	// were not, for whatever reason.
	Requests, Failed int64
	// Failures says in words how they failed; empty if none did.
	Failures string
	// Took is the window's true length.
	Took time.Duration
	// P99 is the 99th percentile of the time from request to the response's end.
	P99 time.Duration
}

// PerSecond is the rate of requests.
func (r Result) PerSecond() float64 { return float64(r.Requests) / r.Took.Seconds() }

// Generator puts load on a URL for a window of whole seconds.
type Generator func(ctx context.Context, url string, window time.Duration) (Result, error)

// output runs a program and returns what it printed.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return string(out), nil
}

// percentile sorts the values and returns the one that a share of them, 0 to 1,
// does not exceed; 0 if there are none.
func percentile(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[int(share*float64(len(values)-1))]
}
