package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ErrNoHTTP2 is that the server does not speak HTTP/2.
var ErrNoHTTP2 = errors.New("the server speaks no HTTP/2")

// H2load is h2load (HTTP/2) on connections that carry some streams at a time each.
func H2load(threads, connections, streams int) Generator {
	return func(ctx context.Context, url string, window time.Duration) (Result, error) {
		// Only its log knows percentiles.
		log, err := os.CreateTemp("", "auditlb-h2load-")
		if err != nil {
			return Result{}, err
		}
		defer os.Remove(log.Name())
		defer log.Close()
		out, err := output(ctx, "h2load",
			"-t", strconv.Itoa(threads), "-c", strconv.Itoa(connections), "-m", strconv.Itoa(streams),
			"-D", fmt.Sprintf("%.0f", window.Seconds()), "--log-file="+log.Name(), url)
		if err != nil {
			return Result{}, err
		}
		r, err := parseH2load(out)
		if errors.Is(err, ErrNoHTTP2) {
			return Result{}, err
		}
		if err != nil {
			return Result{}, fmt.Errorf("h2load: %w; its output:\n%s", err, out)
		}
		r.P99, err = h2loadP99(log)
		return r, err
	}
}

var (
	h2loadTook     = regexp.MustCompile(`finished in ([0-9.]+(?:us|ms|s|m|h)),`)
	h2loadTotal    = regexp.MustCompile(`requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored`)
	h2loadStatuses = regexp.MustCompile(`status codes: .*`)
)

func parseH2load(out string) (Result, error) {
	if !strings.Contains(out, "Application protocol: h2\n") {
		return Result{}, ErrNoHTTP2
	}
	took, total := h2loadTook.FindStringSubmatch(out), h2loadTotal.FindStringSubmatch(out)
	if took == nil || total == nil {
		return Result{}, errors.New("no number of requests")
	}
	var r Result
	var err error
	if r.Took, err = time.ParseDuration(took[1]); err != nil {
		return Result{}, err
	}
	if r.Requests, err = strconv.ParseInt(total[3], 10, 64); err != nil {
		return Result{}, err
	}
	// Errored ones are among the failed.
	if r.Failed, err = strconv.ParseInt(total[4], 10, 64); err != nil {
		return Result{}, err
	}
	if r.Failed > 0 {
		r.Failures = h2loadStatuses.FindString(out) + "; " + total[5] + " errored"
	}
	return r, nil
}

// h2loadP99 reads lines of start, status and microseconds.
func h2loadP99(log io.Reader) (time.Duration, error) {
	var took []time.Duration
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 {
			return 0, fmt.Errorf("h2load's log has a line %q", lines.Text())
		}
		micros, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("h2load's log: %w", err)
		}
		took = append(took, time.Duration(micros)*time.Microsecond)
	}
	return percentile(took, 0.99), lines.Err()
}
