package main

import (
	"fmt"
	"slices"
	"strings"
)

// goal is a bound on a ratio of auditlb to peers: it holds against each of them,
// hence against the best.
type goal struct {
	comparison string
	figure     string // "cpu" or "rps"
	peers      []string
	limit      float64 // at most, for cpu; at least, for rps
}

var goals = []goal{
	{"http1-small", "cpu", []string{haproxy, nginx}, 0.9},
	{"http1-small", "rps", []string{haproxy, nginx}, 1.1},
	{"http1-small", "cpu", []string{caddy, reverseproxy}, 1. / 3},
	{"http1-100k", "cpu", []string{haproxy, nginx}, 0.8},
	{"tcp", "cpu", []string{haproxy, nginx}, 1},
	{"tcp-100k", "cpu", []string{haproxy, nginx}, 1},
	{"tls-keepalive", "cpu", []string{haproxy, nginx}, 1},
	{"tls-handshake", "cpu", []string{haproxy, nginx}, 0.8},
	{"h2", "cpu", []string{caddy}, 1 / 1.5},
}

// idleGoals are bytes that auditlb may use for an idle connection, by case.
var idleGoals = []struct {
	name  string
	bytes float64
}{
	{caseIdle, 4 << 10},
	{caseIdleTLS, 25 << 10},
}

// verdict is what became of a goal.
type verdict struct {
	Goal string `json:"goal"`
	// Measured is the figure that decided; Met is absent if it wasn't measured.
	Measured string `json:"measured,omitempty"`
	Met      *bool  `json:"met,omitempty"`
}

// String is a line of the report.
func (v verdict) String() string {
	switch {
	case v.Met == nil:
		return "not measured  " + v.Goal
	case *v.Met:
		return fmt.Sprintf("met           %s: %s", v.Goal, v.Measured)
	}
	return fmt.Sprintf("NOT met       %s: %s", v.Goal, v.Measured)
}

// judge holds what was measured against the goals of the cases that were to run.
func (r *result) judge(cases []string) []verdict {
	var verdicts []verdict
	for _, g := range goals {
		if slices.Contains(cases, g.comparison) {
			verdicts = append(verdicts, g.judge(r.Cases))
		}
	}
	for _, g := range idleGoals {
		if !slices.Contains(cases, g.name) {
			continue
		}
		v := verdict{Goal: fmt.Sprintf("%s: at most %.0f KiB for a connection", g.name, g.bytes/1024)}
		for _, m := range r.Idle {
			if m.Case == g.name && m.Proxy == auditlb {
				v.decide(m.Bytes <= g.bytes, fmt.Sprintf("%.1f KiB", m.Bytes/1024))
			}
		}
		verdicts = append(verdicts, v)
	}
	if !slices.Contains(cases, caseReloads) {
		return verdicts
	}
	v := verdict{Goal: caseReloads + ": no reused connection closed, no request lost"}
	for _, l := range r.Reloads {
		if l.Proxy == auditlb {
			v.decide(l.Closed == 0 && l.Refused == 0, fmt.Sprintf("%d closed, %d lost, %d refused in %d reloads", l.Closed, l.Lost, l.Refused, l.Reloads))
		}
	}
	return append(verdicts, v)
}

// judge needs every peer of the goal: the best is not known without.
func (g goal) judge(cases []caseResult) verdict {
	bound, figure := "at most", "CPU"
	if g.figure == "rps" {
		bound, figure = "at least", "requests a second"
	}
	v := verdict{Goal: fmt.Sprintf("%s: %s %s %.2f times that of %s", g.comparison, figure, bound, g.limit, strings.Join(g.peers, " and "))}
	at := slices.IndexFunc(cases, func(c caseResult) bool { return c.Name == g.comparison })
	if at < 0 {
		return v
	}
	met := true
	var figures []string
	for _, peer := range g.peers {
		ratio, ok := cases[at].Ratios[peer]
		if !ok {
			return v
		}
		value := ratio.CPU
		holds := value <= g.limit
		if g.figure == "rps" {
			value = ratio.RPS
			holds = value >= g.limit
		}
		met = met && holds
		figures = append(figures, fmt.Sprintf("%.2f of %s", value, peer))
	}
	v.decide(met, strings.Join(figures, ", "))
	return v
}

func (v *verdict) decide(met bool, measured string) { v.Met, v.Measured = &met, measured }
