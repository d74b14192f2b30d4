package proxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// run starts a shell that runs a script.
func run(t *testing.T, script string) *process {
	t.Helper()
	p, err := start(t.TempDir(), "sh", nil, "-c", script)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	return p
}

// printed waits for a text in a process's log.
func printed(t *testing.T, p *process, text string) {
	t.Helper()
	err := poll(t.Context(), time.Minute, nil, func() error {
		if !strings.Contains(p.log(), text) {
			return fmt.Errorf("no %q in %q", text, p.log())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStopEndsWorkersToo(t *testing.T) {
	// The worker ignores the polite request and outlives its master.
	p := run(t, `(trap "" TERM; echo working; while :; do sleep 60; done) & wait`)
	printed(t, p, "working")
	p.stop()
	// They are killed, and gone as soon as someone has waited for them.
	err := poll(t.Context(), time.Minute, nil, func() error {
		if err := syscall.Kill(-p.cmd.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("the group still has processes: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	p.stop() // twice is harmless
}

func TestAProcessThatEndsIsNoticed(t *testing.T) {
	p := run(t, "echo cannot bind >&2; exit 1")
	err := poll(t.Context(), time.Minute, p.ended, func() error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("error = %v", err)
	}
	printed(t, p, "cannot bind")
}

func TestPollingGivesTheLastError(t *testing.T) {
	want := errors.New("connection refused")
	if err := poll(t.Context(), 50*time.Millisecond, nil, func() error { return want }); !errors.Is(err, want) {
		t.Errorf("error = %v", err)
	}
}

func TestWhatIsStartedOnAProcessorStaysThere(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor")
	}
	runtime.LockOSThread() // the thread that is bound, and then no longer
	defer runtime.UnlockOSThread()
	before, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Skip("no /proc on this system")
	}
	for _, cpu := range []int{0, 1} {
		var p *process
		err := onCPU(cpu, func() error {
			p = run(t, "grep Cpus_allowed_list /proc/self/status; echo done")
			return nil
		})
		if err != nil {
			t.Skipf("processors can't be chosen here: %v", err)
		}
		printed(t, p, "done")
		if want := fmt.Sprintf("Cpus_allowed_list:\t%d\n", cpu); !strings.Contains(p.log(), want) {
			t.Errorf("processor %d: %s", cpu, p.log())
		}
	}
	// The thread itself is bound no longer.
	p := run(t, "grep Cpus_allowed_list /proc/self/status; echo done")
	printed(t, p, "done")
	for line := range strings.Lines(string(before)) {
		if strings.HasPrefix(line, "Cpus_allowed_list:") && !strings.Contains(p.log(), line) {
			t.Errorf("before: %q; now: %s", line, p.log())
		}
	}
}

func TestTheSyslogServerTakesMessages(t *testing.T) {
	s, err := listenSyslog()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", s.port()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = poll(t.Context(), time.Minute, nil, func() error {
		if _, err := fmt.Fprint(conn, "<134>haproxy: a request"); err != nil {
			return err
		}
		if s.messages.Load() == 0 {
			return errors.New("no message arrived")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
