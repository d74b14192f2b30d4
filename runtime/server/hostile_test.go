package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
)

// dial opens a bare connection to the management API.
func (r *rig) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.Endpoint, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// closedWithin reads until the server hangs up and returns what it said.
func closedWithin(t *testing.T, conn net.Conn, limit time.Duration) string {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	said, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("still open after %s; it said %.100q", limit, said)
	}
	return string(said)
}

func TestSlowAndGreedyClientsAreCutOffAndOthersServed(t *testing.T) {
	t.Parallel() // it waits
	r := start(t)
	head := fmt.Sprintf("PUT /v1/pools/web HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", r.Operator)
	t.Run("group", func(t *testing.T) {
		t.Run("a header that never ends", func(t *testing.T) {
			t.Parallel()
			conn := r.dial(t)
			done := make(chan struct{})
			defer close(done)
			go func() {
				_, _ = io.WriteString(conn, head)
				for {
					select {
					case <-done:
						return
					case <-time.After(200 * time.Millisecond):
						if _, err := io.WriteString(conn, "X-A: b\r\n"); err != nil {
							return
						}
					}
				}
			}()
			closedWithin(t, conn, 30*time.Second)
		})
		t.Run("a body that does not come", func(t *testing.T) {
			t.Parallel()
			hasty, _ := startFaulty(t)
			conn := hasty.dial(t)
			_, _ = io.WriteString(conn, strings.Replace(head, r.Operator, hasty.Operator, 1)+"If-None-Match: *\r\nContent-Length: 1000\r\n\r\n{")
			if said := closedWithin(t, conn, 30*time.Second); said != "" && !strings.HasPrefix(said, "HTTP/1.1 400") && !strings.HasPrefix(said, "HTTP/1.1 503") {
				t.Errorf("answered %q", said)
			}
		})
		t.Run("a body without end", func(t *testing.T) {
			t.Parallel()
			conn := r.dial(t)
			go func() {
				_, _ = io.WriteString(conn, head+"If-None-Match: *\r\nTransfer-Encoding: chunked\r\n\r\n")
				for chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"; ; {
					if _, err := io.WriteString(conn, chunk); err != nil {
						return
					}
				}
			}()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, "413") {
				t.Errorf("answered %q, %v", line, err)
			}
		})
		t.Run("a huge header", func(t *testing.T) {
			t.Parallel()
			conn := r.dial(t)
			go func() { _, _ = io.WriteString(conn, head+"X-A: "+strings.Repeat("b", 1<<20)) }()
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "431") {
				t.Errorf("answered %q, %v", line, err)
			}
		})
		t.Run("many small headers", func(t *testing.T) {
			t.Parallel()
			conn := r.dial(t)
			go func() { _, _ = io.WriteString(conn, head+strings.Repeat("X-A: b\r\n", 10_000)+"\r\n") }()
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "431") {
				t.Errorf("answered %q, %v", line, err)
			}
		})
		for name, request := range map[string]string{
			"two lengths":           head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
			"header with a NUL":     head + "X-A: \x00\r\n\r\n",
			"space before a colon":  head + "X-A : b\r\n\r\n",
			"no HTTP":               "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
			"unknown transfer code": head + "Transfer-Encoding: gzip, identity\r\n\r\n{}",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn := r.dial(t)
				_, _ = io.WriteString(conn, request)
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err == nil && !strings.HasPrefix(line, "HTTP/1.1 4") && !strings.HasPrefix(line, "HTTP/1.1 501") {
					t.Errorf("answered %q", line)
				}
			})
		}
		t.Run("the others meanwhile", func(t *testing.T) {
			t.Parallel()
			for i := range 50 {
				r.create(t, fmt.Sprintf("pool/p%d", i), pool())
			}
		})
	})
	if a := r.do(t, http.MethodGet, "/v1/pools/web", nil); a.problem.Code != api.CodeNotFound {
		t.Errorf("a cut-off call changed something: %s", a)
	}
	r.create(t, "pool/after", pool())
}

func TestTheServersBoundsAreSet(t *testing.T) {
	s := server.HTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("%+v", s)
	}
	// An answer that nobody reads must not outlive the write timeout.
	s.WriteTimeout = 200 * time.Millisecond
	ended := make(chan error, 1)
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		ended <- err
	})
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s
	ts.Start()
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the answer is still being written")
	}
}

func TestHeadersCannotForgeLinesOfTheLog(t *testing.T) {
	r := start(t)
	// The client library refuses control characters, so they go over a bare
	// connection; what HTTP itself lets through is the tab and bytes above 127.
	conn := r.dial(t)
	fmt.Fprintf(conn, "PUT /v1/pools/web%%0alevel=ERROR%%1b[2J HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"User-Agent: a\tlevel=ERROR \xe2\x80\xae\xff\r\nX-Request-Id: a\tb\r\nAuditlb-Change-Ticket: CHG\t1\r\nIf-None-Match: *\r\nContent-Length: 2\r\n\r\n{}", r.Operator)
	if said := closedWithin(t, conn, 30*time.Second); !strings.HasPrefix(said, "HTTP/1.1 422") {
		t.Errorf("answered %.300q", said)
	}
	entry := r.newest(t)
	if entry.Resource != "pool/web?level=ERROR?[2J" || entry.Request.Path != "/v1/pools/web?level=ERROR?[2J" || entry.Request.UserAgent != "a?level=ERROR ??" || entry.Ticket != "CHG?1" {
		t.Errorf("entry is %+v, request %+v", entry.Entry, entry.Request)
	}
	for line := range strings.Lines(r.Logs.String()) {
		if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\x1b\t") {
			t.Errorf("a line of the log is %q", line)
		}
	}
}

func TestNothingIsLeftRunningAfterTheCalls(t *testing.T) {
	r := start(t)
	r.create(t, "pool/web", pool())
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			r.must(t, nil, http.MethodPut, "/v1/pools/web", pool(), updating)
			r.do(t, http.MethodPut, "/v1/pools/web", `{`, updating)
			conn := r.dial(t)
			_, _ = io.WriteString(conn, "PUT /v1/pools/web HTTP/1.1\r\nHost: x\r\nContent-Le")
			conn.Close()
		})
	}
	wg.Wait()
	r.contract.transport.CloseIdleConnections()
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before+3 })
}
