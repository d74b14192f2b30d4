package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// upgrade asks for a WebSocket.
const upgrade = "GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: WebSocket|Sec-WebSocket-Key: key||"

const switched = "HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket|Sec-WebSocket-Accept: yes||"

// halves is a connection whose halves end one by one.
type halves interface {
	io.ReadWriter
	CloseWrite() error
}

// switching starts a member that agrees to upgrade, says first along with that, and
// then runs a script.
func switching(t *testing.T, first string, script func(conn halves, r *bufio.Reader)) string {
	return scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if req.Header.Get("Upgrade") != "websocket" || req.Header.Get("Connection") != "Upgrade" {
			io.WriteString(conn, wire("HTTP/1.1 426 Upgrade Required|Content-Length: 0||"))
			return
		}
		io.WriteString(conn, wire(switched)+first)
		script(conn.(*net.TCPConn), r)
	})
}

func TestWhatIsSentAlongWithAnUpgradeIsNotLost(t *testing.T) {
	m := switching(t, "from the member", func(conn halves, r *bufio.Reader) { io.Copy(conn, r) })
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire(upgrade)+"along, ")
	r := bufio.NewReader(conn)
	head := readHead(t, r)
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || fieldOf(head, "Connection") != "Upgrade" || fieldOf(head, "Upgrade") != "websocket" ||
		fieldOf(head, "Sec-WebSocket-Accept") != "yes" || fieldOf(head, "Content-Length") != "-" || fieldOf(head, "Transfer-Encoding") != "-" {
		t.Errorf("the upgrade was answered %q", head)
	}
	io.WriteString(conn, "and later")
	wantNext(t, r, "from the memberalong, and later")
}

func TestEachHalfOfAnUpgradedConnectionEndsForItself(t *testing.T) {
	for _, tc := range []struct {
		name   string
		script func(conn halves, r *bufio.Reader)
		client func(t *testing.T, conn *net.TCPConn, r *bufio.Reader)
	}{
		{
			"the client's first",
			func(conn halves, r *bufio.Reader) {
				all, _ := io.ReadAll(r)
				io.WriteString(conn, "got "+string(all))
			},
			func(t *testing.T, conn *net.TCPConn, r *bufio.Reader) {
				io.WriteString(conn, "all")
				conn.CloseWrite()
				if rest, err := io.ReadAll(r); string(rest) != "got all" || err != nil {
					t.Errorf("behind its half the client got %q, %v", rest, err)
				}
			},
		},
		{
			"the member's first",
			func(conn halves, r *bufio.Reader) {
				conn.CloseWrite()
				io.Copy(io.Discard, r)
			},
			func(t *testing.T, conn *net.TCPConn, r *bufio.Reader) {
				if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
					t.Errorf("the client got %q, %v", rest, err)
				}
				if _, err := io.WriteString(conn, "still"); err != nil {
					t.Errorf("the client's half ended with the member's: %v", err)
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", switching(t, "", tc.script)))))
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(upgrade))
			r := bufio.NewReader(conn)
			readHead(t, r)
			tc.client(t, conn, r)
			conn.Close()
			eventually(t, "free of the tunnel", func() bool { return e.Status().Pools["app"].Members["a"].ActiveRequests == 0 })
		})
	}
}

func TestAMemberMayDeclineAnUpgrade(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", answering(t, "HTTP/1.1 200 OK|Content-Length: 2||no").address))))
	conn := dial(t, address(t, e, "web"))
	r := bufio.NewReader(conn)
	for range 2 { // what follows is a request again (RFC 9110 §7.8)
		io.WriteString(conn, wire(upgrade))
		wantAnswer(t, r, "GET", 200, "no")
	}
	io.WriteString(conn, wire(upgrade+upgrade))
	wantAnswer(t, r, "GET", 200, "no")
	wantAnswer(t, r, "GET", 200, "no")
}

func TestAnUpgradeThatWasNotAskedForIsAFailure(t *testing.T) {
	const otherwise = "HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: h2c||"
	for _, tc := range []struct{ name, request, answer string }{
		{"to another protocol", upgrade, otherwise},
		{"without asking", "GET / HTTP/1.1|Host: a||", switched},
		{"with a body", "POST / HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket|Content-Length: 4||body", switched},
		{"in HTTP/1.0", "GET / HTTP/1.0|Host: a|Connection: Upgrade|Upgrade: websocket||", switched},
		{"without the option", "GET / HTTP/1.1|Host: a|Upgrade: websocket||", switched},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", answering(t, tc.answer).address))))
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(tc.request))
			wantAnswer(t, bufio.NewReader(conn), "GET", 502, "")
		})
	}
}
