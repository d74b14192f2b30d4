package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// retryableStatuses are the answers after which the same call may succeed
// unchanged. 507 is not among them: a full log stays full until somebody acts.
var retryableStatuses = map[int]bool{
	http.StatusTooManyRequests:    true,
	http.StatusBadGateway:         true,
	http.StatusServiceUnavailable: true,
	http.StatusGatewayTimeout:     true,
}

// checkRetry decides after each attempt. Every call that changes something
// carries an idempotency key, so a retry after an ambiguous failure is safe.
func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		// The library tells failed connections from certificates and URLs that
		// will be as wrong the next time.
		retry, _ := retryablehttp.DefaultRetryPolicy(ctx, nil, err)
		return retry, nil
	}
	return retryableStatuses[resp.StatusCode], nil
}

// backoff waits as the server asks, within bounds, and otherwise longer each
// time, with jitter so that many clients don't return at once.
func backoff(minWait, maxWait time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait, ok := retryAfter(resp.Header.Get("Retry-After"), time.Now()); ok {
			return min(wait, maxWait)
		}
	}
	wait := minWait << min(attempt, 16)
	if wait > maxWait || wait <= 0 {
		wait = maxWait
	}
	return wait/2 + rand.N(wait/2+1)
}

// retryAfter reads the header's two forms (RFC 9110 §10.2.3).
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	} else if errors.Is(err, strconv.ErrRange) {
		return 1<<63 - 1, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
