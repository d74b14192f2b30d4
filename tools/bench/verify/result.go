package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Result is what a run measured.
type Result struct {
	Entries       int64    `json:"entries"`
	BytesPerEntry int64    `json:"bytes_per_entry"`
	Figures       []Figure `json:"figures"`
}

// Figure is one thing's samples, a round each.
type Figure struct {
	Name    string   `json:"name"`
	Samples []Sample `json:"samples"`
}

// Sample is one run of one thing.
type Sample struct {
	// CPUMicros and WallMicros are of one entry, proof or question.
	CPUMicros  float64 `json:"cpu_us"`
	WallMicros float64 `json:"wall_us"`
	// Others is the share of the machine that other programs used, 0 to 1.
	Others float64 `json:"others"`
	// P50Millis and P99Millis are of proofs and questions.
	P50Millis float64 `json:"p50_ms,omitempty"`
	P99Millis float64 `json:"p99_ms,omitempty"`
}

func (s Sample) String() string {
	text := fmt.Sprintf("CPU %6.2f µs, wall %6.2f µs", s.CPUMicros, s.WallMicros)
	if s.P99Millis > 0 {
		text += fmt.Sprintf(", p50 %.2f ms, p99 %.2f ms", s.P50Millis, s.P99Millis)
	}
	return text + fmt.Sprintf(", others %.0f%%", 100*s.Others)
}

func (c benchCase) sample(ctx context.Context) (Sample, error) {
	cpu, busy, began := ownCPU(), startBusy(), time.Now()
	took, err := c.run(ctx)
	wall, own := time.Since(began), ownCPU()-cpu
	s := Sample{
		CPUMicros: float64(own.Nanoseconds()) / 1000 / float64(c.n), WallMicros: float64(wall.Nanoseconds()) / 1000 / float64(c.n),
		Others: busy.others(own),
	}
	if len(took) > 0 {
		slices.Sort(took)
		at := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
		s.P50Millis, s.P99Millis = at(.5), at(.99)
	}
	return s, err
}

func (r *Result) add(c benchCase, s Sample) {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == c.name })
	if i < 0 {
		i = len(r.Figures)
		r.Figures = append(r.Figures, Figure{Name: c.name})
	}
	r.Figures[i].Samples = append(r.Figures[i].Samples, s)
}

// quiet is the share of the machine up to which others hardly disturb a sample.
const quiet = 0.1

// print shows medians, and in parentheses the least and the greatest: of the samples
// that others hardly disturbed where there are any, and otherwise of all.
func (r *Result) print(out io.Writer) {
	fmt.Fprintf(out, "\n%d entries of %d bytes on disk; medians (least to greatest)\n", r.Entries, r.BytesPerEntry)
	for _, f := range r.Figures {
		samples, of := f.Samples, "all"
		if calm := slices.DeleteFunc(slices.Clone(samples), func(s Sample) bool { return s.Others > quiet }); len(calm) > 0 {
			samples, of = calm, "quiet"
		}
		cpu := spread(samples, func(s Sample) float64 { return s.CPUMicros })
		wall := spread(samples, func(s Sample) float64 { return s.WallMicros })
		fmt.Fprintf(out, "%-22s CPU %5.2f µs (%.2f to %.2f): %7.0f/s a core; wall %7.0f/s", f.Name, cpu[1], cpu[0], cpu[2], 1e6/cpu[1], 1e6/wall[1])
		if p99 := spread(samples, func(s Sample) float64 { return s.P99Millis }); p99[1] > 0 {
			p50 := spread(samples, func(s Sample) float64 { return s.P50Millis })
			fmt.Fprintf(out, "; p50 %.2f ms, p99 %.2f ms (%.2f to %.2f)", p50[1], p99[1], p99[0], p99[2])
		}
		fmt.Fprintf(out, "; %d of %d rounds, %s\n", len(samples), len(f.Samples), of)
	}
}

// spread is the least, the median and the greatest.
func spread(samples []Sample, of func(Sample) float64) [3]float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return [3]float64{values[0], values[len(values)/2], values[len(values)-1]}
}

// ownCPU is the CPU time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// busy is how much of the machine was used since it was started.
type busy struct{ working, all time.Duration }

func startBusy() busy {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return busy{}
	}
	// proc_stat(5), in USER_HZ: user nice system idle iowait irq softirq steal …
	line, _, _ := strings.Cut(string(text), "\n")
	var b busy
	for i, field := range strings.Fields(line) {
		const idle, iowait, steal = 4, 5, 8
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || i > steal {
			continue
		}
		b.all += time.Duration(n) * time.Second / 100
		if i != idle && i != iowait {
			b.working += time.Duration(n) * time.Second / 100
		}
	}
	return b
}

// others is the share of the machine that was used by others than this process.
func (b busy) others(own time.Duration) float64 {
	now := startBusy()
	if now.all <= b.all {
		return 0
	}
	return max(0, float64(now.working-b.working-own)/float64(now.all-b.all))
}
