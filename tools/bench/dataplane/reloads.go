package main

import (
	"context"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

const (
	reloadConnections = 32
	// thinking is a client's pause after each response: at any moment some
	// connections are idle and some are not.
	thinking = 2 * time.Millisecond
	// reloadPause is between a reload and the next.
	reloadPause = 100 * time.Millisecond
)

// reloads changes the configuration of each proxy under load, over and over.
func (b *bench) reloads(ctx context.Context) error {
	for _, peer := range append([]string{auditlb}, b.flags.only...) {
		r, err := b.reloadsOf(ctx, peer)
		if err != nil {
			return fmt.Errorf("%s: %w", peer, err)
		}
		if r == nil {
			continue
		}
		fmt.Printf("  %-14s %d reloads: %d reused connections closed, %d requests lost, %d connections refused; %d requests answered\n",
			peer, b.flags.reloads, r.Closed, r.Lost, r.Refused, r.Requests)
		b.result.Reloads = append(b.result.Reloads, reloadLosses{Proxy: peer, Reloads: b.flags.reloads, Reuse: *r})
	}
	return nil
}

// reloadsOf returns nil for a proxy that can't reload.
func (b *bench) reloadsOf(ctx context.Context, peer string) (*load.Reuse, error) {
	p, err := b.site.Start(ctx, starters[peer])
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if !p.CanReload() {
		return nil, nil
	}
	type outcome struct {
		reuse load.Reuse
		err   error
	}
	loading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan outcome, 1)
	go func() {
		reuse, err := load.Steady(loading, p.URL(proxy.HTTP)+"/", reloadConnections, thinking)
		done <- outcome{reuse, err}
	}()
	err = repeat(ctx, b.flags.reloads, p)
	stop()
	o := <-done
	if err == nil {
		err = o.err
	}
	if err == nil {
		err = p.Alive()
	}
	return &o.reuse, err
}

// repeat reloads a proxy a number of times, with a pause before each and after
// the last.
func repeat(ctx context.Context, times int, p *proxy.Proxy) error {
	for n := range times + 1 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reloadPause):
		}
		if n == times {
			break
		}
		if err := p.Reload(ctx); err != nil {
			return fmt.Errorf("after %d: %w", n, err)
		}
	}
	return nil
}
