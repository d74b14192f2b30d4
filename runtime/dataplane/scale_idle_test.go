//go:build linux

package dataplane_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestTenThousandIdleConnectionsCostLittleMemory(t *testing.T) {
	for _, tc := range []struct {
		name     string
		protocol lb.ListenerProtocol
		count    int
		most     int64 // bytes each
	}{
		{"plain", lb.ListenerHTTP, 10_000, 4 << 10},
		// Handshakes are slow under the race detector, and each connection costs the same.
		{"TLS", lb.ListenerHTTPS, scaleSecure(), 25 << 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			scaleNeedsFiles(t, uint64(tc.count)+500)
			member := canned(t, smallAnswer+strings.Repeat("x", 128))
			l := listener(tc.protocol, "app")
			s := simple(1, pool(members("a", member)))
			s.Listeners = map[string]*lb.Listener{"web": l}
			if tc.protocol == lb.ListenerHTTPS {
				l.Certificates = []string{"app"}
				s.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
			}
			e := newEngine(t, dataplane.Options{})
			e.Apply(s)
			open := func() int64 { return e.Status().Listeners["web"].Connections }

			scaleClients(t, tc.protocol, address(t, e, "web"), 100)() // what is made once has been made
			eventually(t, "without connections", func() bool { return open() == 0 })
			before, goroutines := scaleMemoryInUse(), runtime.NumGoroutine()
			leave := scaleClients(t, tc.protocol, address(t, e, "web"), tc.count)
			defer leave()
			// At rest a connection has no goroutine either.
			eventually(t, "at rest", func() bool { return open() == int64(tc.count) && runtime.NumGoroutine() < goroutines+100 })
			after := scaleMemoryInUse()
			each := (after.used - before.used) / int64(tc.count)
			if each > tc.most {
				t.Errorf("an idle connection takes %d bytes, want at most %d", each, tc.most)
			}
			t.Logf("%d idle connections take %d bytes of heap and stacks each; resident: %d KiB before, %d KiB with them",
				tc.count, each, before.resident>>10, after.resident>>10)
		})
	}
}

// scaleSecure is how many connections over TLS are opened: all of them in a long run.
func scaleSecure() int {
	if os.Getenv("AUDITLB_SOAK") != "" {
		return 10_000
	}
	return 1_000
}

// scaleNeedsFiles raises the number of descriptors that the process may have.
func scaleNeedsFiles(t *testing.T, want uint64) {
	t.Helper()
	var have syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have); err != nil {
		t.Fatal(err)
	}
	if have.Cur >= want {
		return
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: max(want, have.Max)}); err != nil {
		t.Skipf("%d descriptors are needed and %d allowed: %v", want, have.Cur, err)
	}
}

// scaleMemory is what the process holds, in bytes: of heap and stacks, and in all.
type scaleMemory struct{ used, resident int64 }

func scaleMemoryInUse() scaleMemory {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out := scaleMemory{used: int64(m.HeapInuse + m.StackInuse)}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(text); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			out.resident = pages * int64(os.Getpagesize())
		}
	}
	return out
}

// scaleClientVariable holds what the process of clients is to do.
const scaleClientVariable = "AUDITLB_TEST_IDLE_CLIENTS"

// scaleClients starts a process of clients: each opens a connection, has one request
// answered and then waits. Leave ends them.
func scaleClients(t *testing.T, protocol lb.ListenerProtocol, address string, count int) (leave func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleClientsProcess$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d", scaleClientVariable, protocol, address, count))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leave = sync.OnceFunc(func() {
		in.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		leave()
		t.Fatalf("the clients say %q, %v", line, err)
	}
	return leave
}

// TestIdleClientsProcess is no test: it is what the process of scaleClients runs.
func TestIdleClientsProcess(t *testing.T) {
	var protocol lb.ListenerProtocol
	var address string
	var count int64
	if n, _ := fmt.Sscan(os.Getenv(scaleClientVariable), &protocol, &address, &count); n < 3 {
		return
	}
	var config *tls.Config
	if protocol == lb.ListenerHTTPS {
		// The curve is the one that is fast under the race detector, too.
		config = &tls.Config{ServerName: "app.test", InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.CurveP256}}
	}
	conns := make([]net.Conn, count)
	var next atomic.Int64
	var opening sync.WaitGroup
	for range 8 {
		opening.Go(func() {
			buf := make([]byte, 4096)
			for i := next.Add(1) - 1; i < count; i = next.Add(1) - 1 {
				conn := dial(t, address)
				// Ended by a reset, or its port would be taken for a minute.
				conn.SetLinger(0)
				conns[i] = conn
				if config != nil {
					conns[i] = tls.Client(conn, config)
				}
				exchangeOnce(t, conns[i], []byte(browserRequest), buf, 128)
			}
		})
	}
	opening.Wait()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns) // they end with the process
}
