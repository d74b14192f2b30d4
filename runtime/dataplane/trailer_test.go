package dataplane_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
)

func TestTrailersPassToMembers(t *testing.T) {
	m := record(t, repeat)
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", m.address))))
	conn := dial(t, address(t, e, "web"))
	// In RFC 9110 §6.5.1 are the fields that a trailer section can't supply.
	io.WriteString(conn, wire("POST / HTTP/1.1|Host: a|Trailer: X-Sum, X-Other|Transfer-Encoding: chunked||4|body|0|"+
		"X-Sum: 1|x-sum: 2|Host: b|Content-Length: 9|Transfer-Encoding: chunked|Authorization: Basic eA==|Cookie: a=b|X-Forwarded-For: 6.6.6.6||"))
	wantAnswer(t, bufio.NewReader(conn), "POST", 200, "POST / body")
	got := m.got()[0]
	wantFields(t, "member", got.header, "Trailer: X-Sum, X-Other")
	wantFields(t, "member's trailer", got.trailer, "X-Sum: 1, 2", "Host: ", "Content-Length: ", "Transfer-Encoding: ", "Authorization: ", "Cookie: ", "X-Forwarded-For: ")
}

func TestTrailersPassToClientsThatCanHaveThem(t *testing.T) {
	const answer = "HTTP/1.1 200 OK|Trailer: X-Sum|Transfer-Encoding: chunked||4|body|0|X-Sum: 1|Content-Length: 9|Set-Cookie: a=b||"
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, pool(members("a", answering(t, answer).address))))
	for _, tc := range []struct{ name, request, want string }{
		{"HTTP/1.1", "GET / HTTP/1.1|Host: a|TE: trailers|Connection: TE, close||", "1"},
		{"HTTP/1.0", "GET / HTTP/1.0|Host: a||", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, wire(tc.request))
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
				t.Errorf("the body is %q, %v", body, err)
			}
			wantFields(t, "client's trailer", resp.Trailer, "X-Sum: "+tc.want, "Content-Length: ", "Set-Cookie: ")
		})
	}
}
