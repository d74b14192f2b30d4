package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

// starters run the proxies, by name.
var starters = map[string]proxy.Starter{
	auditlb:      proxy.Auditlb{AccessRecords: "off"}.Start,
	haproxy:      proxy.HAProxy,
	nginx:        proxy.Nginx,
	caddy:        proxy.Caddy,
	reverseproxy: proxy.ReverseProxy,
}

// bench is a run of the benchmark.
type bench struct {
	flags flags
	site  *proxy.Site
	trust *tls.Config
	// running are the proxies that comparisons share, all up at once.
	running map[string]*proxy.Proxy
	result  result
}

// open starts the site. The caller closes what it returns, also beside an error.
func open(ctx context.Context, f flags) (*bench, error) {
	bin, err := filepath.Abs(f.bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "auditlb-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{
		flags:   f,
		site:    &proxy.Site{Bin: bin, Peers: filepath.Join(bin, "tools"), Dir: dir, Workers: f.workers(), CPU: f.proxyCPU()},
		running: map[string]*proxy.Proxy{},
	}
	if err := b.site.Open(ctx); err != nil {
		return b, err
	}
	b.trust, err = b.site.Trust()
	return b, err
}

func (b *bench) close() {
	for _, p := range b.running {
		p.Stop()
	}
	b.site.Close()
	_ = os.RemoveAll(b.site.Dir)
}

// startAll starts auditlb and the peers that were asked for.
func (b *bench) startAll(ctx context.Context) error {
	b.result.Versions = map[string]string{}
	names := append([]string{auditlb}, b.flags.only...)
	if b.flags.before != "" {
		names = append(names, before)
		starters[before] = proxy.Auditlb{AccessRecords: "off", Program: b.flags.before}.Start
	}
	for _, name := range names {
		p, err := b.site.Start(ctx, starters[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.running[name] = p
		b.result.Versions[name] = p.Version
		fmt.Printf("%-14s %s\n", name, p.Version)
	}
	return nil
}

// runCase runs one case by its name.
func (b *bench) runCase(ctx context.Context, name string) error {
	switch name {
	case caseCosts:
		return b.costs(ctx)
	case caseIdle:
		return b.idle(ctx, name, proxy.HTTP)
	case caseIdleTLS:
		return b.idle(ctx, name, proxy.TLS)
	case caseReloads:
		return b.reloads(ctx)
	}
	at := slices.IndexFunc(comparisons, func(c comparison) bool { return c.name == name })
	return b.compare(ctx, comparisons[at])
}

// compare takes auditlb and its peers through a comparison.
func (b *bench) compare(ctx context.Context, c comparison) error {
	subjects := []subject{{name: auditlb, proxy: b.running[auditlb]}}
	for _, name := range append([]string{before}, c.peers...) {
		if p := b.running[name]; p != nil && p.URL(c.front) != "" {
			subjects = append(subjects, subject{name: name, proxy: p})
		}
	}
	m, err := b.rounds(ctx, c, subjects)
	if err != nil {
		return err
	}
	b.result.Cases = append(b.result.Cases, summarize(c, m))
	return nil
}
