package dataplane_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// noise is content that is the same for the same seed.
func noise(seed uint64, size int64) io.Reader {
	var key [32]byte
	key[0] = byte(seed)
	return io.LimitReader(rand.NewChaCha8(key), size)
}

// sum is the checksum of what is left of a stream, and its length.
func sum(r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return fmt.Sprintf("%d bytes %x", n, h.Sum(nil)[:8]), err
}

// exchanging is a member that reads a body to its end while it sends a large one.
func exchanging(w http.ResponseWriter, r *http.Request, size int64) {
	http.NewResponseController(w).EnableFullDuplex()
	if r.URL.Path == "/length" {
		w.Header().Set("Content-Length", fmt.Sprint(size))
	}
	w.Header().Set("Trailer", "X-Got")
	got := make(chan string, 1)
	go func() {
		s, err := sum(r.Body)
		got <- fmt.Sprint(s, " ", err)
	}()
	content := noise(2, size)
	io.CopyN(w, content, size-1)
	w.Header().Set("X-Got", <-got)
	io.Copy(w, content) // an answer that is complete ends the exchange
}

func TestLargeBodiesPassBothWaysAtOnceUnharmed(t *testing.T) {
	const size = 10 << 20
	up, _ := sum(noise(1, size))
	down, _ := sum(noise(2, size))
	got := make(chan string, 1)
	m := backend(t, func(w http.ResponseWriter, r *http.Request) {
		exchanging(w, r, size)
		got <- w.Header().Get("X-Got")
	})
	s := simple(1, pool(members("a", m)))
	secured := listener(lb.ListenerHTTPS, "app")
	secured.Certificates = []string{"app"}
	s.Listeners = map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, "app"), "secure": secured}
	s.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	for _, tc := range []struct {
		name, listener, path string
		length               int64
	}{
		{"lengths", "web", "/length", size},
		{"chunks", "web", "/", -1},
		{"lengths over TLS", "secure", "/length", size},
		{"chunks over TLS", "secure", "/", -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := newClient(t)
			client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
			scheme := "http://"
			if tc.listener == "secure" {
				scheme = "https://"
			}
			req, _ := http.NewRequest(http.MethodPost, scheme+address(t, e, tc.listener)+tc.path, io.NopCloser(noise(1, size)))
			req.ContentLength = tc.length
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if s, err := sum(resp.Body); s != down || err != nil {
				t.Errorf("the client got %s, %v; want %s", s, err, down)
			}
			if s := <-got; s != up+" <nil>" {
				t.Errorf("the member got %s, want %s", s, up)
			}
		})
	}
}

// stops waits until a counter stands still and returns where.
func stops(t *testing.T, n *atomic.Int64) int64 {
	t.Helper()
	last, since := int64(0), time.Now()
	eventually(t, "held up", func() bool {
		if now := n.Load(); now != last || now == 0 {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
	return last
}

// counted counts what is written through it.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// endless is content without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// heap is how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestWhoDoesNotReadHoldsTheOtherSideUp(t *testing.T) {
	// What the system buffers is beyond us; it is far from what would be sent.
	const bound, memory = 64 << 20, 8 << 20
	for _, tc := range []struct{ name, request, answer string }{
		{"client, of a length", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK|Content-Length: 1000000000000||"},
		{"client, of what ends with the connection", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK||"},
		{"member, of a length", "POST / HTTP/1.1|Host: a|Content-Length: 1000000000000||", ""},
		{"member, of chunks", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||7fffffff|", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var sent atomic.Int64
			done := make(chan struct{})
			m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				if tc.answer == "" {
					<-done
					return
				}
				io.WriteString(conn, wire(tc.answer))
				io.Copy(counted{conn, &sent}, endless{})
			})
			defer close(done)
			e := newEngine(t, dataplane.Options{})
			// Who reads nothing for so long is given up.
			e.Apply(simple(1, alter(pool(members("a", m)), func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(600 * time.Millisecond) })))
			before := heap()
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(tc.request))
			if tc.answer == "" {
				go io.Copy(counted{conn, &sent}, endless{})
			}
			if n := stops(t, &sent); n > bound {
				t.Errorf("%d MiB were taken that nobody reads", n>>20)
			}
			if grown := heap() - before; grown > memory {
				t.Errorf("memory grew by %d KiB", grown>>10)
			}
			conn.Close()
			eventually(t, "free of the exchange", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
		})
	}
}

func TestAnEarlyAnswerArrivesWhileTheClientIsStillSending(t *testing.T) {
	const size = 1 << 20
	givenUp := make(chan struct{}, 1)
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err == nil {
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			io.Copy(conn, noise(1, size))
			io.Copy(io.Discard, r)
			givenUp <- struct{}{}
		}
	})
	s := simple(1, pool(members("a", m)))
	secured := listener(lb.ListenerHTTPS, "app")
	secured.Certificates = []string{"app"}
	s.Listeners = map[string]*lb.Listener{"http": listener(lb.ListenerHTTP, "app"), "https": secured}
	s.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	want, _ := sum(noise(1, size))
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var conn net.Conn = dial(t, address(t, e, scheme))
			if scheme == "https" {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Content-Length: 1000000000||"))
			// The client does not read yet, and sends more than anybody wants.
			for range 8 {
				conn.Write(make([]byte, 8<<10))
			}
			<-givenUp
			for range 8 {
				conn.Write(make([]byte, 8<<10))
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got, err := sum(resp.Body); got != want || err != nil {
				t.Errorf("the client got %s, %v; want %s", got, err, want)
			}
		})
	}
}

func TestAClientThatLeavesEndsTheMembersWork(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		answer        string // what the member says before it only waits
	}{
		{"while the member thinks", "GET / HTTP/1.1|Host: a||", ""},
		{"within the answer", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK|Content-Length: 100||half"},
		{"within its body", "POST / HTTP/1.1|Host: a|Content-Length: 100||half", ""},
		{"within its chunks", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||64|half", ""},
		{"within both", "POST / HTTP/1.1|Host: a|Content-Length: 100||half", "HTTP/1.1 200 OK|Content-Length: 100||half"},
	} {
		for _, how := range []string{"closes", "resets"} {
			t.Run(tc.name+" and "+how, func(t *testing.T) {
				t.Parallel()
				arrived, ended := make(chan struct{}), make(chan string, 1)
				m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					io.WriteString(conn, wire(tc.answer))
					close(arrived)
					_, err = io.Copy(io.Discard, req.Body)
					if err == nil {
						_, err = io.Copy(io.Discard, r)
					}
					ended <- fmt.Sprint(err)
				})
				e := newEngine(t, dataplane.Options{})
				e.Apply(simple(1, pool(members("a", m))))
				conn := dial(t, address(t, e, "web"))
				io.WriteString(conn, wire(tc.request))
				<-arrived
				if how == "resets" {
					conn.SetLinger(0)
				}
				conn.Close()
				select {
				case err := <-ended:
					if strings.Contains(err, "timeout") {
						t.Errorf("the member's connection ended with %s", err)
					}
				case <-time.After(patience / 2):
					t.Fatal("the member works on for a client that left")
				}
				eventually(t, "free of the exchange", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
			})
		}
	}
}
