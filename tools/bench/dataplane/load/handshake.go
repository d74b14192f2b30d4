package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handshakes opens a new TLS connection for each request: a full handshake, a
// request, its response, and the end. Clients is how many do so at once.
//
// The key exchange is X25519 for every server. Go's own servers would choose the
// hybrid with ML-KEM and the others can't: it would not be the same work.
func Handshakes(clients int, config *tls.Config) Generator {
	config = config.Clone()
	config.CurvePreferences = []tls.CurveID{tls.X25519}
	config.NextProtos = []string{"http/1.1"}
	return func(ctx context.Context, url string, window time.Duration) (Result, error) {
		t, err := newTarget(url, config, "Connection: close\r\n")
		if err != nil {
			return Result{}, err
		}
		began := time.Now()
		until := began.Add(window)
		took := make([][]time.Duration, clients)
		failed := make([]int64, clients)
		var last atomic.Value // the newest failure's text
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				for ctx.Err() == nil && time.Now().Before(until) {
					start := time.Now()
					if err := t.visit(ctx); err != nil {
						failed[i]++
						last.Store(err.Error())
						continue
					}
					took[i] = append(took[i], time.Since(start))
				}
			})
		}
		wg.Wait()
		all := slices.Concat(took...)
		r := Result{Requests: int64(len(all)), Took: time.Since(began), P99: percentile(all, 0.99)}
		for _, n := range failed {
			r.Failed += n
		}
		if text, ok := last.Load().(string); ok {
			r.Failures = text
		}
		return r, ctx.Err()
	}
}

// visit is one connection with one request.
func (t *target) visit(ctx context.Context) error {
	conn, err := t.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = t.exchange(conn, bufio.NewReaderSize(conn, 1<<10))
	return err
}
