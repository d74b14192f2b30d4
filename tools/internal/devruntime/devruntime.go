// Package devruntime runs `auditlb dev` as a child process.
package devruntime

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 15 * time.Second
)

// Runtime is a running balancer for development.
type Runtime struct {
	// Endpoint is the URL of its management API, Token one of its admin's and
	// Ticket an approved change ticket.
	Endpoint string `json:"endpoint"`
	Token    string `json:"token"`
	Ticket   string `json:"ticket"`
	// DataDir holds its log, PublicKey the key that the log's checkpoints are
	// signed with: a directory and a file.
	DataDir   string `json:"data_dir"`
	PublicKey string `json:"public_key"`

	cmd     *exec.Cmd
	logFile string
	ended   chan struct{} // closed when the process has ended
}

// Start runs `program dev` with its data in a folder of dir, and returns when
// it is ready.
func Start(ctx context.Context, program, dir string) (*Runtime, error) {
	r := &Runtime{logFile: filepath.Join(dir, "auditlb.log"), ended: make(chan struct{})}
	logFile, err := os.Create(r.logFile)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()

	r.cmd = exec.Command(program, "dev", "--json", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data"))
	r.cmd.Stderr = logFile
	// A group of its own: Ctrl-C in the terminal reaches it only through Stop.
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s dev: %w", program, err)
	}
	ready := make(chan error, 1)
	go func() {
		ready <- r.readAnnouncement(bufio.NewReader(out))
		_, _ = io.Copy(io.Discard, out)
		_ = r.cmd.Wait() // how it ended shows in its log
		close(r.ended)
	}()

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("%s dev did not become ready: %w\n%s", program, err, r.Log())
	}
	return r, nil
}

func (r *Runtime) readAnnouncement(out *bufio.Reader) error {
	line, err := out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("it printed no line of JSON: %w", err)
	}
	if err := json.Unmarshal(line, r); err != nil {
		return fmt.Errorf("it printed %q: %w", line, err)
	}
	if r.Endpoint == "" || r.Token == "" || r.Ticket == "" {
		return errors.New("its line lacks endpoint, token or ticket")
	}
	return nil
}

// Env is what the provider and the command line read, as "NAME=value".
func (r *Runtime) Env() []string {
	return []string{
		"AUDITLB_ENDPOINT=" + r.Endpoint,
		"AUDITLB_TOKEN=" + r.Token,
		"AUDITLB_CHANGE_TICKET=" + r.Ticket,
	}
}

// PID is the process's id.
func (r *Runtime) PID() int { return r.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (r *Runtime) Ended() <-chan struct{} { return r.ended }

// Log is the end of what the process wrote to its log.
func (r *Runtime) Log() string {
	const lines = 30
	text, err := os.ReadFile(r.logFile)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Stop ends the process: politely, then by force. It may be called twice.
func (r *Runtime) Stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(stopTimeout):
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
}
