package main

import (
	"context"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

const (
	// warmConnections are opened and closed before memory is read the first time.
	warmConnections = 200
	// settle is how long a proxy has to give memory back.
	settle = 5 * time.Second
)

// idle measures the memory of connections that wait, on fresh proxies one by one.
func (b *bench) idle(ctx context.Context, name string, front proxy.Front) error {
	for _, peer := range append([]string{auditlb}, b.flags.only...) {
		each, err := b.idleOf(ctx, peer, front)
		if err != nil {
			return fmt.Errorf("%s: %w", peer, err)
		}
		fmt.Printf("  %-14s %8.1f KiB for each of %d connections\n", peer, each/1024, b.flags.idle)
		b.result.Idle = append(b.result.Idle, idleMemory{Case: name, Proxy: peer, Connections: b.flags.idle, Bytes: each})
	}
	return nil
}

// idleOf returns bytes for each connection.
func (b *bench) idleOf(ctx context.Context, peer string, front proxy.Front) (float64, error) {
	p, err := b.site.Start(ctx, starters[peer])
	if err != nil {
		return 0, err
	}
	defer p.Stop()
	url := p.URL(front) + "/"
	warm, err := load.OpenIdle(ctx, url, warmConnections, b.trust)
	if err != nil {
		return 0, err
	}
	warm.Close()
	before, err := b.settled(ctx, p)
	if err != nil {
		return 0, err
	}
	open, err := load.OpenIdle(ctx, url, b.flags.idle, b.trust)
	if err != nil {
		return 0, err
	}
	defer open.Close()
	after, err := b.settled(ctx, p)
	if err != nil {
		return 0, err
	}
	return float64(after-before) / float64(b.flags.idle), open.Check(ctx)
}

// settled waits and reads the proxy's memory.
func (b *bench) settled(ctx context.Context, p *proxy.Proxy) (int64, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(settle):
	}
	return p.Group().Resident()
}
