package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// result is what is written as JSON. Times are in seconds.
type result struct {
	Time        time.Time                       `json:"time"`
	Terraform   string                          `json:"terraform"`
	CPUs        int                             `json:"cpus"`
	Pools       int                             `json:"pools"`
	Rounds      int                             `json:"rounds"`
	Parallelism int                             `json:"parallelism"`
	Limit       float64                         `json:"limit"`
	Seconds     map[string]map[string][]float64 `json:"seconds"` // by provider, phase
	Ratios      map[string]ratio                `json:"ratios"`  // by phase, auditlb over null
}

// ratio sums up the rounds' ratios of one phase.
type ratio struct {
	Median        float64 `json:"median"`
	LowerQuartile float64 `json:"lower_quartile"`
	UpperQuartile float64 `json:"upper_quartile"`
}

func (r *result) add(subject string, taken times) {
	if r.Seconds == nil {
		r.Seconds = map[string]map[string][]float64{}
	}
	if r.Seconds[subject] == nil {
		r.Seconds[subject] = map[string][]float64{}
	}
	for phase, elapsed := range taken {
		r.Seconds[subject][phase] = append(r.Seconds[subject][phase], elapsed.Seconds())
	}
}

func (r *result) summarize() {
	r.Ratios = map[string]ratio{}
	for _, phase := range phases {
		ours, null := r.Seconds["auditlb"][phase], r.Seconds["null"][phase]
		ratios := make([]float64, len(ours))
		for i := range ours {
			ratios[i] = ours[i] / null[i]
		}
		r.Ratios[phase] = ratio{quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75)}
	}
}

// quantile interpolates between the two nearest values.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func (r *result) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d pools, %d rounds, parallelism %d, %s, %d CPUs; medians\n\n", r.Pools, r.Rounds, r.Parallelism, r.Terraform, r.CPUs)
	fmt.Fprintf(&b, "%-22s %10s %10s %8s %16s\n", "", "null", "auditlb", "ratio", "quartiles")
	for _, phase := range phases {
		x := r.Ratios[phase]
		fmt.Fprintf(&b, "%-22s %9.2fs %9.2fs %7.2fx %8.2f to %.2f\n", phase,
			quantile(r.Seconds["null"][phase], 0.5), quantile(r.Seconds["auditlb"][phase], 0.5), x.Median, x.LowerQuartile, x.UpperQuartile)
	}
	return b.String()
}

func (r *result) write(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}

// judge fails when a phase takes longer than the limit allows.
func (r *result) judge() error {
	if r.Limit == 0 {
		return nil
	}
	for _, phase := range phases {
		if r.Ratios[phase].Median > r.Limit {
			return fmt.Errorf("%s takes %.2f times as long as with a provider that does nothing; the limit is %.2f", phase, r.Ratios[phase].Median, r.Limit)
		}
	}
	return nil
}
