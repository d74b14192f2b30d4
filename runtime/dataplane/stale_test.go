package dataplane_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// decisions keeps the causes of decisions.
type decisions struct {
	mu     sync.Mutex // protects what follows
	causes []dataplane.Cause
}

func (d *decisions) Decision(r *dataplane.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.causes = append(d.causes, r.Cause)
}

func (*decisions) Access(*dataplane.Record) {}

// count is how often there was a decision for a cause.
func (d *decisions) count(cause dataplane.Cause) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.causes {
		if c == cause {
			n++
		}
	}
	return n
}

// fickle is a member that answers one request on each connection and closes it,
// unanswered, on the second. It counts the requests of which it saw anything.
type fickle struct {
	address string
	seen    atomic.Int32
}

func newFickle(t *testing.T) *fickle {
	m := &fickle{}
	m.address = scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		m.seen.Add(1)
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		if _, err := r.Peek(1); err == nil {
			m.seen.Add(1)
		}
	})
	return m
}

func TestAStaleConnectionCostsOnlyWhoCanNotBeSentAgain(t *testing.T) {
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"GET", "GET / HTTP/1.1|Host: a||", 200},
		{"HEAD", "HEAD / HTTP/1.1|Host: a||", 200},
		{"DELETE", "DELETE / HTTP/1.1|Host: a||", 200},
		{"PUT with its body", "PUT / HTTP/1.1|Host: a|Content-Length: 4||body", 200},
		{"PUT with chunks", "PUT / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||", 502},
		{"POST", "POST / HTTP/1.1|Host: a||", 502},
		{"POST with its body", "POST / HTTP/1.1|Host: a|Content-Length: 4||body", 502},
		{"POST with chunks", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||", 502},
		{"PATCH", "PATCH / HTTP/1.1|Host: a|Content-Length: 4||body", 502},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newFickle(t)
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", m.address))))
			conn := dial(t, address(t, e, "web"))
			r := bufio.NewReader(conn)
			io.WriteString(conn, wire("GET / HTTP/1.1|Host: a||"))
			wantAnswer(t, r, "GET", 200, "")
			io.WriteString(conn, wire(tc.request))
			method, _, _ := strings.Cut(tc.request, " ")
			wantAnswer(t, r, method, tc.status, "")
			// The first, the one on the stale connection, and perhaps that once more.
			want := int32(2)
			if tc.status == 200 {
				want = 3
			}
			if got := m.seen.Load(); got != want {
				t.Errorf("the member saw %d requests, want %d", got, want)
			}
		})
	}
}

func TestAConnectionThatIsKnownToHaveEndedIsNotUsed(t *testing.T) {
	ended := make(chan struct{}, 8)
	var posts atomic.Int32
	m := record(t, func(conn net.Conn, m *message) bool {
		if m.method == "POST" {
			posts.Add(1)
		}
		repeat(conn, m)
		conn.Close()
		ended <- struct{}{}
		return false
	})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	r := bufio.NewReader(conn)
	const n = 5
	for range n {
		io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Content-Length: 4||body"))
		wantAnswer(t, r, "POST", 200, "POST / body")
		<-ended
	}
	if got := posts.Load(); got != n {
		t.Errorf("the member saw %d requests, want %d", got, n)
	}
}

func TestABodyIsNeverSentInPartAndThenAgain(t *testing.T) {
	var heads atomic.Int32
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		heads.Add(1)
		io.CopyN(io.Discard, r, 3) // and then it is gone
	})
	p := pool(members("a", m, "b", m))
	p.Retries.Attempts, p.Retries.On = 5, append(p.Retries.On, "reset", "timeout", "502")
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	for _, method := range []string{"PUT", "POST"} {
		heads.Store(0)
		conn := dial(t, address(t, e, "web"))
		io.WriteString(conn, wire(method+" / HTTP/1.1|Host: a|Content-Length: 100||half"))
		wantAnswer(t, bufio.NewReader(conn), method, 502, "")
		if got := heads.Load(); got != 1 {
			t.Errorf("%s: the member saw %d heads, want 1", method, got)
		}
	}
}
