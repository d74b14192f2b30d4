package http1

import (
	"fmt"
	"strings"
	"testing"
)

// summary is a response but for its fields, on one line.
func (r *Response) summary() string {
	return fmt.Sprintf("HTTP/1.%d %d %s", r.Minor, r.Status, r.Reason) + framingSummary(r.Framing, r.ContentLength) + connectionSummary(r.KeepAlive, r.Upgrade)
}

func TestResponsesAreReadByTheLetterOfTheStandardOrRefused(t *testing.T) {
	ok := func(fields ...string) string { return head(append([]string{"HTTP/1.1 200 OK"}, fields...)...) }
	status := func(status string, fields ...string) string {
		return head(append([]string{"HTTP/1.1 " + status}, fields...)...)
	}
	for _, tc := range []struct {
		section string // RFC 9112, unless it says 9110
		name    string
		method  string // GET if empty
		head    string
		want    string // what is read; empty if it is refused
	}{
		{"4", "the least", "", ok("Content-Length: 0"), "HTTP/1.1 200 OK length=0 keep"},
		{"4", "reason of several words", "", status("404 Not  Found\t\xe9", "Content-Length: 0"), "HTTP/1.1 404 Not  Found\t\xe9 length=0 keep"},
		{"4", "empty reason", "", status("200 ", "Content-Length: 0"), "HTTP/1.1 200  length=0 keep"},
		{"4", "no reason and no space", "", status("200", "Content-Length: 0"), "HTTP/1.1 200  length=0 keep"},
		{"4", "highest status", "", status("599 x", "Content-Length: 0"), "HTTP/1.1 599 x length=0 keep"},
		{"4", "status too high", "", status("600 x", "Content-Length: 0"), ""},
		{"4", "status too low", "", status("099 x", "Content-Length: 0"), ""},
		{"4", "two digits", "", status("20 OK", "Content-Length: 0"), ""},
		{"4", "four digits", "", status("2000 OK", "Content-Length: 0"), ""},
		{"4", "sign", "", status("+20 OK", "Content-Length: 0"), ""},
		{"4", "two spaces", "", status(" 200 OK", "Content-Length: 0"), ""},
		{"4", "no status", "", head("HTTP/1.1", "Content-Length: 0"), ""},
		{"4", "no status and nothing else", "", head("HTTP/1.1"), ""},
		{"4", "control in the reason", "", status("200 O\x00K", "Content-Length: 0"), ""},
		{"4", "bare CR in the reason", "", status("200 O\rK", "Content-Length: 0"), ""},
		{"2.2", "bare LF behind the status line", "", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", ""},
		{"2.2", "bare LF behind a field", "", "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n", ""},
		{"2.2", "empty line before the status line", "", "\r\n" + ok("Content-Length: 0"), ""},
		{"2.2", "nothing", "", "", ""},
		{"2.3", "HTTP/2.0", "", head("HTTP/2.0 200 OK"), ""},
		{"2.3", "HTTP/1.2", "", head("HTTP/1.2 200 OK"), ""},
		{"2.3", "lower case", "", head("http/1.1 200 OK"), ""},
		{"2.3", "HTTP/0.9", "", "<html>\r\n\r\n", ""},
		{"5.1", "space before the colon", "", ok("Content-Length : 0"), ""},
		{"5.2", "folded", "", ok("Content-Length: 0", "A: b", " c"), ""},

		{"6.3", "HEAD with a length", "HEAD", ok("Content-Length: 5"), "HTTP/1.1 200 OK keep"},
		{"6.3", "HEAD with chunked", "HEAD", ok("Transfer-Encoding: chunked"), "HTTP/1.1 200 OK keep"},
		{"6.3", "HEAD with neither", "HEAD", ok(), "HTTP/1.1 200 OK keep"},
		{"6.3", "HEAD with both", "HEAD", ok("Content-Length: 5", "Transfer-Encoding: chunked"), ""},
		{"6.3", "methods have case", "head", ok("Content-Length: 5"), "HTTP/1.1 200 OK length=5 keep"},
		{"6.3", "304 with a length", "", status("304 Not Modified", "Content-Length: 5"), "HTTP/1.1 304 Not Modified keep"},
		{"6.3", "204", "", status("204 No Content"), "HTTP/1.1 204 No Content keep"},
		{"9110 8.6", "204 with a length of none", "", status("204 No Content", "Content-Length: 0"), "HTTP/1.1 204 No Content keep"},
		{"9110 8.6", "204 with a length ends the connection", "", status("204 No Content", "Content-Length: 5"), "HTTP/1.1 204 No Content"},
		{"6.1", "204 with chunked ends the connection", "", status("204 No Content", "Transfer-Encoding: chunked"), "HTTP/1.1 204 No Content"},
		{"9110 15.3.6", "205 is framed as others are", "", status("205 Reset Content", "Content-Length: 0"), "HTTP/1.1 205 Reset Content length=0 keep"},
		{"6.3", "100", "", status("100 Continue"), "HTTP/1.1 100 Continue keep"},
		{"6.3", "103 with fields", "", status("103 Early Hints", "Link: x"), "HTTP/1.1 103 Early Hints keep"},
		{"9110 8.6", "100 with a length", "", status("100 Continue", "Content-Length: 5"), ""},
		{"6.1", "100 with chunked", "", status("100 Continue", "Transfer-Encoding: chunked"), ""},
		{"6.3", "CONNECT that succeeds", "CONNECT", ok("Content-Length: 5", "Transfer-Encoding: chunked"), "HTTP/1.1 200 OK keep"},
		{"6.3", "CONNECT that fails", "CONNECT", status("403 No", "Content-Length: 5"), "HTTP/1.1 403 No length=5 keep"},

		{"6.3", "chunked", "", ok("Transfer-Encoding: chunked"), "HTTP/1.1 200 OK chunked keep"},
		{"6.3", "chunked and length", "", ok("Transfer-Encoding: chunked", "Content-Length: 5"), ""},
		{"6.1", "chunked in HTTP/1.0", "", head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), ""},
		{"6.1", "other coding", "", ok("Transfer-Encoding: gzip, chunked"), ""},
		{"6.3", "no chunked", "", ok("Transfer-Encoding: gzip"), ""},
		{"7.1", "chunked twice", "", ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ""},
		{"6.3", "length", "", ok("Content-Length: 5"), "HTTP/1.1 200 OK length=5 keep"},
		{"6.3", "length repeated", "", ok("Content-Length: 5", "Content-Length: 5"), "HTTP/1.1 200 OK length=5 keep"},
		{"6.3", "lengths that differ", "", ok("Content-Length: 5", "Content-Length: 6"), ""},
		{"6.3", "lengths that differ in writing", "", ok("Content-Length: 5", "Content-Length: 05"), ""},
		{"6.3", "list of lengths", "", ok("Content-Length: 5, 5"), ""},
		{"6.3", "length that is none", "", ok("Content-Length: five"), ""},
		{"6.3", "lengths that differ, to HEAD", "HEAD", ok("Content-Length: 5", "Content-Length: 6"), ""},
		{"6.3", "neither", "", ok(), "HTTP/1.1 200 OK until-close"},
		{"6.3", "neither, and asked to persist", "", ok("Connection: keep-alive"), "HTTP/1.1 200 OK until-close"},

		{"9.3", "close", "", ok("Content-Length: 5", "Connection: close"), "HTTP/1.1 200 OK length=5"},
		{"9.3", "HTTP/1.0", "", head("HTTP/1.0 200 OK", "Content-Length: 5"), "HTTP/1.0 200 OK length=5"},
		{"9.3", "HTTP/1.0 that persists", "", head("HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive"), "HTTP/1.0 200 OK length=5 keep"},
		{"9.3", "HTTP/1.0 that can't persist", "", head("HTTP/1.0 200 OK", "Connection: keep-alive"), "HTTP/1.0 200 OK until-close"},

		{"9110 15.2.2", "101", "", status("101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"), "HTTP/1.1 101 Switching Protocols keep upgrade=websocket"},
		{"9110 15.2.2", "101 without Upgrade", "", status("101 Switching Protocols", "Connection: Upgrade"), ""},
		{"9110 15.2.2", "101 without the option", "", status("101 Switching Protocols", "Upgrade: websocket"), ""},
		{"9110 7.8", "101 in HTTP/1.0", "", head("HTTP/1.0 101 Switching Protocols", "Connection: Upgrade", "Upgrade: websocket"), ""},
		{"9110 7.8", "101 with two Upgrade", "", status("101 Switching Protocols", "Connection: Upgrade", "Upgrade: a", "Upgrade: b"), ""},
		{"9110 15.5.22", "426", "", status("426 Upgrade Required", "Connection: Upgrade", "Upgrade: a/1", "Content-Length: 0"), "HTTP/1.1 426 Upgrade Required length=0 keep upgrade=a/1"},
	} {
		t.Run(tc.section+" "+tc.name, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = "GET"
			}
			var r Response
			if refused := refusal(t, r.Parse([]byte(tc.head), []byte(method), Limits{})) != 0; refused != (tc.want == "") {
				t.Fatalf("refused: %v, want %v", refused, tc.want == "")
			}
			if tc.want == "" {
				return
			}
			if got := r.summary(); got != tc.want {
				t.Errorf("read\n%s, want\n%s", got, tc.want)
			}
			sameResponseAsNetHTTP(t, []byte(tc.head), method, &r)
		})
	}
}

func TestContentLengthIsForwardedOnceAndWhereItIsAllowed(t *testing.T) {
	for _, tc := range []struct {
		name, head string
		want       string // the fields that are forwarded
	}{
		{"repeated", head("HTTP/1.1 200 OK", "Content-Length: 5", "A: b", "content-length: 5"), "Content-Length A"},
		{"204", head("HTTP/1.1 204 No Content", "Content-Length: 0", "A: b"), "A"},
		{"100", head("HTTP/1.1 100 Continue", "Content-Length: 0"), ""},
		{"304", head("HTTP/1.1 304 Not Modified", "Content-Length: 5"), "Content-Length"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r Response
			if err := r.Parse([]byte(tc.head), []byte("GET"), Limits{}); err != nil {
				t.Fatal(err)
			}
			if got := forwarded(r.Fields); got != tc.want {
				t.Errorf("forwarded are %q, want %q", got, tc.want)
			}
		})
	}
}

func forwarded(fields []Field) string {
	var names []string
	for _, f := range fields {
		if !f.Hop {
			names = append(names, string(f.Name))
		}
	}
	return strings.Join(names, " ")
}
