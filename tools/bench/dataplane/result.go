package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/load"
)

// result is what is written as JSON. Every ratio is auditlb over a peer.
type result struct {
	Time     time.Time         `json:"time"`
	CPUs     int               `json:"cpus"`
	Pinned   bool              `json:"pinned"`
	Rounds   int               `json:"rounds"`
	Window   float64           `json:"window_seconds"`
	Versions map[string]string `json:"versions"`
	Cases    []caseResult      `json:"cases"`
	Costs    []cost            `json:"costs,omitempty"`
	Idle     []idleMemory      `json:"idle,omitempty"`
	Reloads  []reloadLosses    `json:"reloads,omitempty"`
	Goals    []verdict         `json:"goals"`
	// Failed has the cases that could not be measured, and why.
	Failed map[string]string `json:"failed,omitempty"`
}

// caseResult is what a comparison came to.
type caseResult struct {
	Name string `json:"name"`
	// Ratios are medians of the rounds' ratios, by peer; Quartiles say how far they
	// are spread.
	Ratios    map[string]ratio     `json:"ratios"`
	Quartiles map[string]quartiles `json:"quartiles"`
	// Unit is what CPU time is given per. Medians are of each proxy's own figures.
	Unit    string            `json:"unit"`
	Medians map[string]sample `json:"medians"`
	// Noisy is how many windows stayed noisy however often they were taken.
	Noisy   int      `json:"noisy_windows"`
	Samples measured `json:"samples"`

	about string
}

type ratio struct {
	CPU      float64 `json:"cpu"`
	RPS      float64 `json:"rps"`
	P99      float64 `json:"p99"`
	Relative float64 `json:"relative_cpu"`
}

type quartiles struct {
	CPU      [2]float64 `json:"cpu"`
	RPS      [2]float64 `json:"rps"`
	P99      [2]float64 `json:"p99"`
	Relative [2]float64 `json:"relative_cpu"`
}

// cost is a variant of auditlb over the bare one.
type cost struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	CPU      spread `json:"cpu"`
	Relative spread `json:"relative_cpu"`
}

type idleMemory struct {
	Case        string  `json:"case"`
	Proxy       string  `json:"proxy"`
	Connections int     `json:"connections"`
	Bytes       float64 `json:"bytes_per_connection"`
}

type reloadLosses struct {
	Proxy   string `json:"proxy"`
	Reloads int    `json:"reloads"`
	load.Reuse
}

func cpu(s sample) float64       { return s.CPU }
func relative(s sample) float64  { return s.Relative }
func perSecond(s sample) float64 { return s.PerSecond }
func p99(s sample) float64       { return s.P99 }
func others(s sample) float64    { return s.Others }

// summarize compares the samples of auditlb with those of each peer.
func summarize(c comparison, m measured) caseResult {
	r := caseResult{
		Name: c.name, about: c.about, Unit: c.unit, Samples: m, Noisy: m.noisy(),
		Ratios: map[string]ratio{}, Quartiles: map[string]quartiles{}, Medians: map[string]sample{},
	}
	for name := range m {
		median := func(figure func(sample) float64) float64 { return quantile(m.column(name, figure), 0.5) }
		r.Medians[name] = sample{
			CPU: median(cpu), Relative: median(relative), PerSecond: median(perSecond), P99: median(p99), Others: median(others),
		}
		if name == auditlb {
			continue
		}
		over := func(figure func(sample) float64) spread {
			return spreadOf(ratios(m.column(auditlb, figure), m.column(name, figure)))
		}
		cpu, rps, p99, relative := over(cpu), over(perSecond), over(p99), over(relative)
		r.Ratios[name] = ratio{cpu.Median, rps.Median, p99.Median, relative.Median}
		r.Quartiles[name] = quartiles{
			[2]float64{cpu.Lower, cpu.Upper},
			[2]float64{rps.Lower, rps.Upper},
			[2]float64{p99.Lower, p99.Upper},
			[2]float64{relative.Lower, relative.Upper},
		}
	}
	return r
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
