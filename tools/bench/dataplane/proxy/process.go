package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/bench/dataplane/procfs"
)

// stopTimeout is how long a server may take to end when asked to.
const stopTimeout = 5 * time.Second

// process is a server and whatever it forks, in a process group of its own.
type process struct {
	name    string
	cmd     *exec.Cmd
	logFile string
	ended   chan struct{} // closed when the first process has ended
}

// start runs a program in a directory; what it prints goes to a file there.
func start(dir, name string, env []string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(name), cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.logFile = filepath.Join(dir, p.name+".log")
	log, err := os.Create(p.logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own: Ctrl-C in the terminal reaches it only through stop.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended shows in its log
		close(p.ended)
	}()
	return p, nil
}

func (p *process) group() procfs.Group { return procfs.Group(p.cmd.Process.Pid) }

// signal asks the first process for something.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// stop ends the group: politely, then by force. It may be called twice.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
	}
	// Workers that outlive the first process are still in its group.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// log is the end of what the process printed.
func (p *process) log() string {
	text, err := os.ReadFile(p.logFile)
	if err != nil {
		return err.Error()
	}
	const size = 4 << 10
	return string(bytes.TrimSpace(text[max(0, len(text)-size):]))
}

// command runs a program to its end and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, bytes.TrimSpace(out))
	}
	return string(out), nil
}

// poll tries something until it succeeds. It gives up when ctx ends, after a
// timeout, or when ended is closed.
func poll(ctx context.Context, timeout time.Duration, ended <-chan struct{}, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("the process has ended")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
