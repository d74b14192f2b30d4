package main

import (
	"context"
	"fmt"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/proxy"
)

const scrapeInterval = time.Second

// variants are configurations of auditlb that cost something. Each is compared
// with the bare one: no health check, no records, metrics that nobody reads.
var variants = []struct {
	name, about string
	config      proxy.Auditlb
	scraped     bool
}{
	{name: "bare", about: "no health check, no records", config: proxy.Auditlb{AccessRecords: "off"}},
	{name: "health-checks", about: "100 probes a second", config: proxy.Auditlb{AccessRecords: "off", HealthChecks: true}},
	{name: "metrics", about: "read once a second; counting can't be turned off", config: proxy.Auditlb{AccessRecords: "off"}, scraped: true},
	{name: "records-errors", about: "records of errors, and there are none", config: proxy.Auditlb{AccessRecords: "errors"}},
	{name: "records-all", about: "a record of every request", config: proxy.Auditlb{AccessRecords: "all"}},
}

// costs takes the variants through the rounds of http1-small.
func (b *bench) costs(ctx context.Context) error {
	var subjects []subject
	defer func() {
		for _, s := range subjects {
			s.proxy.Stop()
		}
	}()
	for _, v := range variants {
		p, err := b.site.Start(ctx, v.config.Start)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		s := subject{name: v.name, proxy: p}
		if v.scraped {
			s.beside = func(ctx context.Context) { scrape(ctx, p) }
		}
		subjects = append(subjects, s)
	}
	m, err := b.rounds(ctx, comparisons[0], subjects)
	if err != nil {
		return err
	}
	bare := m.column(variants[0].name, cpu)
	for _, v := range variants[1:] {
		c := cost{Name: v.name, About: v.about, CPU: spreadOf(ratios(m.column(v.name, cpu), bare))}
		c.Relative = spreadOf(ratios(m.column(v.name, relative), m.column(variants[0].name, relative)))
		b.result.Costs = append(b.result.Costs, c)
	}
	return nil
}

// scrape reads a proxy's metrics at once and then in intervals, until ctx ends.
func scrape(ctx context.Context, p *proxy.Proxy) {
	for ctx.Err() == nil {
		// What goes wrong shows in the window: a proxy that can't be asked has ended.
		_ = p.Scrape(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(scrapeInterval):
		}
	}
}
