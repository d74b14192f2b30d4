package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/devruntime"
	"github.com/auditlb/terraform-provider-auditlb/tools/internal/tfcli"
)

const (
	// host is the name that the demo's certificate is for.
	host = "demo.auditlb.test"
	// providerVersion is what the built provider is called in the mirror.
	providerVersion = "0.1.0"
)

// sandbox is all that the demo runs on: two backends, a runtime, and a copy of
// examples/quickstart with a provider mirror beside it. Everything on disk is
// in one temporary directory, which close removes.
type sandbox struct {
	out       transcript
	dir       string
	program   string // the auditlb command line
	backends  []*backend
	runtime   *devruntime.Runtime
	workspace *tfcli.Workspace
	traffic   *traffic
}

// newSandbox sets everything up. What was begun is undone when it fails.
func newSandbox(ctx context.Context, out transcript, bin, examples string) (_ *sandbox, err error) {
	s := &sandbox{out: out, program: filepath.Join(bin, "auditlb")}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	terraform, err := tfcli.Find(ctx, bin)
	if errors.Is(err, tfcli.ErrNotFound) {
		out.note("%v: fetching terraform %s", err, tfcli.FetchedVersion)
		terraform, err = tfcli.Fetch(ctx, bin)
	}
	if err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "auditlb-demo-"); err != nil {
		return nil, err
	}
	for _, name := range []string{"backend-a", "backend-b"} {
		b, err := startBackend(name)
		if err != nil {
			return nil, err
		}
		s.backends = append(s.backends, b)
	}
	if s.runtime, err = devruntime.Start(ctx, s.program, s.dir); err != nil {
		return nil, err
	}
	if err := s.prepareWorkspace(terraform, filepath.Join(bin, "terraform-provider-auditlb"), examples); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *sandbox) prepareWorkspace(terraform, provider, examples string) error {
	id, err := newIdentity(host)
	if err != nil {
		return err
	}
	httpPort, err := freePort()
	if err != nil {
		return err
	}
	tlsPort, err := freePort()
	if err != nil {
		return err
	}
	caFile := filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(caFile, []byte(id.authority), 0o600); err != nil {
		return err
	}
	if s.traffic, err = newTraffic(s.out, host, httpPort, tlsPort, id.authority, caFile); err != nil {
		return err
	}
	s.workspace = &tfcli.Workspace{
		Terraform: terraform,
		Dir:       filepath.Join(s.dir, "quickstart"),
		CLIConfig: filepath.Join(s.dir, "cli.tfrc"),
		Env: append(s.runtime.Env(),
			"TF_VAR_backend_a="+s.backends[0].addr,
			"TF_VAR_backend_b="+s.backends[1].addr,
			fmt.Sprintf("TF_VAR_http_port=%d", httpPort),
			fmt.Sprintf("TF_VAR_https_port=%d", tlsPort),
			"TF_VAR_certificate_chain="+id.chain,
			"TF_VAR_private_key="+id.key,
		),
	}
	if err := os.CopyFS(s.workspace.Dir, os.DirFS(filepath.Join(examples, "quickstart"))); err != nil {
		return err
	}
	return tfcli.WriteMirror(filepath.Join(s.dir, "mirror"), s.workspace.CLIConfig, "auditlb", providerVersion, provider)
}

// terraform shows a terraform command; env is added for this one, and shown.
func (s *sandbox) terraform(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := s.workspace.Command(ctx, append(slices.Clone(args), "-no-color")...)
	cmd.Env = append(cmd.Env, env...)
	typed := slices.Concat(env, []string{filepath.Base(s.workspace.Terraform)}, args)
	return s.out.run(strings.Join(typed, " "), cmd)
}

// auditlb shows an auditlb command.
func (s *sandbox) auditlb(ctx context.Context, args ...string) (string, error) {
	return s.out.run("auditlb "+strings.Join(args, " "), s.command(ctx, args...))
}

// query runs an auditlb command unseen and returns its JSON.
func (s *sandbox) query(ctx context.Context, args ...string) ([]byte, error) {
	out, err := s.command(ctx, append(args, "-o", "json")...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("auditlb %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

func (s *sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env = append(os.Environ(), s.runtime.Env()...)
	return cmd
}

// close stops every process and removes every file.
func (s *sandbox) close() {
	if s.runtime != nil {
		s.runtime.Stop()
	}
	for _, b := range s.backends {
		b.stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}
