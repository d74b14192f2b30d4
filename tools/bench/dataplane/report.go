package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is a comparison as text: auditlb first, then the peers.
func (c *caseResult) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.Name, c.about)
	fmt.Fprintf(&b, "  %-14s %12s %9s %10s  %5s %-12s  %5s %-12s  %5s %5s\n",
		"", "CPU µs/"+c.Unit, "req/s", "p99 ms", "CPU", "quartiles", "rel.", "quartiles", "req/s", "p99")
	for _, name := range c.names() {
		m := c.Medians[name]
		fmt.Fprintf(&b, "  %-14s %12.1f %9.0f %10.2f", name, m.CPU, m.PerSecond, m.P99)
		if name != auditlb {
			r, q := c.Ratios[name], c.Quartiles[name]
			fmt.Fprintf(&b, "  %5s %-12s  %5s %-12s  %5s %5s",
				times(r.CPU), between(q.CPU), times(r.Relative), between(q.Relative), times(r.RPS), times(r.P99))
		}
		b.WriteString("\n")
	}
	if c.Noisy > 0 {
		fmt.Fprintf(&b, "  In %d windows others used more than %.0f%% of the machine.\n", c.Noisy, 100*quiet)
	}
	return b.String()
}

// names are the proxies in the order of [peers].
func (c *caseResult) names() []string {
	order := append([]string{auditlb, before}, peers...)
	return slices.SortedFunc(maps.Keys(c.Medians), func(a, b string) int {
		return slices.Index(order, a) - slices.Index(order, b)
	})
}

func times(ratio float64) string { return fmt.Sprintf("%.2fx", ratio) }

func between(q [2]float64) string { return fmt.Sprintf("%.2f–%.2f", q[0], q[1]) }

// text is the whole report.
func (r *result) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d rounds; ratios are auditlb over the peer, rel. is CPU over client and backend CPU of the same window.\n", r.Rounds)
	for i := range r.Cases {
		b.WriteString("\n" + r.Cases[i].table())
	}
	if len(r.Costs) > 0 {
		b.WriteString("\ncosts: CPU over that of auditlb with no health check and no records\n")
	}
	for _, c := range r.Costs {
		fmt.Fprintf(&b, "  %-14s %5s %-12s  rel. %5s %-12s  %s\n", c.Name, times(c.CPU.Median), between([2]float64{c.CPU.Lower, c.CPU.Upper}),
			times(c.Relative.Median), between([2]float64{c.Relative.Lower, c.Relative.Upper}), c.About)
	}
	if len(r.Idle) > 0 {
		b.WriteString("\nidle: memory of a keep-alive connection that waits\n")
	}
	for _, m := range r.Idle {
		fmt.Fprintf(&b, "  %-14s %-9s %6.1f KiB\n", m.Proxy, m.Case, m.Bytes/1024)
	}
	if len(r.Reloads) > 0 {
		b.WriteString("\nreloads: what they did to connections that were in use\n")
	}
	for _, l := range r.Reloads {
		fmt.Fprintf(&b, "  %-14s %4d reloads  %5d closed  %5d requests lost  %5d refused\n", l.Proxy, l.Reloads, l.Closed, l.Lost, l.Refused)
	}
	if len(r.Goals) > 0 {
		b.WriteString("\ngoals\n")
	}
	for _, v := range r.Goals {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(&b, "\n%s was not measured: %s\n", name, r.Failed[name])
	}
	return b.String()
}
