package load

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

// Reuse is what became of connections that were used again and again.
type Reuse struct {
	// Requests is how many were answered.
	Requests int64 `json:"requests"`
	// Closed is how many connections the server ended once it had answered on them:
	// with "Connection: close", by closing, or by a reset.
	Closed int64 `json:"closed"`
	// Lost is how many of those took a request with them that got no answer.
	Lost int64 `json:"lost"`
	// Refused is how many connections could not be opened, or ended before their
	// first response.
	Refused int64 `json:"refused"`
}

// Steady keeps a number of connections, each with a request at a time and a pause
// after each response, until ctx ends. A connection that is closed is replaced.
func Steady(ctx context.Context, url string, connections int, pause time.Duration) (Reuse, error) {
	t, err := newTarget(url, nil, "")
	if err != nil {
		return Reuse{}, err
	}
	each := make([]Reuse, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				t.reuse(ctx, pause, &each[i])
			}
		})
	}
	wg.Wait()
	var sum Reuse
	for _, r := range each {
		sum.Requests += r.Requests
		sum.Closed += r.Closed
		sum.Lost += r.Lost
		sum.Refused += r.Refused
	}
	return sum, nil
}

// reuse uses one connection until it is closed or ctx ends.
func (t *target) reuse(ctx context.Context, pause time.Duration, r *Reuse) {
	conn, err := t.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Refused++
			wait(ctx, pause)
		}
		return
	}
	defer conn.Close()
	t.repeat(ctx, conn, pause, r)
}

func (t *target) repeat(ctx context.Context, conn net.Conn, pause time.Duration, r *Reuse) {
	in := bufio.NewReaderSize(conn, 4<<10)
	for reused := false; ctx.Err() == nil; reused = true {
		kept, err := t.exchange(conn, in)
		if err == nil {
			r.Requests++
		}
		switch {
		case err != nil && !reused:
			r.Refused++
			wait(ctx, pause)
			return
		case err != nil:
			r.Closed++
			r.Lost++
			return
		case !kept:
			r.Closed++
			return
		}
		wait(ctx, pause)
	}
}

func wait(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}
