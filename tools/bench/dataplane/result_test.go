package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rounds of a case where auditlb uses half of HAProxy's CPU, but the machine was
// ten times as slow in the second.
var twoPeers = measured{
	auditlb: {{CPU: 10, Relative: 0.5, PerSecond: 300, P99: 2}, {CPU: 100, Relative: 0.5, PerSecond: 30, P99: 20}, {CPU: 11, Relative: 0.6, PerSecond: 330, P99: 2}},
	haproxy: {{CPU: 20, Relative: 1, PerSecond: 200, P99: 4}, {CPU: 200, Relative: 1, PerSecond: 20, P99: 40}, {CPU: 20, Relative: 1, PerSecond: 200, P99: 4, Others: 0.2}},
}

func TestRatiosAreAuditlbOverThePeer(t *testing.T) {
	c := summarize(comparisons[0], twoPeers)
	if got, want := c.Ratios[haproxy], (ratio{CPU: 0.5, RPS: 1.5, P99: 0.5, Relative: 0.5}); got != want {
		t.Errorf("ratios = %+v, want %+v", got, want)
	}
	if got, want := c.Quartiles[haproxy].CPU, [2]float64{0.5, 0.525}; got != want {
		t.Errorf("quartiles = %v, want %v", got, want)
	}
	if got, want := c.Medians[auditlb], (sample{CPU: 11, Relative: 0.5, PerSecond: 300, P99: 2}); got != want {
		t.Errorf("medians = %+v, want %+v", got, want)
	}
	if c.Noisy != 1 {
		t.Errorf("%d noisy windows, want 1", c.Noisy)
	}
	if _, ok := c.Ratios[auditlb]; ok {
		t.Error("auditlb is compared with itself")
	}
	table := c.table()
	if lines := strings.Split(table, "\n"); !strings.Contains(lines[2], auditlb) || !strings.Contains(lines[3], haproxy) || !strings.Contains(lines[3], "0.50x") {
		t.Errorf("the table:\n%s", table)
	}
}

func TestTheResultHasTheShapeThatReadersExpect(t *testing.T) {
	r := result{Cases: []caseResult{summarize(comparisons[0], twoPeers)}}
	file := filepath.Join(t.TempDir(), "out", "dataplane.json")
	if err := r.write(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Cases []struct {
			Name   string                        `json:"name"`
			Ratios map[string]map[string]float64 `json:"ratios"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Cases) != 1 || read.Cases[0].Name != "http1-small" {
		t.Fatalf("cases = %+v", read.Cases)
	}
	for name, want := range map[string]float64{"cpu": 0.5, "rps": 1.5, "p99": 0.5} {
		if got := read.Cases[0].Ratios[haproxy][name]; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}
