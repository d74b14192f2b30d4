package dataplane_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pipeline is several requests at once, of every framing (RFC 9112 §9.3.2), and what
// the member gets of them.
var (
	pipeline = wire("GET /1 HTTP/1.1|Host: a||" +
		"POST /2 HTTP/1.1|Host: a|Content-Length: 3||two" +
		"|POST /3 HTTP/1.1|Host: a|Transfer-Encoding: chunked||2;x|th|3|ree|0|X-Sum: 1||" +
		"HEAD /4 HTTP/1.1|Host: a||" +
		"PUT /5 HTTP/1.1|Host: a|Transfer-Encoding: chunked||0||" +
		"DELETE /6 HTTP/1.1|Host: a|Content-Length: 0|Connection: close||")
	pipelined = []string{"GET /1", "POST /2 two", "POST /3 three", "HEAD /4", "PUT /5", "DELETE /6"}
)

func TestPipelinedRequestsAreAnsweredInOrderHoweverTheyAreCut(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	web := address(t, e, "web")
	for cut := 0; cut <= len(pipeline); cut++ {
		conn := dial(t, web)
		io.WriteString(conn, pipeline[:cut])
		io.WriteString(conn, pipeline[cut:])
		wantPipelined(t, conn)
		if t.Failed() {
			t.Fatalf("cut behind %q", pipeline[:cut])
		}
	}
	e.Shutdown(t.Context())
	if err := m.wait(t); err != nil {
		t.Errorf("the member got %v", err)
	}
}

func TestPipelinedRequestsMayComeByteByByte(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	go func() {
		for i := range len(pipeline) {
			io.WriteString(conn, pipeline[i:i+1])
		}
	}()
	wantPipelined(t, conn)
}

func wantPipelined(t *testing.T, conn io.ReadCloser) {
	t.Helper()
	r := bufio.NewReader(conn)
	for _, want := range pipelined {
		method, _, _ := strings.Cut(want, " ")
		wantAnswer(t, r, method, 200, want)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after Connection: close: %v, want the end", err)
	}
	conn.Close()
}

// corked is a connection that sends all at once what is written between cork and uncork.
type corked struct {
	net.Conn
	held *bytes.Buffer // nil while nothing is held
}

func (c *corked) Write(p []byte) (int, error) {
	if c.held != nil {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

func (c *corked) uncork() {
	c.Conn.Write(c.held.Bytes())
	c.held = nil
}

func TestPipelinedRequestsThatFillABufferAreNotForgotten(t *testing.T) {
	l := listener(lb.ListenerHTTP, "app")
	// An idle connection is closed so soon that nothing else could wake it.
	l.Timeouts.Idle = lb.Duration(300 * time.Millisecond)
	secured := *l
	secured.Protocol, secured.Certificates = lb.ListenerHTTPS, []string{"app"}
	s := simple(1, pool(members("a", record(t, repeat).address)))
	s.Listeners = map[string]*lb.Listener{"http": l, "https": &secured}
	s.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	for _, scheme := range []string{"http", "https"} {
		for _, size := range []int{4096, 2048, 1400, 1024, 513} {
			t.Run(fmt.Sprint(scheme, " ", size), func(t *testing.T) {
				below := &corked{Conn: dial(t, address(t, e, scheme))}
				var conn net.Conn = below
				if scheme == "https" {
					secured := tls.Client(below, &tls.Config{InsecureSkipVerify: true})
					if err := secured.Handshake(); err != nil {
						t.Fatal(err)
					}
					conn = secured
				}
				request := wire("GET / HTTP/1.1|Host: a|X: ")
				request += strings.Repeat("x", size-len(request)-4) + "\r\n\r\n"
				const n = 12
				below.held = new(bytes.Buffer)
				for range n {
					io.WriteString(conn, request)
				}
				below.uncork()
				r := bufio.NewReader(conn)
				for range n {
					wantAnswer(t, r, "GET", 200, "GET /")
				}
			})
		}
	}
}

func TestNothingFollowsARefusedRequest(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire("GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host : a||"+strings.Repeat(smuggled, 100)))
	r := bufio.NewReader(conn)
	wantAnswer(t, r, "GET", 200, "GET /1")
	if resp := wantAnswer(t, r, "GET", 400, ""); !resp.Close {
		t.Error("the refusal does not say that it ends the connection")
	}
	if rest, err := io.ReadAll(r); len(rest) > 0 {
		t.Errorf("the connection went on with %q, %v", rest, err)
	}
	conn.Close()
	e.Shutdown(t.Context())
	if err := m.wait(t); err != nil || fmt.Sprint(m.got()) != "[GET /1]" {
		t.Errorf("the member got %s, %v", m.got(), err)
	}
}

func TestAnAnswerBeforeTheEndOfTheBodySpoilsNoOtherRequest(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			after := make(chan string, 1)
			early := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if req.Method == "GET" {
					io.WriteString(conn, wire("HTTP/1.1 200 OK|Content-Length: 5||clean"))
					return
				}
				io.WriteString(conn, wire("HTTP/1.1 200 OK|Content-Length: 5||early"))
				rest, _ := io.ReadAll(r)
				after <- string(rest)
			})
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", early))))
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|"+framing+"||5|hello|"))
			r := bufio.NewReader(conn)
			wantAnswer(t, r, "POST", 200, "early")
			// The rest of the body looks like a request.
			io.WriteString(conn, wire(smuggled))
			wantGet(t, newClient(t), "http://"+address(t, e, "web"), 200, "clean")
			if rest, _ := io.ReadAll(r); len(rest) > 0 {
				t.Errorf("the client's connection went on with %q", rest)
			}
			if got := <-after; strings.Contains(got, " HTTP/1.1\r\nX-") || strings.Contains(got, "Via:") {
				t.Errorf("another request went into the rest of a body: %q", got)
			}
		})
	}
}
