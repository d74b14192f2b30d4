package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/devruntime"
	"github.com/auditlb/terraform-provider-auditlb/tools/internal/tfcli"
)

//go:embed testdata/main.tf
var configuration []byte

// phase is one command of a round.
type phase struct {
	name string
	args func(settings) []string
}

// phases are the commands of a round, in their order.
var phases = []phase{
	{"plan of creation", func(s settings) []string { return plan(s, 1) }},
	{"creation", apply},
	{"plan of update", func(s settings) []string { return plan(s, 2) }},
	{"update", apply},
	// Exits with 2 if there is a change.
	{"plan without changes", func(s settings) []string { return append(plan(s, 2), "-detailed-exitcode") }},
}

func plan(s settings, weight int) []string {
	return []string{
		"plan", "-input=false", "-out=plan", fmt.Sprintf("-parallelism=%d", s.parallelism),
		fmt.Sprintf("-var=pools=%d", s.pools), fmt.Sprintf("-var=weight=%d", weight),
	}
}

func apply(s settings) []string {
	return []string{"apply", "-input=false", fmt.Sprintf("-parallelism=%d", s.parallelism), "plan"}
}

// cost is what a phase took.
type cost struct {
	wall time.Duration
	// cpu is of terraform, the provider and the runtime together.
	cpu time.Duration
}

// subject is a provider that is measured.
type subject struct {
	name     string
	dir      string
	runtime  string // the auditlb program, if the provider needs one
	settings settings

	workspace tfcli.Workspace
	balancer  *devruntime.Runtime // the running one, of this round
}

func (s *subject) prepare(terraform, provider string) error {
	s.workspace = tfcli.Workspace{
		Terraform: terraform,
		Dir:       filepath.Join(s.dir, "configuration"),
		CLIConfig: filepath.Join(s.dir, "cli.tfrc"),
	}
	if err := os.MkdirAll(s.workspace.Dir, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.workspace.Dir, "main.tf"), configuration, 0o600); err != nil {
		return err
	}
	return tfcli.WriteMirror(filepath.Join(s.dir, "mirror"), s.workspace.CLIConfig, "auditlb", "0.1.0", provider)
}

// begin empties the state and, if the provider needs one, starts a runtime with
// an empty log. The caller calls end.
func (s *subject) begin(ctx context.Context) error {
	for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup", ".terraform", ".terraform.lock.hcl"} {
		if err := os.RemoveAll(filepath.Join(s.workspace.Dir, name)); err != nil {
			return err
		}
	}
	if s.runtime != "" {
		dir, err := os.MkdirTemp(s.dir, "runtime-")
		if err != nil {
			return err
		}
		if s.balancer, err = devruntime.Start(ctx, s.runtime, dir); err != nil {
			return err
		}
		s.workspace.Env = s.balancer.Env()
	}
	_, err := s.terraform(ctx, "init", "-input=false")
	return err
}

func (s *subject) end() {
	if s.balancer != nil {
		s.balancer.Stop()
		s.balancer = nil
	}
}

// run takes the configuration through one phase.
func (s *subject) run(ctx context.Context, p phase) (cost, error) {
	c, err := s.terraform(ctx, p.args(s.settings)...)
	if err != nil {
		return cost{}, fmt.Errorf("%s, %s: %w", s.name, p.name, err)
	}
	return c, nil
}

func (s *subject) terraform(ctx context.Context, args ...string) (cost, error) {
	// Flags come before the plan file's name.
	cmd := s.workspace.Command(ctx, append([]string{args[0], "-no-color"}, args[1:]...)...)
	before := s.balancerCPU()
	began := time.Now()
	out, err := cmd.CombinedOutput()
	c := cost{wall: time.Since(began)}
	if err != nil {
		return cost{}, fmt.Errorf("terraform %s: %w\n%s", strings.Join(args, " "), err, tail(out))
	}
	// Terraform waits for its providers, so their time is in its own.
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() + s.balancerCPU() - before
	return c, nil
}

func (s *subject) balancerCPU() time.Duration {
	if s.balancer == nil {
		return 0
	}
	return processCPU(s.balancer.PID())
}

func tail(out []byte) []byte {
	const size = 4 << 10
	return out[max(0, len(out)-size):]
}
