package load

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Wrk is wrk (HTTP/1.1, with or without TLS) on keep-alive connections, a request
// at a time on each.
func Wrk(threads, connections int) Generator {
	return func(ctx context.Context, url string, window time.Duration) (Result, error) {
		out, err := output(ctx, "wrk", "--latency",
			"-t", strconv.Itoa(threads), "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%.0fs", window.Seconds()), url)
		if err != nil {
			return Result{}, err
		}
		r, err := parseWrk(out)
		if err != nil {
			return Result{}, fmt.Errorf("wrk: %w in its output:\n%s", err, out)
		}
		return r, nil
	}
}

var (
	wrkTotal    = regexp.MustCompile(`(\d+) requests in ([0-9.]+(?:us|ms|s|m|h)) *,`)
	wrkP99      = regexp.MustCompile(`\n +99% +([0-9.]+(?:us|ms|s|m|h)) *\n`)
	wrkStatuses = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	wrkSockets  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

func parseWrk(out string) (Result, error) {
	total, p99 := wrkTotal.FindStringSubmatch(out), wrkP99.FindStringSubmatch(out)
	if total == nil {
		return Result{}, errors.New("no number of requests")
	}
	if p99 == nil {
		return Result{}, errors.New("no 99th percentile")
	}
	var r Result
	answered, err := strconv.ParseInt(total[1], 10, 64)
	if err != nil {
		return Result{}, err
	}
	if r.Took, err = time.ParseDuration(total[2]); err != nil {
		return Result{}, err
	}
	if r.P99, err = time.ParseDuration(p99[1]); err != nil {
		return Result{}, err
	}
	r.Requests = answered
	for _, line := range []*regexp.Regexp{wrkStatuses, wrkSockets} {
		found := line.FindStringSubmatch(out)
		if found == nil {
			continue
		}
		if r.Failures != "" {
			r.Failures += "; "
		}
		r.Failures += found[0]
		for _, text := range found[1:] {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return Result{}, err
			}
			r.Failed += n
			if line == wrkStatuses {
				r.Requests -= n // they are among those that wrk counts as answered
			}
		}
	}
	return r, nil
}
