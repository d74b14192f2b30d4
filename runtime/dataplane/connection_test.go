package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// readHead reads the head of an answer as it came.
func readHead(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		line, err := r.ReadString('\n')
		head.WriteString(line)
		if err != nil {
			t.Fatalf("the head ended with %v behind %q", err, head.String())
		}
	}
	return head.String()
}

// fieldOf is the value of a field in a head, "-" if it has none.
func fieldOf(head, name string) string {
	for line := range strings.Lines(head) {
		if n, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return "-"
}

// answering is a member that gives one answer to everything; an answer of a version
// or with fields that say so ends the connection.
func answering(t *testing.T, answer string) *recorder {
	answer, end := strings.CutSuffix(wire(answer), "END")
	return record(t, func(conn net.Conn, _ *message) bool {
		io.WriteString(conn, answer)
		return !end
	})
}

func TestAClientsConnectionIsKeptAsItsVersionSays(t *testing.T) {
	const ok = "HTTP/1.1 200 OK|Content-Length: 2||ok"
	for _, tc := range []struct {
		name, request, answer string
		kept                  bool
		connection            string // the field, "-" for none
		framing               string // the field's name
	}{
		{"HTTP/1.1", "GET / HTTP/1.1|Host: a||", ok, true, "-", "Content-Length"},
		{"HTTP/1.1 with close", "GET / HTTP/1.1|Host: a|Connection: close||", ok, false, "close", "Content-Length"},
		{"HTTP/1.1 with close among others", "GET / HTTP/1.1|Host: a|Connection: foo, CLOSE||", ok, false, "close", "Content-Length"},
		{"HTTP/1.1 with keep-alive and close", "GET / HTTP/1.1|Host: a|Connection: keep-alive|Connection: close||", ok, false, "close", "Content-Length"},
		{"HTTP/1.1 with what is no field of HTTP", "GET / HTTP/1.1|Host: a|Proxy-Connection: close||", ok, true, "-", "Content-Length"},
		{"HTTP/1.0", "GET / HTTP/1.0|Host: a||", ok, false, "close", "Content-Length"},
		{"HTTP/1.0 with keep-alive", "GET / HTTP/1.0|Host: a|Connection: Keep-Alive||", ok, true, "keep-alive", "Content-Length"},
		{"HTTP/1.0 and a length that is not known", "GET / HTTP/1.0|Host: a|Connection: keep-alive||", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0||", false, "close", "-"},
		{"HTTP/1.1 and chunks", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0||", true, "-", "Transfer-Encoding"},
		{"a member that closes", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||okEND", true, "-", "Content-Length"},
		{"a member that ends the body by closing", "GET / HTTP/1.1|Host: a||", "HTTP/1.1 200 OK||okEND", true, "-", "Transfer-Encoding"},
		{"a member of HTTP/1.0", "GET / HTTP/1.1|Host: a||", "HTTP/1.0 200 OK|Content-Length: 2||okEND", true, "-", "Content-Length"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", answering(t, tc.answer).address))))
			conn := dial(t, address(t, e, "web"))
			r := bufio.NewReader(conn)
			for range 2 {
				io.WriteString(conn, wire(tc.request))
				head := readHead(t, r)
				if got := fieldOf(head, "Connection"); got != tc.connection {
					t.Errorf("Connection is %s, want %s", got, tc.connection)
				}
				if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
					t.Errorf("the answer is %q: a version is that of its sender", head)
				}
				for _, name := range []string{"Content-Length", "Transfer-Encoding"} {
					if has := fieldOf(head, name) != "-"; has != (name == tc.framing) {
						t.Errorf("%s in %q: %t", name, head, has)
					}
				}
				if tc.framing == "Transfer-Encoding" {
					wantNext(t, r, "2\r\nok\r\n0\r\n\r\n")
				} else {
					wantNext(t, r, "ok")
				}
				if !tc.kept {
					if _, err := r.ReadByte(); err != io.EOF {
						t.Errorf("the connection ended with %v, want its end", err)
					}
					return
				}
			}
		})
	}
}

// wantNext reads what must come next.
func wantNext(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); string(got) != want {
		t.Errorf("next came %q, %v; want %q", got[:n], err, want)
	}
}

func TestAMembersConnectionIsKeptAsItsVersionSays(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		kept         bool
	}{
		{"HTTP/1.1", "HTTP/1.1 200 OK|Content-Length: 2||ok", true},
		{"HTTP/1.1 with chunks", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|0||", true},
		{"HTTP/1.1 with nothing", "HTTP/1.1 204 No Content||", true},
		{"HTTP/1.1 with close", "HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok", false},
		{"HTTP/1.1 with close among others", "HTTP/1.1 200 OK|Content-Length: 2|Connection: foo, Close||ok", false},
		{"HTTP/1.1 until the end", "HTTP/1.1 200 OK||okEND", false},
		{"HTTP/1.0", "HTTP/1.0 200 OK|Content-Length: 2||ok", false},
		{"HTTP/1.0 with keep-alive", "HTTP/1.0 200 OK|Content-Length: 2|Connection: keep-alive||ok", true},
		{"more than the body", "HTTP/1.1 200 OK|Content-Length: 2||okay", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := answering(t, tc.answer)
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", m.address))))
			client, web := newClient(t), "http://"+address(t, e, "web")
			for range 3 {
				if status, body := get(t, client, web); status/100 != 2 {
					t.Fatalf("status %d %q", status, body)
				}
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if n := len(m.conns); n != 3 && !tc.kept || n != 1 && tc.kept {
				t.Errorf("3 requests took %d connections", n)
			}
		})
	}
}

func TestAnAnswerWithoutContentSaysOfItsLengthWhatTheMemberSays(t *testing.T) {
	for _, tc := range []struct{ name, method, answer, length string }{
		{"HEAD", "HEAD", "HTTP/1.1 200 OK|Content-Length: 1234||", "1234"},
		{"HEAD of nothing", "HEAD", "HTTP/1.1 200 OK|Content-Length: 0||", "0"},
		{"HEAD of an unknown length", "HEAD", "HTTP/1.1 200 OK||", "-"},
		{"HEAD of chunks", "HEAD", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||", "-"},
		{"HEAD that fails", "HEAD", "HTTP/1.1 500 Internal Server Error|Content-Length: 5||", "5"},
		{"304", "GET", "HTTP/1.1 304 Not Modified|Content-Length: 1234||", "1234"},
		{"304 without a length", "GET", "HTTP/1.1 304 Not Modified|ETag: \"x\"||", "-"},
		{"204", "GET", "HTTP/1.1 204 No Content||", "-"},
		{"204 with a length", "GET", "HTTP/1.1 204 No Content|Content-Length: 0||", "-"},
		{"205", "GET", "HTTP/1.1 205 Reset Content|Content-Length: 0||", "0"},
		{"200 of nothing", "GET", "HTTP/1.1 200 OK|Content-Length: 0||", "0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", answering(t, tc.answer).address))))
			conn := dial(t, address(t, e, "web"))
			r := bufio.NewReader(conn)
			for range 2 {
				io.WriteString(conn, tc.method+" / HTTP/1.1\r\nHost: a\r\n\r\n")
				head := readHead(t, r)
				if got := fieldOf(head, "Content-Length"); got != tc.length {
					t.Errorf("Content-Length is %s, want %s", got, tc.length)
				}
				if fieldOf(head, "Transfer-Encoding") != "-" || fieldOf(head, "Connection") != "-" {
					t.Errorf("the head is %q", head)
				}
			}
		})
	}
}

func TestOurOwnAnswerToHEADHasNoContent(t *testing.T) {
	r := lb.NewRoute()
	r.Listener, r.Action.FixedResponse = "web", &lb.FixedResponse{Status: 200, ContentType: "text/plain", Body: "hello"}
	e := newEngine(t, dataplane.Options{})
	e.Apply(&dataplane.Snapshot{Listeners: map[string]*lb.Listener{"web": listener(lb.ListenerHTTP, "")}, Routes: map[string]*lb.Route{"r": r}})
	conn := dial(t, address(t, e, "web"))
	br := bufio.NewReader(conn)
	for range 2 {
		io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
		if head := readHead(t, br); !strings.HasPrefix(head, "HTTP/1.1 200 ") || fieldOf(head, "Content-Length") != "5" {
			t.Errorf("the answer is %q", head)
		}
	}
}

func TestAClientThatHasEndedItsHalfGetsItsAnswer(t *testing.T) {
	slow := func(conn net.Conn, m *message) bool {
		time.Sleep(100 * time.Millisecond) // the member's pace
		return repeat(conn, m)
	}
	for _, tc := range []struct {
		name, send, want string
		answer           answerer
	}{
		{"GET", "GET / HTTP/1.1|Host: a||", "GET /", repeat},
		{"GET of a slow member", "GET / HTTP/1.1|Host: a||", "GET /", slow},
		{"HTTP/1.0", "GET / HTTP/1.0||", "GET /", repeat},
		{"body", "POST / HTTP/1.1|Host: a|Content-Length: 4||body", "POST / body", repeat},
		{"chunks", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||", "POST / body", repeat},
		{"chunks of a slow member", "POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||4|body|0||", "POST / body", slow},
		{"two requests", "GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||", "GET /1; GET /2", repeat},
		{"two requests of a slow member", "GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||", "GET /1; GET /2", slow},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", record(t, tc.answer).address))))
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(tc.send))
			conn.CloseWrite()
			r := bufio.NewReader(conn)
			for want := range strings.SplitSeq(tc.want, "; ") {
				wantAnswer(t, r, "GET", 200, want)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("the connection ended with %v, want its end", err)
			}
		})
	}
}
