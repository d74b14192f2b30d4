package daemon_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// stream is traffic through a listener.
type stream struct {
	served, failed atomic.Int64
	first          atomic.Value // string
	done           chan struct{}
	running        sync.WaitGroup
}

// serveTraffic declares a listener and a pool with one member, and sends
// requests until end.
func serveTraffic(t *testing.T, c *client.Client) *stream {
	t.Helper()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }))
	t.Cleanup(backend.Close)
	port := freePort(t)
	l := lb.NewListener()
	l.Owner, l.Address, l.Port, l.DefaultPool = "team-web", "127.0.0.1", port, "web"
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: "web"}, pool(backend.Listener.Addr().String()), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindListener, Name: "front"}, l, client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	s := &stream{done: make(chan struct{})}
	for range 4 {
		s.running.Go(func() { s.send(fmt.Sprintf("http://127.0.0.1:%d/", port)) })
	}
	t.Cleanup(s.stop)
	s.more(t, 50)
	return s
}

func (s *stream) send(url string) {
	for {
		select {
		case <-s.done:
			return
		default:
		}
		resp, err := http.Get(url)
		if err != nil {
			s.fail(err.Error())
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != "served" {
			s.fail(fmt.Sprintf("%s %q %v", resp.Status, body, err))
			continue
		}
		s.served.Add(1)
	}
}

func (s *stream) fail(why string) {
	s.failed.Add(1)
	s.first.CompareAndSwap(nil, why)
}

// more waits until so many more requests were served.
func (s *stream) more(t *testing.T, n int64) {
	t.Helper()
	want := s.served.Load() + n
	for deadline := time.Now().Add(20 * time.Second); s.served.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("traffic stopped: %d served, %d failed (%v)", s.served.Load(), s.failed.Load(), s.first.Load())
		}
	}
}

// end stops the traffic and fails the test unless every request was served.
func (s *stream) end(t *testing.T) {
	t.Helper()
	s.more(t, 50)
	s.stop()
	if n := s.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed; the first: %v", n, n+s.served.Load(), s.first.Load())
	}
}

func (s *stream) stop() {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	s.running.Wait()
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
