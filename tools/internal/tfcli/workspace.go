package tfcli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Registry hosts that Terraform and OpenTofu read a short source such as
// "auditlb/auditlb" under.
var registryHosts = []string{"registry.terraform.io", "registry.opentofu.org"}

// interruptGrace is how long an interrupted program may take to end.
const interruptGrace = 20 * time.Second

// Workspace is a directory with a Terraform configuration and the way to run
// Terraform in it.
type Workspace struct {
	// Terraform is the path of the terraform or tofu program.
	Terraform string
	// Dir holds the configuration.
	Dir string
	// CLIConfig is the path of the command line's configuration file.
	CLIConfig string
	// Env is added to the environment, "NAME=value". Nothing that begins with
	// TF_ or AUDITLB_ is inherited.
	Env []string
}

// Command returns a command that runs Terraform in the workspace. When the
// context ends it is interrupted as by Ctrl-C, so that it can write its state.
func (w *Workspace) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.Terraform, args...)
	cmd.Dir = w.Dir
	cmd.Env = append(cleanEnv(os.Environ()),
		"TF_CLI_CONFIG_FILE="+w.CLIConfig, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	cmd.Env = append(cmd.Env, w.Env...)
	// A group of its own: Ctrl-C in the terminal must not reach it twice, or it
	// gives up without writing its state.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = interruptGrace
	return cmd
}

// WriteMirror lays the provider program out in dir as a provider mirror under
// the source "auditlb/<name>", and writes a CLI configuration in cliConfig that
// installs providers from there and from nowhere else.
func WriteMirror(dir, cliConfig, name, version, program string) error {
	for _, host := range registryHosts {
		target := filepath.Join(dir, host, "auditlb", name, version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(target, 0o750); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(target, "terraform-provider-"+name+"_v"+version), program); err != nil {
			return fmt.Errorf("lay out the provider mirror: %w", err)
		}
	}
	return writeCLIConfig(cliConfig, fmt.Sprintf("filesystem_mirror {\n    path = %q\n  }", dir))
}

// WriteOverride writes a CLI configuration that takes the provider
// "auditlb/auditlb" from programDir as it is, without init.
func WriteOverride(cliConfig, programDir string) error {
	return writeCLIConfig(cliConfig, fmt.Sprintf("dev_overrides {\n    \"auditlb/auditlb\" = %q\n  }", programDir))
}

func writeCLIConfig(path, installation string) error {
	text := "disable_checkpoint = true\n\nprovider_installation {\n  " + installation + "\n}\n"
	return os.WriteFile(path, []byte(text), 0o600)
}

// cleanEnv drops what would steer Terraform or the provider from outside.
func cleanEnv(env []string) []string {
	var kept []string
	for _, pair := range env {
		if !strings.HasPrefix(pair, "TF_") && !strings.HasPrefix(pair, "AUDITLB_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

func copyFile(to, from string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := dst.Close(); err == nil {
			err = closeErr
		}
	}()
	_, err = io.Copy(dst, src)
	return err
}
