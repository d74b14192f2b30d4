package provider

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// processIdentity tells one execution of Terraform from all others: the host,
// and the process that started this one.
type processIdentity struct {
	Host string
	// Parent is the parent's process id.
	Parent int
	// Started says when the parent was started, in whatever form the system
	// gives. Process ids are used again; a pair of both isn't.
	Started string
	// Tool is the parent's program: "terraform" or "tofu".
	Tool string
	// Workspace is the one that `terraform workspace select` chose; "" for the default
	// one.
	Workspace string
}

// digest is what stands for the execution in a run's id.
func (p processIdentity) digest() string {
	return shortDigest(fmt.Sprintf("%s\x00%d\x00%s", p.Host, p.Parent, p.Started))
}

// currentProcess returns the identity of this execution. Where the parent's
// start can't be found out, something random stands in: plan and apply are then
// two runs, joined by their effects only.
func currentProcess(ctx context.Context) processIdentity {
	p := processIdentity{Parent: os.Getppid(), Tool: "terraform"}
	p.Host, _ = os.Hostname()
	if p.Host == "" {
		p.Host = "unknown"
	}
	command, started, err := processStart(ctx, p.Parent)
	if err != nil {
		started = uuid.NewString()
	}
	p.Started, p.Workspace = started, selectedWorkspace(cmp.Or(os.Getenv("TF_DATA_DIR"), ".terraform"))
	if strings.HasPrefix(filepath.Base(command), "tofu") {
		p.Tool = "tofu"
	}
	return p
}

// selectedWorkspace reads which workspace is selected. Terraform keeps it in a file of
// its data directory, and runs providers where it runs itself. There is none, or none
// that can be read, as long as only the default one was ever used.
func selectedWorkspace(dataDir string) string {
	f, err := os.Open(filepath.Join(dataDir, "environment"))
	if err != nil {
		return ""
	}
	defer f.Close()
	name, err := io.ReadAll(io.LimitReader(f, api.MaxRunClaimLength))
	if workspace := strings.TrimSpace(string(name)); err == nil && workspace != "default" {
		return workspace
	}
	return ""
}

// processStart returns a process's program and when it was started.
func processStart(ctx context.Context, pid int) (command, started string, err error) {
	switch runtime.GOOS {
	case "linux":
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			return "", "", fmt.Errorf("parent process: %w", err)
		}
		// The start is counted from boot, so the boot belongs to it.
		boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
		command, started, err := parseProcStat(stat)
		return command, strings.TrimSpace(string(boot)) + " " + started, err
	case "darwin", "freebsd", "openbsd", "netbsd":
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, "ps", "-o", "lstart=,comm=", "-p", strconv.Itoa(pid)) //nolint:gosec // a number
		cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
		out, err := cmd.Output()
		if err != nil {
			return "", "", fmt.Errorf("parent process: %w", err)
		}
		return parsePS(string(out))
	}
	return "", "", fmt.Errorf("parent process: no way to ask on %s", runtime.GOOS)
}

// parseProcStat reads /proc/PID/stat (proc_pid_stat(5)): the program is field 2,
// in parentheses and free to hold any character; the start, field 22.
func parseProcStat(stat []byte) (command, started string, err error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return "", "", errors.New("parent process: unexpected form of stat")
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return "", "", errors.New("parent process: stat is too short")
	}
	return string(stat[open+1 : end]), fields[19], nil
}

// parsePS reads "Tue Mar  4 05:06:07 2025 /usr/local/bin/terraform".
func parsePS(line string) (command, started string, err error) {
	fields := strings.Fields(line)
	if len(fields) < 6 {
		return "", "", errors.New("parent process: unexpected form of ps")
	}
	return strings.Join(fields[5:], " "), strings.Join(fields[:5], " "), nil
}
