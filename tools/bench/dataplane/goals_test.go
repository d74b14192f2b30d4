package main

import (
	"strings"
	"testing"
)

func TestAGoalHoldsAgainstEachOfItsPeers(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		name   string
		goal   goal
		ratios map[string]ratio
		want   *bool // nil: not measured
	}{
		{"CPU at the limit", goal{"c", "cpu", []string{haproxy, nginx}, 0.9}, map[string]ratio{haproxy: {CPU: 0.9}, nginx: {CPU: 0.5}}, &yes},
		{"CPU above it with the better peer", goal{"c", "cpu", []string{haproxy, nginx}, 0.9}, map[string]ratio{haproxy: {CPU: 0.5}, nginx: {CPU: 0.91}}, &no},
		{"CPU above it with the first", goal{"c", "cpu", []string{haproxy, nginx}, 0.9}, map[string]ratio{haproxy: {CPU: 0.91}, nginx: {CPU: 0.5}}, &no},
		{"requests at the limit", goal{"c", "rps", []string{haproxy, nginx}, 1.1}, map[string]ratio{haproxy: {RPS: 1.1}, nginx: {RPS: 2}}, &yes},
		{"requests below it", goal{"c", "rps", []string{haproxy, nginx}, 1.1}, map[string]ratio{haproxy: {RPS: 2}, nginx: {RPS: 1.09}}, &no},
		{"a peer was left out", goal{"c", "cpu", []string{haproxy, nginx}, 0.9}, map[string]ratio{haproxy: {CPU: 0.1}}, nil},
		{"the case was left out", goal{"other", "cpu", []string{haproxy}, 0.9}, map[string]ratio{haproxy: {CPU: 0.1}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.goal.judge([]caseResult{{Name: "c", Ratios: test.ratios}})
			if (got.Met == nil) != (test.want == nil) || got.Met != nil && *got.Met != *test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestEveryGoalOfTheCasesHasALine(t *testing.T) {
	r := result{
		Idle: []idleMemory{
			{Case: caseIdle, Proxy: auditlb, Bytes: 4 << 10},
			{Case: caseIdle, Proxy: nginx, Bytes: 1 << 20},
			{Case: caseIdleTLS, Proxy: auditlb, Bytes: 26 << 10},
		},
		Reloads: []reloadLosses{{Proxy: nginx, Reloads: 9}, {Proxy: auditlb, Reloads: 9}},
	}
	r.Reloads[1].Closed = 1
	r.Goals = r.judge(caseNames())
	want := len(goals) + len(idleGoals) + 1
	lines := map[string]int{}
	for _, v := range r.Goals {
		state, _, _ := strings.Cut(v.String(), "  ")
		lines[state]++
	}
	if len(r.Goals) != want || lines["met"] != 1 || lines["NOT met"] != 2 || lines["not measured"] != want-3 {
		t.Errorf("%d verdicts, %v", len(r.Goals), lines)
	}
	if got := r.judge([]string{"tcp", caseIdle, caseCosts}); len(got) != 2 {
		t.Errorf("goals of two cases and of one that has none: %v", got)
	}
	if text := r.text(); strings.Count(text, "NOT met") != 2 {
		t.Errorf("the report:\n%s", text)
	}
}

func TestEveryGoalIsAboutACaseAndItsPeers(t *testing.T) {
	for _, g := range goals {
		found := false
		for _, c := range comparisons {
			if c.name != g.comparison {
				continue
			}
			found = true
			for _, peer := range g.peers {
				if _, err := choose("peer", peer, c.peers); err != nil {
					t.Errorf("%s: %v", g.comparison, err)
				}
			}
		}
		if !found {
			t.Errorf("no case is called %s", g.comparison)
		}
	}
}
