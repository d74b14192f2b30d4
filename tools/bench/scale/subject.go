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

// The phases of a round, in their order.
const (
	planCreate  = "plan of creation"
	applyCreate = "creation"
	planUpdate  = "plan of update"
	applyUpdate = "update"
	planNothing = "plan without changes"
)

var phases = []string{planCreate, applyCreate, planUpdate, applyUpdate, planNothing}

// times are the wall times of one round, by phase.
type times map[string]time.Duration

func (t times) String() string {
	var parts []string
	for _, phase := range phases {
		parts = append(parts, fmt.Sprintf("%s %.1fs", phase, t[phase].Seconds()))
	}
	return strings.Join(parts, ", ")
}

// subject is a provider that is measured.
type subject struct {
	name     string
	dir      string
	runtime  string // the auditlb program, if the provider needs one
	settings settings

	workspace tfcli.Workspace
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

// round takes the configuration through its phases once, from nothing.
func (s *subject) round(ctx context.Context) (times, error) {
	for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup", ".terraform", ".terraform.lock.hcl"} {
		if err := os.RemoveAll(filepath.Join(s.workspace.Dir, name)); err != nil {
			return nil, err
		}
	}
	s.workspace.Env = nil
	if s.runtime != "" {
		dir, err := os.MkdirTemp(s.dir, "runtime-")
		if err != nil {
			return nil, err
		}
		balancer, err := devruntime.Start(ctx, s.runtime, dir)
		if err != nil {
			return nil, err
		}
		defer balancer.Stop()
		s.workspace.Env = balancer.Env()
	}
	if _, err := s.terraform(ctx, "init", "-input=false"); err != nil {
		return nil, err
	}
	taken := times{}
	for _, step := range []struct {
		phase string
		args  []string
	}{
		{planCreate, s.plan(1)},
		{applyCreate, s.apply()},
		{planUpdate, s.plan(2)},
		{applyUpdate, s.apply()},
		{planNothing, append(s.plan(2), "-detailed-exitcode")}, // exits with 2 if there is a change
	} {
		elapsed, err := s.terraform(ctx, step.args...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.phase, err)
		}
		taken[step.phase] = elapsed
	}
	return taken, nil
}

func (s *subject) plan(weight int) []string {
	return []string{
		"plan", "-input=false", "-out=plan", fmt.Sprintf("-parallelism=%d", s.settings.parallelism),
		fmt.Sprintf("-var=pools=%d", s.settings.pools), fmt.Sprintf("-var=weight=%d", weight),
	}
}

func (s *subject) apply() []string {
	return []string{"apply", "-input=false", fmt.Sprintf("-parallelism=%d", s.settings.parallelism), "plan"}
}

// terraform returns how long a command took.
func (s *subject) terraform(ctx context.Context, args ...string) (time.Duration, error) {
	// Flags come before the plan file's name.
	cmd := s.workspace.Command(ctx, append([]string{args[0], "-no-color"}, args[1:]...)...)
	began := time.Now()
	out, err := cmd.CombinedOutput()
	elapsed := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("terraform %s: %w\n%s", strings.Join(args, " "), err, tail(out))
	}
	return elapsed, nil
}

func tail(out []byte) []byte {
	const size = 4 << 10
	return out[max(0, len(out)-size):]
}
