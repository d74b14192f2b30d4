package health

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// inTimeWait reports whether the local end of a TCP connection is in TIME_WAIT.
func inTimeWait(t *testing.T, local, remote net.Addr) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skip(err)
	}
	const timeWait = "06"
	port := func(a net.Addr) string { return fmt.Sprintf(":%04X", a.(*net.TCPAddr).Port) }
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // number, local, remote, state and more
		if len(f) > 3 && f[3] == timeWait && strings.HasSuffix(f[1], port(local)) && strings.HasSuffix(f[2], port(remote)) {
			return true
		}
	}
	return false
}

func TestAProbeLeavesNoConnectionInTimeWait(t *testing.T) {
	readAll := func(conn net.Conn) error {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	answer := func(conn net.Conn) {
		http.ReadRequest(bufio.NewReader(conn))
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nfine")
	}
	for _, tc := range []struct {
		name   string
		kind   lb.HealthCheckType
		member func(*net.TCPConn) error // returns how the connection ended for it
		reset  bool                     // whether that is by a reset
	}{
		{"tcp", lb.HealthTCP, func(conn *net.TCPConn) error { return readAll(conn) }, true},
		{"http", lb.HealthHTTP, func(conn *net.TCPConn) error {
			answer(conn)
			conn.CloseWrite()
			return readAll(conn)
		}, false},
		{"http of a member that keeps the connection", lb.HealthHTTP, func(conn *net.TCPConn) error {
			answer(conn)
			return readAll(conn)
		}, true},
		{"http of a member that says too much", lb.HealthHTTP, func(conn *net.TCPConn) error {
			answer(conn)
			for {
				if _, err := conn.Write(make([]byte, 4<<10)); err != nil {
					return err
				}
			}
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ended, ends := make(chan error, 1), make(chan [2]net.Addr, 1)
			address := members(t, func(conn *net.TCPConn) {
				ends <- [2]net.Addr{conn.RemoteAddr(), conn.LocalAddr()}
				err := tc.member(conn)
				conn.Close()
				ended <- err
			})
			if err := once(t, Target{Address: address, Check: patient(tc.kind, nil)}); err != nil {
				t.Fatal(err)
			}
			err := <-ended
			if reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE); reset != tc.reset {
				t.Errorf("for the member it ended with %v, want a reset: %t", err, tc.reset)
			}
			if e := <-ends; inTimeWait(t, e[0], e[1]) {
				t.Error("our end is in TIME_WAIT")
			}
		})
	}
}
