package main

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
)

func TestCPUTimeIsDividedByWhatWasDone(t *testing.T) {
	before := clocks{proxy: time.Second, backend: time.Second, own: time.Second, machine: procfs.Machine{Working: 10 * time.Second, All: 100 * time.Second}}
	// Two processors for two seconds: the proxy used 1 s, backend and load 0.5 s each, others 0.2 s.
	after := clocks{
		proxy: 2 * time.Second, backend: 1500 * time.Millisecond, own: 1500 * time.Millisecond,
		machine: procfs.Machine{Working: 12200 * time.Millisecond, All: 104 * time.Second},
	}
	done := load.Result{Requests: 50_000, Took: 2 * time.Second, P99: 3 * time.Millisecond}
	got, err := sampleOf(before, after, done, 0.1)
	want := sample{CPU: 200, Relative: 1, PerSecond: 25_000, P99: 3, Others: 0.05}
	if err != nil || math.Abs(got.Others-want.Others) > 1e-9 {
		t.Fatalf("got %+v, %v; want %+v", got, err, want)
	}
	got.Others = want.Others
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAWindowThatSaysNothingIsAnError(t *testing.T) {
	some := clocks{proxy: time.Second, backend: time.Second, own: time.Second}
	good := load.Result{Requests: 1000, Failed: 1, Took: time.Second, P99: time.Millisecond}
	if _, err := sampleOf(clocks{}, some, good, 1); err != nil {
		t.Fatalf("a request in a thousand that failed: %v", err)
	}
	for name, test := range map[string]struct {
		after  clocks
		result load.Result
	}{
		"no requests":         {some, load.Result{Took: time.Second, P99: time.Millisecond}},
		"too many failed":     {some, load.Result{Requests: 1000, Failed: 2, Took: time.Second, P99: time.Millisecond}},
		"no time was used":    {clocks{}, good},
		"no latency was seen": {some, load.Result{Requests: 1000, Took: time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := sampleOf(clocks{}, test.after, test.result, 1); err == nil {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestANoisyWindowIsTakenAgainABoundedNumberOfTimes(t *testing.T) {
	for _, test := range []struct {
		name   string
		others []float64 // of the windows, as they are taken
		taken  int
		want   float64
	}{
		{"quiet at once", []float64{0.1, 0.01}, 1, 0.1},
		{"quiet at the third", []float64{0.5, 0.2, 0.05, 0.01}, 3, 0.05},
		{"never quiet: the quietest counts", []float64{0.5, 0.2, 0.4, 0.3, 0.01}, 4, 0.2},
	} {
		t.Run(test.name, func(t *testing.T) {
			taken := 0
			got, err := quietest(func() (sample, error) {
				taken++
				return sample{Others: test.others[taken-1]}, nil
			})
			if err != nil || got.Others != test.want || taken != test.taken {
				t.Errorf("%d windows, others %v, %v; want %d, %v", taken, got.Others, err, test.taken, test.want)
			}
		})
	}
}

func TestAWindowThatFailsIsNotTakenAgain(t *testing.T) {
	failure := errors.New("wrk is missing")
	taken := 0
	if _, err := quietest(func() (sample, error) { taken++; return sample{}, failure }); !errors.Is(err, failure) || taken != 1 {
		t.Errorf("error %v after %d windows", err, taken)
	}
}
