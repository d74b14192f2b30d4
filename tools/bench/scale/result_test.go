package main

import (
	"os"
	"testing"
	"time"
)

func TestMedianRatioIsOfRoundsNotOfTotals(t *testing.T) {
	r := result{Limit: 1.5}
	// In the second round the machine was slow: both took ten times as long.
	for _, round := range []struct{ null, ours time.Duration }{{1, 1}, {10, 20}, {1, 1}} {
		for _, p := range phases {
			r.add("null", p.name, cost{wall: round.null * time.Second, cpu: time.Second}, 0)
			r.add("auditlb", p.name, cost{wall: round.ours * time.Second, cpu: 2 * time.Second}, 0)
		}
	}
	r.summarize()
	got := r.Ratios["creation"]
	if want := (spread{Median: 1, LowerQuartile: 1, UpperQuartile: 1.5}); got.Wall != want {
		t.Errorf("wall = %+v, want %+v", got.Wall, want)
	}
	if want := (spread{Median: 2, LowerQuartile: 2, UpperQuartile: 2}); got.CPU != want {
		t.Errorf("CPU = %+v, want %+v", got.CPU, want)
	}
	if err := r.judge(); err != nil {
		t.Errorf("judge = %v within the limit", err)
	}
}

func TestARatioAboveTheLimitFails(t *testing.T) {
	r := result{Limit: 1.5, Ratios: map[string]ratios{"update": {Wall: spread{Median: 1.51}}}}
	if r.judge() == nil {
		t.Error("a median ratio of 1.51 passed a limit of 1.5")
	}
	r.Limit = 0
	if err := r.judge(); err != nil {
		t.Errorf("judge = %v without a limit", err)
	}
}

func TestCPUTimesAreRead(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc on this system")
	}
	machine := startBusy()
	own := processCPU(os.Getpid())
	began := time.Now()
	deadline := began.Add(5 * time.Second)
	for processCPU(os.Getpid())-own < 100*time.Millisecond {
		if time.Now().After(deadline) {
			t.Fatal("a busy process used no CPU time")
		}
	}
	if used := startBusy().working - machine.working; used < 50*time.Millisecond {
		t.Errorf("the machine worked for %v while a process used 100ms", used)
	}
}
