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

// quiet is the share of the machine that other programs may use before wall
// times say little.
const quiet = 0.1

// result is what is written as JSON.
type result struct {
	Time        time.Time `json:"time"`
	Terraform   string    `json:"terraform"`
	CPUs        int       `json:"cpus"`
	Pools       int       `json:"pools"`
	Rounds      int       `json:"rounds"`
	Parallelism int       `json:"parallelism"`
	Limit       float64   `json:"limit"`
	// Measured holds each round's figures, by provider and phase.
	Measured map[string]map[string]*series `json:"measured"`
	// Ratios are auditlb over null, by phase.
	Ratios map[string]ratios `json:"ratios"`
}

// series has a value for each round: seconds, and a share of 0 to 1.
type series struct {
	Wall   []float64 `json:"wall_seconds"`
	CPU    []float64 `json:"cpu_seconds"`
	Others []float64 `json:"others_share"`
}

type ratios struct {
	Wall spread `json:"wall"`
	CPU  spread `json:"cpu"`
}

// spread sums up the rounds' ratios.
type spread struct {
	Median        float64 `json:"median"`
	LowerQuartile float64 `json:"lower_quartile"`
	UpperQuartile float64 `json:"upper_quartile"`
}

func (r *result) add(subject, phase string, c cost, others float64) {
	if r.Measured == nil {
		r.Measured = map[string]map[string]*series{}
	}
	if r.Measured[subject] == nil {
		r.Measured[subject] = map[string]*series{}
	}
	s := r.Measured[subject][phase]
	if s == nil {
		s = &series{}
		r.Measured[subject][phase] = s
	}
	s.Wall = append(s.Wall, c.wall.Seconds())
	s.CPU = append(s.CPU, c.cpu.Seconds())
	s.Others = append(s.Others, others)
}

func (r *result) summarize() {
	r.Ratios = map[string]ratios{}
	for _, p := range phases {
		ours, null := r.Measured["auditlb"][p.name], r.Measured["null"][p.name]
		r.Ratios[p.name] = ratios{Wall: spreadOf(ours.Wall, null.Wall), CPU: spreadOf(ours.CPU, null.CPU)}
	}
}

func spreadOf(ours, null []float64) spread {
	each := make([]float64, len(ours))
	for i := range ours {
		each[i] = ours[i] / max(null[i], 0.001)
	}
	return spread{quantile(each, 0.5), quantile(each, 0.25), quantile(each, 0.75)}
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
	fmt.Fprintf(&b, "%d pools, %d rounds, parallelism %d, %s, %d CPUs; medians of seconds and of the rounds' ratios\n\n",
		r.Pools, r.Rounds, r.Parallelism, r.Terraform, r.CPUs)
	const row = "%-22s %8s %8s %8s %13s   %8s %8s %8s\n"
	fmt.Fprintf(&b, row, "", "null", "auditlb", "wall", "quartiles", "null", "auditlb", "CPU")
	for _, p := range phases {
		ours, null, x := r.Measured["auditlb"][p.name], r.Measured["null"][p.name], r.Ratios[p.name]
		fmt.Fprintf(&b, row, p.name,
			seconds(null.Wall), seconds(ours.Wall), times(x.Wall.Median), times(x.Wall.LowerQuartile)+" "+times(x.Wall.UpperQuartile),
			seconds(null.CPU), seconds(ours.CPU), times(x.CPU.Median))
	}
	if others := r.others(); others > quiet {
		fmt.Fprintf(&b, "\nOther programs used %.0f%% of the machine: trust the CPU times, not the wall times.\n", 100*others)
	}
	return b.String()
}

func seconds(values []float64) string { return fmt.Sprintf("%.1fs", quantile(values, 0.5)) }

func times(ratio float64) string { return fmt.Sprintf("%.2fx", ratio) }

// others is the median of what other programs used.
func (r *result) others() float64 {
	var all []float64
	for _, byPhase := range r.Measured {
		for _, s := range byPhase {
			all = append(all, s.Others...)
		}
	}
	return quantile(all, 0.5)
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
	for _, p := range phases {
		if got := r.Ratios[p.name].Wall.Median; got > r.Limit {
			return fmt.Errorf("%s takes %.2f times as long as with a provider that does nothing; the limit is %.2f", p.name, got, r.Limit)
		}
	}
	return nil
}
