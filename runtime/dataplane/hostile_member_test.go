package dataplane_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// misbehaving is a member's answer, and what becomes of it.
type misbehaving struct {
	name string
	// section of RFC 9112, unless it says otherwise.
	section string
	method  string // "" is GET
	// send is in the notation of wire; the connection stays open, unless it ends with
	// "END".
	send string
	// want is the status and the body that the client gets, or "cut" if it must see
	// that the answer is not whole.
	want string
}

// clean is what the member answers to every request but the first.
const clean = "clean"

// check makes the member misbehave once, and then asks it for something else.
func (c *misbehaving) check(t *testing.T) {
	var first atomic.Bool
	address1 := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			io.Copy(io.Discard, req.Body)
			if first.CompareAndSwap(false, true) {
				send, end := strings.CutSuffix(wire(c.send), "END")
				io.WriteString(conn, send)
				if end {
					return
				}
				continue
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(clean), clean)
		}
	})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, alter(pool(members("a", address1)), func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(5 * time.Second) })))
	conn := dial(t, address(t, e, "web"))
	method := c.method
	if method == "" {
		method = "GET"
	}
	io.WriteString(conn, method+" / HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReader(conn)
	if got := finalAnswer(r, method); got != c.want {
		t.Errorf("the client got %q, want %q", got, c.want)
	}
	if c.want != "cut" {
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if got := finalAnswer(r, "GET"); got != "200 clean" {
			t.Errorf("the next request on the client's connection got %q", got)
		}
	}
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 200, clean)
}

// finalAnswer is the status and body of an answer, past interim ones; "cut" if it is
// not whole.
func finalAnswer(r *bufio.Reader, method string) string {
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return "cut"
		}
		if resp.StatusCode/100 == 1 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return "cut"
		}
		return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", string(body)))
	}
}

func TestAMisbehavingMemberIsNeverBelieved(t *testing.T) {
	failed := "502 the member failed"
	poison := "HTTP/1.1 200 OK|Content-Length: 6||poison"
	large := strings.Repeat("x", 256<<10)
	for _, c := range []misbehaving{
		{"length", "6.2", "", "HTTP/1.1 200 OK|Content-Length: 4||body", "200 body"},
		{"chunked", "7.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4;x=y|body|0|X-Sum: 1||", "200 body"},
		{"until the end", "6.3", "", "HTTP/1.1 200 OK||bodyEND", "200 body"},
		{"HTTP/1.0", "6.3", "", "HTTP/1.0 200 OK||bodyEND", "200 body"},
		{"no reason phrase", "4", "", "HTTP/1.1 200 |Content-Length: 4||body", "200 body"},
		{"no space for the reason phrase", "4", "", "HTTP/1.1 200|Content-Length: 4||body", "200 body"},
		{"length twice, the same", "6.3", "", "HTTP/1.1 200 OK|Content-Length: 4|Content-Length: 4||body", "200 body"},

		{"length beside chunked", "6.3", "", "HTTP/1.1 200 OK|Content-Length: 4|Transfer-Encoding: chunked||0||" + poison, failed},
		{"two lengths", "6.3", "", "HTTP/1.1 200 OK|Content-Length: 4|Content-Length: 5||body", failed},
		{"list of lengths", "6.3", "", "HTTP/1.1 200 OK|Content-Length: 4, 5||body", failed},
		{"negative length", "8.6 of RFC 9110", "", "HTTP/1.1 200 OK|Content-Length: -1||body", failed},
		{"unknown coding", "6.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: xchunked||0||" + poison, failed},
		{"other coding", "6.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked||0||" + poison, failed},
		{"chunked in HTTP/1.0", "6.1", "", "HTTP/1.0 200 OK|Transfer-Encoding: chunked||0||", failed},
		{"space before a colon", "5.1", "", "HTTP/1.1 200 OK|Content-Length : 4||body", failed},
		{"folded field", "5.2", "", "HTTP/1.1 200 OK|X: y| z|Content-Length: 4||body", failed},
		{"bare LF", "2.2", "", "HTTP/1.1 200 OK\nContent-Length: 4\n\nbody", failed},
		{"bare CR", "2.2", "", "HTTP/1.1 200 OK|X: y\rZ: w|Content-Length: 4||body", failed},
		{"NUL", "5.5 of RFC 9110", "", "HTTP/1.1 200 OK|X: \x00|Content-Length: 4||body", failed},
		{"NUL in the reason phrase", "4", "", "HTTP/1.1 200 O\x00K|Content-Length: 4||body", failed},
		{"field without a name", "5", "", "HTTP/1.1 200 OK|: y|Content-Length: 4||body", failed},
		{"too large a head", "5.4 of RFC 9110", "", "HTTP/1.1 200 OK|X: " + strings.Repeat("y", 300<<10) + "|Content-Length: 4||body", failed},
		{"too many fields", "5.4 of RFC 9110", "", "HTTP/1.1 200 OK|" + strings.Repeat("X: y|", 300) + "Content-Length: 4||body", failed},
		{"no HTTP", "4", "", "SSH-2.0-OpenSSH_9.9||", failed},
		{"HTTP/2", "2.3", "", "HTTP/2.0 200 OK|Content-Length: 4||body", failed},
		{"two digits", "4", "", "HTTP/1.1 20 OK|Content-Length: 4||body", failed},
		{"four digits", "4", "", "HTTP/1.1 2000 OK|Content-Length: 4||body", failed},
		{"status 600", "15 of RFC 9110", "", "HTTP/1.1 600 OK|Content-Length: 4||body", failed},
		{"status 099", "15 of RFC 9110", "", "HTTP/1.1 099 OK|Content-Length: 4||body", failed},
		{"empty line before", "4", "", "|HTTP/1.1 200 OK|Content-Length: 4||body", failed},
		{"the end at once", "8", "", "END", failed},
		{"the end within the head", "8", "", "HTTP/1.1 200 OK|Content-LeEND", failed},

		{"the end within the body", "8", "", "HTTP/1.1 200 OK|Content-Length: 9||bodyEND", "cut"},
		{"the end within a large body", "8", "", "HTTP/1.1 200 OK|Content-Length: 300000||" + large + "END", "cut"},
		{"the end within a chunk", "8", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||9|bodyEND", "cut"},
		{"the end before the last chunk", "8", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body|END", "cut"},
		{"chunk that is none", "7.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body|zz|", "cut"},
		{"chunk size with 0x", "7.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||0x4|body|0||", "cut"},
		{"chunk without its CRLF", "7.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body0||" + poison, "cut"},
		{"chunk size with a bare LF", "7.1", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4\nbody|0||", "cut"},
		{"huge trailer", "7.1.2", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body|0|X: " + large + "||", "cut"},

		{"another answer behind the body", "9.2", "", "HTTP/1.1 200 OK|Content-Length: 4||body" + poison, "200 body"},
		{"another answer behind the last chunk", "9.2", "", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body|0||" + poison, "200 body"},
		{"another answer behind a large body", "9.2", "", "HTTP/1.1 200 OK|Content-Length: 262144||" + large + poison, "200 " + large},
		{"another answer behind none", "9.2", "", "HTTP/1.1 200 OK|Content-Length: 0||" + poison, "200"},
		{"a few bytes behind the body", "9.2", "", "HTTP/1.1 200 OK|Content-Length: 4||body|", "200 body"},
		{"answer to HEAD with a body", "9.3.2 of RFC 9110", "HEAD", "HTTP/1.1 200 OK|Content-Length: 4||body" + poison, "200"},
		{"answer to HEAD with chunks", "9.3.2 of RFC 9110", "HEAD", "HTTP/1.1 200 OK|Transfer-Encoding: chunked||4|body|0||", "200"},
		{"204 with a body", "15.3.5 of RFC 9110", "", "HTTP/1.1 204 No Content|Content-Length: 4||body", "204"},
		{"204 with another answer behind it", "15.3.5 of RFC 9110", "", "HTTP/1.1 204 No Content||" + poison, "204"},
		{"304 with a body", "15.4.5 of RFC 9110", "", "HTTP/1.1 304 Not Modified|Content-Length: 4||body", "304"},
		{"304 with chunks", "15.4.5 of RFC 9110", "", "HTTP/1.1 304 Not Modified|Transfer-Encoding: chunked||4|body|0||", "304"},

		{"interim answers", "15.2 of RFC 9110", "", "HTTP/1.1 102 Processing||HTTP/1.1 103 Early Hints|Link: </a>||HTTP/1.1 200 OK|Content-Length: 4||body", "200 body"},
		{"continue unasked", "15.2.1 of RFC 9110", "", "HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 4||body", "200 body"},
		{"interim answers without end", "15.2 of RFC 9110", "", strings.Repeat("HTTP/1.1 102 Processing||", 100) + "HTTP/1.1 200 OK|Content-Length: 4||body", "502 the member failed"},
		{"interim answer with a body", "15.2 of RFC 9110", "", "HTTP/1.1 103 Early Hints|Content-Length: 4||bodyHTTP/1.1 200 OK|Content-Length: 4||body", failed},
		{"101 unasked", "7.8 of RFC 9110", "", "HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||", failed},
		{"101 without Upgrade", "7.8 of RFC 9110", "", "HTTP/1.1 101 Switching Protocols||", failed},
	} {
		t.Run(c.name, c.check)
	}
}

func TestWhatAMemberSaysUnaskedIsNoAnswer(t *testing.T) {
	var said atomic.Int32
	proceed, spoken := make(chan struct{}), make(chan struct{})
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			io.WriteString(conn, wire("HTTP/1.1 200 OK|Content-Length: 5||clean"))
			if said.Add(1) == 1 {
				<-proceed
				io.WriteString(conn, wire("HTTP/1.1 200 OK|Content-Length: 6||poison"))
				close(spoken)
			}
		}
	})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m))))
	client, web := newClient(t), "http://"+address(t, e, "web")
	wantGet(t, client, web, 200, clean)
	close(proceed)
	<-spoken
	wantGet(t, client, web, 200, clean)
	wantGet(t, client, web, 200, clean)
}

func TestAHeadThatComesSlowlyIsGivenUp(t *testing.T) {
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		// One byte now and then must not extend the time.
		for {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, alter(pool(members("a", m)), func(p *lb.Pool) { p.Timeouts.Response = lb.Duration(200 * time.Millisecond) })))
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 504, "the member did not answer in time\n")
}
