package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
)

// openers is how many connections are opened or asked at once: few enough for
// every listen queue.
const openers = 32

// Idle are keep-alive connections that wait for their next request.
type Idle struct {
	target *target
	conns  []net.Conn
}

// OpenIdle opens a number of connections and sends one request on each, so that
// the server has done all that it does for a client that stays.
func OpenIdle(ctx context.Context, url string, n int, config *tls.Config) (*Idle, error) {
	t, err := newTarget(url, config, "")
	if err != nil {
		return nil, err
	}
	idle := &Idle{target: t, conns: make([]net.Conn, n)}
	err = idle.each(ctx, func(i int) error {
		conn, err := t.dial(ctx)
		if err != nil {
			return err
		}
		idle.conns[i] = conn
		return idle.ask(conn)
	})
	if err != nil {
		idle.Close()
		return nil, fmt.Errorf("open %d connections: %w", n, err)
	}
	return idle, nil
}

// Check sends another request on every connection. It fails if one of them was
// closed in the meantime: memory was not that of all.
func (i *Idle) Check(ctx context.Context) error {
	if err := i.each(ctx, func(k int) error { return i.ask(i.conns[k]) }); err != nil {
		return fmt.Errorf("a connection did not stay open: %w", err)
	}
	return nil
}

// Close closes all connections.
func (i *Idle) Close() {
	for _, conn := range i.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

func (i *Idle) ask(conn net.Conn) error {
	kept, err := i.target.exchange(conn, bufio.NewReaderSize(conn, 1<<10))
	if err == nil && !kept {
		err = fmt.Errorf("%s ends its connections", i.target.address)
	}
	return err
}

// each does something with every index, some at a time, until one fails.
func (i *Idle) each(ctx context.Context, do func(int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range openers {
		wg.Go(func() {
			for k := range next {
				if err := do(k); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for k := range i.conns {
		select {
		case next <- k:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
