package acctest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Workspace is a directory in which the real terraform runs with the provider
// as a program of its own, as it does for users.
type Workspace struct {
	// Dir holds the configuration, the state and plan files.
	Dir string
	// Env is added to the environment of each command.
	Env []string
}

// program builds the provider once for all tests and returns its directory.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "auditlb-provider-")
	if err != nil {
		return "", err
	}
	built = dir
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "terraform-provider-auditlb"), "github.com/auditlb/terraform-provider-auditlb") //nolint:gosec // our own paths
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the provider: %w: %s", err, out)
	}
	return dir, nil
})

// built is the directory that [Main] removes at the end.
var built string

// NewWorkspace makes a workspace whose provider takes its settings from the
// environment, as they are given.
func NewWorkspace(t testing.TB, env ...string) *Workspace {
	t.Helper()
	dir, err := program()
	if err != nil {
		t.Fatal(err)
	}
	w := &Workspace{Dir: t.TempDir()}
	cliConfig := filepath.Join(t.TempDir(), "terraformrc")
	overrides := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"auditlb/auditlb\" = %q\n  }\n  direct {}\n}\n", dir)
	if err := os.WriteFile(cliConfig, []byte(overrides), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Env = append([]string{"TF_CLI_CONFIG_FILE=" + cliConfig, "TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1"}, env...)
	w.Write(t, "versions.tf", "terraform {\n  required_providers {\n    auditlb = {\n      source = \"auditlb/auditlb\"\n    }\n  }\n}\n")
	return w
}

// Settings are the provider's settings for the runtime, as environment.
func (r *Runtime) Settings() []string {
	return []string{"AUDITLB_ENDPOINT=" + r.Endpoint, "AUDITLB_TOKEN=" + r.Operator, "AUDITLB_CHANGE_TICKET=" + r.Ticket}
}

// Write puts a file into the workspace.
func (w *Workspace) Write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Run runs terraform and returns what it printed.
func (w *Workspace) Run(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), terraform(t), args...) //nolint:gosec // what the test asks for
	cmd.Dir = w.Dir
	cmd.Env = append(os.Environ(), w.Env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("terraform: %v", err)
	}
	return string(out), err
}

// MustRun is Run for commands that must succeed.
func (w *Workspace) MustRun(t testing.TB, args ...string) string {
	t.Helper()
	out, err := w.Run(t, args...)
	if err != nil {
		t.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// terraform finds the program that tests run.
func terraform(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("TF_ACC_TERRAFORM_PATH"); path != "" {
		return path
	}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("finds neither terraform nor tofu")
	return ""
}

// Read returns a file of the workspace.
func (w *Workspace) Read(t testing.TB, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
