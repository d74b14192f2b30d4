// Command scale measures what the provider adds to Terraform's own time. It
// plans and applies many pools twice: with our provider against a running
// auditlb, and with a provider that does nothing (bench/nullprovider).
//
//	make bench-scale
//
// The two take turns phase by phase, so that a slow minute of the machine falls
// on both; what counts is the median of the rounds' ratios. Each round begins
// with an empty state, its own runtime and its own log on disk. Wall times mean
// something only on a quiet machine: how much of it other programs used is
// measured too. CPU times mean something on any.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/tfcli"
)

// settings are what the command line says.
type settings struct {
	bin, out    string
	pools       int
	rounds      int
	parallelism int
	limit       float64
}

func main() {
	var s settings
	flag.StringVar(&s.bin, "bin", "../bin", "where terraform-provider-auditlb and auditlb were built")
	flag.StringVar(&s.out, "out", "bench/out/scale.json", "file for the result")
	flag.IntVar(&s.pools, "pools", 1000, "pools in the configuration")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds with each provider")
	flag.IntVar(&s.parallelism, "parallelism", 10, "terraform's -parallelism")
	flag.Float64Var(&s.limit, "limit", 1.5, "fail when a phase's median ratio is above this; 0 never fails")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, s)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, s settings) error {
	bin, err := filepath.Abs(s.bin)
	if err != nil {
		return err
	}
	terraform, err := tfcli.Find(ctx, bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "auditlb-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	null := filepath.Join(dir, "nullprovider")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", null, "./bench/nullprovider").CombinedOutput(); err != nil {
		return fmt.Errorf("build the null provider: %w\n%s", err, out)
	}
	ours := &subject{name: "auditlb", dir: filepath.Join(dir, "ours"), runtime: filepath.Join(bin, "auditlb"), settings: s}
	nothing := &subject{name: "null", dir: filepath.Join(dir, "null"), settings: s}
	if err := ours.prepare(terraform, filepath.Join(bin, "terraform-provider-auditlb")); err != nil {
		return err
	}
	if err := nothing.prepare(terraform, null); err != nil {
		return err
	}

	r := result{
		Time: time.Now().UTC(), Pools: s.pools, Rounds: s.rounds, Parallelism: s.parallelism, Limit: s.limit,
		Terraform: version(ctx, terraform), CPUs: runtime.NumCPU(),
	}
	for n := range s.rounds {
		fmt.Printf("round %d\n", n+1)
		order := []*subject{nothing, ours}
		if n%2 == 1 {
			order = []*subject{ours, nothing}
		}
		if err := round(ctx, order, &r); err != nil {
			return err
		}
	}
	r.summarize()
	fmt.Print("\n", r.table())
	if err := r.write(s.out); err != nil {
		return err
	}
	return r.judge()
}

// round takes both subjects through every phase, in turn.
func round(ctx context.Context, order []*subject, r *result) error {
	defer func() {
		for _, subject := range order {
			subject.end()
		}
	}()
	for _, subject := range order {
		if err := subject.begin(ctx); err != nil {
			return fmt.Errorf("%s: %w", subject.name, err)
		}
	}
	for _, p := range phases {
		for _, subject := range order {
			busy := startBusy()
			c, err := subject.run(ctx, p)
			if err != nil {
				return err
			}
			others := busy.others(c.cpu)
			r.add(subject.name, p.name, c, others)
			fmt.Printf("  %-22s %-8s %6.1fs wall %6.1fs CPU, others used %2.0f%% of the machine\n",
				p.name, subject.name, c.wall.Seconds(), c.cpu.Seconds(), 100*others)
		}
	}
	return nil
}

func version(ctx context.Context, terraform string) string {
	w := tfcli.Workspace{Terraform: terraform, Dir: "."}
	out, err := w.Command(ctx, "version", "-json").Output()
	var answer struct {
		Version string `json:"terraform_version"`
	}
	if err != nil || json.Unmarshal(out, &answer) != nil {
		return "unknown"
	}
	return filepath.Base(terraform) + " " + answer.Version
}
