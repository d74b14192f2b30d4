package main

import (
	"testing"
	"time"
)

func TestMedianRatioIsOfRoundsNotOfTotals(t *testing.T) {
	r := result{Limit: 1.5}
	// One slow minute of the machine: both providers took ten times as long.
	for _, round := range []struct{ null, ours time.Duration }{{1, 1}, {10, 20}, {1, 1}} {
		null, ours := times{}, times{}
		for _, phase := range phases {
			null[phase], ours[phase] = round.null*time.Second, round.ours*time.Second
		}
		r.add("null", null)
		r.add("auditlb", ours)
	}
	r.summarize()
	if got, want := r.Ratios[applyCreate], (ratio{Median: 1, LowerQuartile: 1, UpperQuartile: 1.5}); got != want {
		t.Errorf("ratio = %+v, want %+v", got, want)
	}
	if err := r.judge(); err != nil {
		t.Errorf("judge = %v within the limit", err)
	}
}

func TestARatioAboveTheLimitFails(t *testing.T) {
	r := result{Limit: 1.5, Ratios: map[string]ratio{applyUpdate: {Median: 1.51}}}
	if r.judge() == nil {
		t.Error("a median ratio of 1.51 passed a limit of 1.5")
	}
	r.Limit = 0
	if err := r.judge(); err != nil {
		t.Errorf("judge = %v without a limit", err)
	}
}
