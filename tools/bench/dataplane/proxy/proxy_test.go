package proxy

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// stand is a proxy that is an HTTP server of the test.
func stand(t *testing.T, handler http.HandlerFunc) *Proxy {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	port := server.Listener.Addr().(*net.TCPAddr).Port
	return &Proxy{Name: "stand", ports: map[Front]int{HTTP: port}}
}

// site has a certificate and nothing that runs.
func site(t *testing.T) *Site {
	t.Helper()
	s := &Site{Dir: t.TempDir(), Workers: 2, CPU: -1}
	if err := s.writeCertificate(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAProxyIsReadyOnlyIfItDoesTheWork(t *testing.T) {
	for _, test := range []struct {
		name      string
		large     int
		forwarded string
		ready     bool
	}{
		{"it does", LargeBytes, "127.0.0.1", true},
		{"it cuts bodies", LargeBytes - 1, "127.0.0.1", false},
		{"it does not say who the client is", LargeBytes, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended := make(chan struct{})
			p := stand(t, func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case LargePath:
					fmt.Fprint(w, strings.Repeat("x", test.large))
				case forwardedPath:
					fmt.Fprint(w, test.forwarded)
				}
			})
			p.ended = ended
			if !test.ready {
				close(ended) // so that it isn't tried for long
			}
			if err := site(t).ready(t.Context(), p); (err == nil) != test.ready {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestEveryConfigurationIsFilledIn(t *testing.T) {
	s := site(t)
	ports, _, err := portsFor(0, HTTP, TLS, TCP, Logged, Told)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"backend.conf", "nginx.conf", "haproxy.cfg", "Caddyfile"} {
		t.Run(name, func(t *testing.T) {
			v := s.settings(s.Dir, ports)
			first := written(t, v, name)
			if strings.Contains(first, "<no value>") || strings.Contains(first, "{{") {
				t.Errorf("a value is missing:\n%s", first)
			}
			v.change()
			if name != "backend.conf" && written(t, v, name) == first {
				t.Error("a reload would find the same configuration")
			}
		})
	}
}

func written(t *testing.T, v settings, name string) string {
	t.Helper()
	path, err := writeConfig(v.Dir, name, v)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %d twice", port)
		}
		seen[port] = true
	}
}

func TestAReloadOfHAProxyWaitsUntilItsMasterIsBack(t *testing.T) {
	master := haproxyMaster(filepath.Join(t.TempDir(), "master.sock"))
	listener, err := net.Listen("unix", string(master))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	answers := []struct{ command, answer string }{
		{"show proc", "1 master 4 [failed: 0] 0d 2.6\n"},
		{"reload", ""},
		{"show proc", "1 master 4 [failed: 0] 0d 2.6\n"}, // not yet
		{"show proc", ""}, // on its way
		{"show proc", "1 master 5 [failed: 0] 0d 2.6\n"},
	}
	failed := make(chan error, 1)
	go func() {
		failed <- func() error {
			for _, a := range answers {
				conn, err := listener.Accept()
				if err != nil {
					return err
				}
				command := make([]byte, 100)
				n, err := conn.Read(command)
				if got := strings.TrimSpace(string(command[:n])); err != nil || got != a.command {
					return fmt.Errorf("got %q, %w; want %q", got, err, a.command)
				}
				fmt.Fprint(conn, a.answer)
				conn.Close()
			}
			return nil
		}()
	}()
	if err := master.reload(t.Context(), nil); err != nil {
		t.Error(err)
	}
	listener.Close() // what has not been asked by now never is
	if err := <-failed; err != nil {
		t.Error(err)
	}
}
