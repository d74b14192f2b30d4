package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// trusting returns a configuration that trusts the server alone.
func trusting(server *httptest.Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func TestEveryVisitIsAFullHandshakeWithX25519(t *testing.T) {
	var seen, resumed, otherCurve, kept atomic.Int64
	var mu sync.Mutex
	connections := make(map[string]bool) // by the client's address
	server := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		if r.TLS.DidResume {
			resumed.Add(1)
		}
		if r.TLS.CurveID != tls.X25519 {
			otherCurve.Add(1)
		}
		if !r.Close {
			kept.Add(1)
		}
		mu.Lock()
		defer mu.Unlock()
		connections[r.RemoteAddr] = true
	}))
	defer server.Close()

	r, err := Handshakes(2, trusting(server))(t.Context(), server.URL, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests == 0 || r.Failed != 0 || r.Requests != seen.Load() || int(r.Requests) != len(connections) {
		t.Errorf("%+v; the server saw %d requests on %d connections", r, seen.Load(), len(connections))
	}
	if resumed.Load() != 0 || otherCurve.Load() != 0 || kept.Load() != 0 {
		t.Errorf("%d handshakes resumed a session, %d used another curve, %d servers were not told that this is all",
			resumed.Load(), otherCurve.Load(), kept.Load())
	}
	if r.P99 <= 0 || r.Took < 100*time.Millisecond {
		t.Errorf("p99 %v, took %v", r.P99, r.Took)
	}
}

func TestRequestsThatAreNotAnsweredAreFailures(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	r, err := Handshakes(2, trusting(server))(t.Context(), server.URL, 50*time.Millisecond)
	if err != nil || r.Requests != 0 || r.Failed == 0 || !strings.Contains(r.Failures, "502") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestIdleConnectionsAreUsedAgain(t *testing.T) {
	var requests atomic.Int64
	connections := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		connections <- r.RemoteAddr
	}))
	defer server.Close()
	const n = 50
	idle, err := OpenIdle(t.Context(), server.URL, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := idle.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(connections)
	different := map[string]bool{}
	for address := range connections {
		different[address] = true
	}
	if requests.Load() != 2*n || len(different) != n {
		t.Errorf("%d requests on %d connections; want %d on %d", requests.Load(), len(different), 2*n, n)
	}
}

func TestAnIdleConnectionThatWasClosedIsFound(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	idle, err := OpenIdle(t.Context(), server.URL, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	server.CloseClientConnections()
	if idle.Check(t.Context()) == nil {
		t.Error("the check passed on closed connections")
	}
}

func TestIdleConnectionsMustBeKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	}))
	defer server.Close()
	if _, err := OpenIdle(t.Context(), server.URL, 10, nil); err == nil {
		t.Error("connections that the server ends were taken for idle ones")
	}
}

func TestConnectionsThatTheServerEndsAreCounted(t *testing.T) {
	for _, test := range []struct {
		name string
		// answer is for the nth request on a connection, from 0.
		answer func(w http.ResponseWriter, nth int)
		check  func(Reuse) bool
	}{
		{
			"none ends", func(http.ResponseWriter, int) {},
			func(r Reuse) bool { return r.Closed == 0 && r.Lost == 0 && r.Refused == 0 },
		},
		{
			"each ends politely at its third request",
			func(w http.ResponseWriter, nth int) {
				if nth == 2 {
					w.Header().Set("Connection", "close")
				}
			},
			func(r Reuse) bool {
				return r.Closed > 0 && r.Lost == 0 && r.Refused == 0 && within(r.Closed, r.Requests/3, 1)
			},
		},
		{
			"each ends under its third request",
			func(_ http.ResponseWriter, nth int) {
				if nth == 2 {
					panic(http.ErrAbortHandler)
				}
			},
			func(r Reuse) bool {
				return r.Lost > 0 && r.Closed == r.Lost && r.Refused == 0 && within(r.Closed, r.Requests/2, 1)
			},
		},
		{
			"each ends under its first request",
			func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) },
			func(r Reuse) bool { return r.Refused > 0 && r.Closed == 0 && r.Lost == 0 && r.Requests == 0 },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			const enough = 30
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var total atomic.Int64
			var mu sync.Mutex
			nth := map[string]int{} // by the client's address
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if total.Add(1) == enough {
					cancel()
				}
				mu.Lock()
				n := nth[r.RemoteAddr]
				nth[r.RemoteAddr]++
				mu.Unlock()
				test.answer(w, n)
			}))
			defer server.Close()
			r, err := Steady(ctx, server.URL, 1, 0)
			if err != nil || !test.check(r) {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// within reports whether a and b differ by at most n.
func within(a, b, n int64) bool { return a-b <= n && b-a <= n }
