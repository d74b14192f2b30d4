package dataplane_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

// expecting is the head of a request whose body waits to be asked for (RFC 9110
// §10.1.1).
const expecting = "POST / HTTP/1.1|Host: a|Content-Length: 4|Expect: 100-continue||"

// asked reads a head on a member's connection and fails unless it has the expectation.
func asked(t *testing.T, r *bufio.Reader) bool {
	var head strings.Builder
	for !strings.HasSuffix(head.String(), "\r\n\r\n") {
		b, err := r.ReadByte()
		if err != nil {
			return false
		}
		head.WriteByte(b)
	}
	if got := strings.Contains(head.String(), "\r\nExpect: 100-continue\r\n"); !got {
		t.Errorf("the member was not asked: %q", head.String())
	}
	return true
}

func TestAMemberDecidesWhetherABodyIsSent(t *testing.T) {
	const final = "HTTP/1.1 200 OK|Content-Length: 4||"
	for _, tc := range []struct {
		name string
		// interim is what the member says when it has the head; it then reads the body
		// and answers with it, unless refusal is its final answer.
		interim, refusal string
		along            string // what of the body comes with the head
		want             string // statuses that the client gets
		silent           bool   // we have to speak for the member
	}{
		{name: "continue", interim: "HTTP/1.1 100 Continue||", want: "100 200"},
		{name: "continue in two parts", interim: "HTTP/1.1 100 Con~tinue||", want: "100 200"},
		{name: "continue behind early hints", interim: "HTTP/1.1 103 Early Hints|Link: </a>||", want: "103 100 200"},
		{name: "417", refusal: "HTTP/1.1 417 Expectation Failed|Content-Length: 0||", want: "417"},
		{name: "refusal", refusal: "HTTP/1.1 403 Forbidden|Content-Length: 2||no", want: "403"},
		{name: "success without the body", refusal: "HTTP/1.1 200 OK|Content-Length: 2||ok", want: "200"},
		{name: "silence", want: "100 200", silent: true},
		{name: "continue, but the body is there", interim: "HTTP/1.1 100 Continue||", along: "body", want: "100 200"},
		{name: "silence, but the body is there", along: "body", want: "200"},
		{name: "continue, and a part of the body is there", interim: "HTTP/1.1 100 Continue||", along: "bo", want: "100 200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
				if !asked(t, r) {
					return
				}
				first, second, _ := strings.Cut(wire(tc.interim), "~")
				io.WriteString(conn, first)
				if second != "" {
					time.Sleep(10 * time.Millisecond) // so that they are two parts
					io.WriteString(conn, second)
				}
				if tc.refusal != "" {
					io.WriteString(conn, wire(tc.refusal))
					io.Copy(io.Discard, r)
					return
				}
				body := make([]byte, 4)
				if _, err := io.ReadFull(r, body); err == nil {
					io.WriteString(conn, wire(final)+string(body))
				}
			})
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, pool(members("a", m))))
			conn := dial(t, address(t, e, "web"))
			began := time.Now()
			io.WriteString(conn, wire(expecting)+tc.along)
			r := bufio.NewReader(conn)
			var got []string
			for {
				resp, err := http.ReadResponse(r, &http.Request{Method: "POST"})
				if err != nil {
					t.Fatalf("after %v: %v", got, err)
				}
				got = append(got, fmt.Sprint(resp.StatusCode))
				if resp.StatusCode == 100 {
					if waited := time.Since(began); tc.silent && waited < 500*time.Millisecond {
						t.Errorf("the member had %s to answer", waited)
					}
					io.WriteString(conn, "body"[len(tc.along):])
				}
				if resp.StatusCode/100 == 1 {
					continue
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || tc.refusal == "" && string(body) != "body" {
					t.Errorf("the answer is %q, %v", body, err)
				}
				if tc.refusal != "" && !resp.Close {
					t.Error("nobody knows whether the body follows, yet the connection is to go on")
				}
				break
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("the client got %v, want %s", got, tc.want)
			}
		})
	}
}

func TestAClientOfHTTP10IsNotMadeToWait(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire("POST / HTTP/1.0|Host: a|Content-Length: 4|Expect: 100-continue||bo"))
	io.WriteString(conn, "dy")
	wantAnswer(t, bufio.NewReader(conn), "POST", 200, "POST / body")
	if got := m.got()[0].header["Expect"]; got != nil {
		t.Errorf("the member was asked %q", got)
	}
}

func TestAMemberThatWantedNoBodyGetsNoOtherRequestInItsPlace(t *testing.T) {
	after := make(chan string, 1)
	m := scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if req.Method == "GET" {
			io.WriteString(conn, wire("HTTP/1.1 200 OK|Content-Length: 5||clean"))
			return
		}
		// It refuses, and still reads a body (RFC 9110 §10.1.1).
		io.WriteString(conn, wire("HTTP/1.1 403 Forbidden|Content-Length: 0||"))
		rest, _ := io.ReadAll(r)
		after <- string(rest)
	})
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m))))
	conn := dial(t, address(t, e, "web"))
	io.WriteString(conn, wire(expecting))
	wantAnswer(t, bufio.NewReader(conn), "POST", 403, "")
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 200, "clean")
	if got := <-after; got != "" {
		t.Errorf("the member took %q for the body it had refused", got)
	}
}
