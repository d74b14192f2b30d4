package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// patience bounds every wait for something that must happen.
const patience = 30 * time.Second

// TestMain lets the test binary be the real program when it is called auditlb.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"auditlb": main, "change": changeMain})
}

// auditlb is a call of the real program.
func auditlb(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Args[0] = "auditlb"
	return cmd
}

// installation is a data directory with a configuration, a token and a ticket.
type installation struct {
	config          daemon.Config
	path            string
	token, ticketID string
}

// newInstallation prepares a runtime that was never started.
func newInstallation(t *testing.T) installation {
	t.Helper()
	dir := t.TempDir()
	in := installation{path: filepath.Join(dir, "auditlb.hcl"), ticketID: "CHG-1"}
	text := fmt.Sprintf("data_dir = %q\nmanagement {\n  address = \"127.0.0.1:0\"\n}\nlog {\n  min_free_bytes = -1\n}\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(in.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if in.config, err = daemon.LoadConfig(in.path); err != nil {
		t.Fatal(err)
	}
	log, done, err := daemon.OpenLog(t.Context(), in.config)
	if err != nil {
		t.Fatal(err)
	}
	var outcome control.Outcome
	outcome, in.token, err = log.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: "olivia", Role: identity.Operator})
	if err := failed(outcome, err); err != nil {
		t.Fatal(err)
	}
	outcome, err = log.OpenTicket(t.Context(), control.Call{Actor: control.System("test")}, control.TicketRequest{Request: ticket.Request{
		ID: in.ticketID, Title: "a change", Reason: "a test needs it", Scope: ticket.Scope{Addresses: []string{"*"}},
	}})
	if err := failed(outcome, err); err != nil {
		t.Fatal(err)
	}
	outcome, err = log.ActOnTicket(t.Context(), control.Call{Actor: identity.Actor{Name: "anton"}}, in.ticketID, control.TicketAct{Action: ticket.Approve})
	if err := failed(outcome, err); err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	return in
}

// serve starts the real program and waits until it answers. It is killed at
// the end of the test, if it still runs then.
func (in installation) serve(t *testing.T) *process {
	t.Helper()
	p, err := startProcess(auditlb("serve", "--config", in.path), regexp.MustCompile(`endpoint=(\S+)`))
	if p != nil {
		t.Cleanup(p.kill)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// process is a program that keeps running.
type process struct {
	cmd      *exec.Cmd
	endpoint string
	// ended is closed when the program is gone; err is how it ended.
	ended chan struct{}
	err   error

	mu  sync.Mutex // guards log
	log bytes.Buffer
}

// startProcess starts a program and waits until it prints a line that matches.
// The pattern's first group, if it has one, is the endpoint. A program that was
// started must be killed, also when it did not become ready.
func startProcess(cmd *exec.Cmd, pattern *regexp.Regexp) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	ready := make(chan []string, 1)
	go func() {
		p.read(out, pattern, ready)
		p.err = cmd.Wait()
		close(p.ended)
	}()
	select {
	case match := <-ready:
		if len(match) > 1 {
			p.endpoint = match[1]
		}
		return p, nil
	case <-p.ended:
		return p, fmt.Errorf("%s ended: %w\n%s", cmd.Args, p.err, p.logged())
	case <-time.After(patience):
		return p, fmt.Errorf("%s was not ready in time\n%s", cmd.Args, p.logged())
	}
}

// read keeps what is printed and tells of the first line that matches.
func (p *process) read(out io.ReadCloser, pattern *regexp.Regexp, ready chan<- []string) {
	defer out.Close()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.mu.Lock()
		p.log.Write(append(lines.Bytes(), '\n'))
		p.mu.Unlock()
		if match := pattern.FindStringSubmatch(lines.Text()); match != nil {
			select {
			case ready <- match:
			default:
			}
		}
	}
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// wait waits until the program has ended and returns how.
func (p *process) wait() error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		return errors.New("it goes on")
	}
}

// kill ends the program at once (SIGKILL), and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
