package http1

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// head makes a head of lines.
func head(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n\r\n" }

// summary is a request but for its fields, on one line.
func (r *Request) summary() string {
	s := fmt.Sprintf("%s %s", r.Method, r.Path)
	if r.HasQuery {
		s += "?" + string(r.Query)
	}
	s += fmt.Sprintf(" HTTP/1.%d at=%s", r.Minor, r.Host)
	if r.Form != OriginForm {
		s += []string{"", " absolute", " authority", " asterisk"}[r.Form]
	}
	return s + framingSummary(r.Framing, r.ContentLength) + connectionSummary(r.KeepAlive, r.Upgrade) + flag(" expect", r.ExpectContinue) + flag(" trailers", r.TETrailers)
}

func framingSummary(f Framing, length int64) string {
	switch {
	case f == NoBody && length == 0:
		return ""
	case f == Length:
		return fmt.Sprintf(" length=%d", length)
	case f == Chunked && length == -1:
		return " chunked"
	case f == UntilClose && length == -1:
		return " until-close"
	}
	return fmt.Sprintf(" framing=%d,%d", f, length)
}

func connectionSummary(keepAlive bool, upgrade []byte) string {
	s := flag(" keep", keepAlive)
	if upgrade != nil {
		s += " upgrade=" + string(upgrade)
	}
	return s
}

func flag(name string, set bool) string {
	if set {
		return name
	}
	return ""
}

// refusal returns the status of a parse error; 0 for none.
func refusal(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var parse *ParseError
	if !errors.As(err, &parse) || parse.Detail == "" || parse.Status < 400 {
		t.Fatalf("the error %v is no proper ParseError", err)
	}
	return parse.Status
}

func TestRequestsAreReadByTheLetterOfTheStandardOrRefused(t *testing.T) {
	get := func(fields ...string) string {
		return head(append([]string{"GET / HTTP/1.1", "Host: a"}, fields...)...)
	}
	post := func(fields ...string) string {
		return head(append([]string{"POST / HTTP/1.1", "Host: a"}, fields...)...)
	}
	line := func(line string) string { return head(line, "Host: a") }
	host := func(value string) string { return head("GET / HTTP/1.1", "Host: "+value) }
	for _, tc := range []struct {
		section string // RFC 9112, unless it says 9110 or 3986
		name    string
		head    string
		want    string // what is read, or
		refused int    // the status
	}{
		{"2.1", "the least", get(), "GET / HTTP/1.1 at=a keep", 0},
		{"2.2", "empty lines before the request line", "\r\n\r\n" + get(), "GET / HTTP/1.1 at=a keep", 0},
		{"2.2", "empty lines without end", strings.Repeat("\r\n", maxEmptyLines+1) + get(), "", 400},
		{"2.2", "bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "", 400},
		{"2.2", "bare LF behind a field", "GET / HTTP/1.1\r\nHost: a\nB: c\r\n\r\n", "", 400},
		{"2.2", "bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", "", 400},
		{"2.2", "bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "", 400},
		{"2.2", "bare CR in a value", get("A: b\rc"), "", 400},
		{"2.2", "bare CR as line end", "GET / HTTP/1.1\r\nHost: a\rB: c\r\n\r\n", "", 400},
		{"2.2", "two CR before LF", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "", 400},
		{"2.2", "white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "", 400},
		{"2.2", "no empty line", "GET / HTTP/1.1\r\nHost: a\r\n", "", 400},
		{"2.2", "more than one head", get() + get(), "", 400},
		{"2.2", "nothing", "", "", 400},
		{"2.2", "empty lines only", "\r\n\r\n", "", 400},

		{"2.3", "HTTP/1.0", head("GET / HTTP/1.0"), "GET / HTTP/1.0 at=", 0},
		{"2.3", "HTTP/1.2", line("GET / HTTP/1.2"), "", 505},
		{"2.3", "HTTP/2.0", line("GET / HTTP/2.0"), "", 505},
		{"2.3", "the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\n", "", 505},
		{"2.3", "HTTP/0.9", line("GET / HTTP/0.9"), "", 505},
		{"2.3", "lower case", line("GET / http/1.1"), "", 400},
		{"2.3", "two digits", line("GET / HTTP/1.10"), "", 400},
		{"2.3", "leading zero", line("GET / HTTP/01.1"), "", 400},
		{"2.3", "no number", line("GET / HTTP/x.y"), "", 400},
		{"2.3", "no minor version", line("GET / HTTP/1"), "", 400},
		{"2.3", "no version", line("GET /"), "", 400},
		{"2.3", "another protocol", line("GET / ICAP/1.0"), "", 400},

		{"3", "two spaces behind the method", line("GET  / HTTP/1.1"), "", 400},
		{"3", "two spaces behind the target", line("GET /  HTTP/1.1"), "", 400},
		{"3", "tab as separator", line("GET\t/ HTTP/1.1"), "", 400},
		{"3", "white space at the end", line("GET / HTTP/1.1 "), "", 400},
		{"3", "white space at the begin", line(" GET / HTTP/1.1"), "", 400},
		{"3", "more parts", line("GET / HTTP/1.1 x"), "", 400},
		{"3.1", "any token is a method", line("M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1"), "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1 at=a keep", 0},
		{"3.1", "methods have case", line("get / HTTP/1.1"), "get / HTTP/1.1 at=a keep", 0},
		{"3.1", "method with a separator", line("GE(T / HTTP/1.1"), "", 400},
		{"3.1", "method with a control", line("GE\x00T / HTTP/1.1"), "", 400},
		{"3.1", "no method", line(" / HTTP/1.1"), "", 400},

		{"3.2.1", "path and query", line("GET /a/b.c;d?e=f&g?h HTTP/1.1"), "GET /a/b.c;d?e=f&g?h HTTP/1.1 at=a keep", 0},
		{"3.2.1", "empty query", line("GET /? HTTP/1.1"), "GET /? HTTP/1.1 at=a keep", 0},
		{"3.2.1", "a path may begin with two slashes", line("GET //b/c HTTP/1.1"), "GET //b/c HTTP/1.1 at=a keep", 0},
		{"3.2.1", "what browsers leave bare in a query", line("GET /?a={b|c}[^`\\\"<> HTTP/1.1"), "GET /?a={b|c}[^`\\\"<> HTTP/1.1 at=a keep", 0},
		{"3.2.1", "no slash", line("GET a HTTP/1.1"), "", 400},
		{"3.2.1", "only a query", line("GET ?a HTTP/1.1"), "", 400},
		{"3.2", "fragment", line("GET /a#b HTTP/1.1"), "", 400},
		{"3.2", "control", line("GET /a\x01 HTTP/1.1"), "", 400},
		{"3.2", "DEL", line("GET /a\x7f HTTP/1.1"), "", 400},
		{"3.2", "tab", line("GET /a\tb HTTP/1.1"), "", 400},
		{"3.2", "UTF-8", line("GET /é HTTP/1.1"), "", 400},
		{"3986 2.1", "escapes", line("GET /%C3%a9%2F HTTP/1.1"), "GET /%C3%a9%2F HTTP/1.1 at=a keep", 0},
		{"3986 2.1", "escape that is none", line("GET /%zz HTTP/1.1"), "", 400},
		{"3986 2.1", "escape cut off", line("GET /a%2 HTTP/1.1"), "", 400},
		{"3986 2.1", "escape cut off by the query", line("GET /a%2?0 HTTP/1.1"), "", 400},
		{"3986 2.1", "a query may have a bare percent sign", line("GET /?a=100% HTTP/1.1"), "GET /?a=100% HTTP/1.1 at=a keep", 0},

		{"3.2.2", "absolute form", line("GET http://a/b?c HTTP/1.1"), "GET /b?c HTTP/1.1 at=a absolute keep", 0},
		{"3.2.2", "scheme in any case, and host", line("GET HTTPS://A/b HTTP/1.1"), "GET /b HTTP/1.1 at=A absolute keep", 0},
		{"3.2.2", "no path", line("GET http://a HTTP/1.1"), "GET / HTTP/1.1 at=a absolute keep", 0},
		{"3.2.2", "query without path", line("GET http://a?b/c HTTP/1.1"), "GET /?b/c HTTP/1.1 at=a absolute keep", 0},
		{"3.2.2", "port", head("GET http://a:8080/ HTTP/1.1", "Host: a:8080"), "GET / HTTP/1.1 at=a:8080 absolute keep", 0},
		{"3.2.2", "HTTP/1.0 without Host", head("GET http://a/ HTTP/1.0"), "GET / HTTP/1.0 at=a absolute", 0},
		{"3.2.2", "Host is needed all the same", head("GET http://a/ HTTP/1.1"), "", 400},
		{"3.2.2", "Host differs", line("GET http://b/ HTTP/1.1"), "", 400},
		{"3.2.2", "Host is empty", head("GET http://a/ HTTP/1.1", "Host:"), "", 400},
		{"3.2.2", "only one has a port", line("GET http://a:80/ HTTP/1.1"), "", 400},
		{"3.2.2", "other scheme", line("GET ftp://a/ HTTP/1.1"), "", 400},
		{"3.2.2", "no authority", head("GET http:/// HTTP/1.1", "Host:"), "", 400},
		{"3.2.2", "no slashes", line("GET http:a HTTP/1.1"), "", 400},
		{"9110 4.2.4", "userinfo", line("GET http://u:p@a/ HTTP/1.1"), "", 400},
		{"3.2.2", "escape in the path", line("GET http://a/%x HTTP/1.1"), "", 400},
		{"3.2.2", "backslash ends no authority", line("GET http://a\\b/ HTTP/1.1"), "", 400},

		{"3.2.3", "CONNECT", head("CONNECT a:443 HTTP/1.1", "Host: a:443"), "CONNECT  HTTP/1.1 at=a:443 authority keep", 0},
		{"3.2.3", "CONNECT to IPv6", head("CONNECT [::1]:443 HTTP/1.0"), "CONNECT  HTTP/1.0 at=[::1]:443 authority", 0},
		{"9110 9.3.6", "CONNECT without port", line("CONNECT a HTTP/1.1"), "", 400},
		{"9110 9.3.6", "CONNECT with an empty port", head("CONNECT a: HTTP/1.1", "Host: a:"), "", 400},
		{"3.2.3", "CONNECT with a path", line("CONNECT / HTTP/1.1"), "", 400},
		{"3.2.3", "CONNECT with a URI", line("CONNECT http://a:1/ HTTP/1.1"), "", 400},
		{"3.2.3", "CONNECT with another Host", line("CONNECT b:443 HTTP/1.1"), "", 400},
		{"3.2.3", "authority without CONNECT", line("GET a:443 HTTP/1.1"), "", 400},
		{"3.2.4", "OPTIONS *", line("OPTIONS * HTTP/1.1"), "OPTIONS * HTTP/1.1 at=a asterisk keep", 0},
		{"3.2.4", "OPTIONS without path", line("OPTIONS http://a HTTP/1.1"), "OPTIONS * HTTP/1.1 at=a absolute keep", 0},
		{"3.2.4", "OPTIONS with path", line("OPTIONS http://a/ HTTP/1.1"), "OPTIONS / HTTP/1.1 at=a absolute keep", 0},
		{"3.2.4", "OPTIONS with query", line("OPTIONS http://a? HTTP/1.1"), "OPTIONS /? HTTP/1.1 at=a absolute keep", 0},
		{"3.2.4", "* without OPTIONS", line("GET * HTTP/1.1"), "", 400},
		{"3.2.4", "more than *", line("OPTIONS *a HTTP/1.1"), "", 400},

		{"3.2", "no Host", head("GET / HTTP/1.1"), "", 400},
		{"3.2", "two Host", get("Host: a"), "", 400},
		{"3.2", "two Host in HTTP/1.0", head("GET / HTTP/1.0", "Host: a", "host: b"), "", 400},
		{"3.3", "empty Host", host(""), "GET / HTTP/1.1 at= keep", 0},
		{"9110 7.2", "Host with port", host("a.b-c_d:8080"), "GET / HTTP/1.1 at=a.b-c_d:8080 keep", 0},
		{"9110 7.2", "Host with empty port", host("a:"), "GET / HTTP/1.1 at=a: keep", 0},
		{"9110 7.2", "IPv4", host("10.0.0.1:80"), "GET / HTTP/1.1 at=10.0.0.1:80 keep", 0},
		{"9110 7.2", "IPv6", host("[2001:db8::1]:80"), "GET / HTTP/1.1 at=[2001:db8::1]:80 keep", 0},
		{"9110 7.2", "IPv6 without brackets", host("2001:db8::1"), "", 400},
		{"9110 7.2", "brackets around a name", host("[a]"), "", 400},
		{"9110 7.2", "open bracket", host("[::1"), "", 400},
		{"9110 7.2", "something behind the bracket", host("[::1]a"), "", 400},
		{"9110 7.2", "zone", host("[fe80::1%25eth0]"), "", 400},
		{"9110 7.2", "port without host", host(":80"), "", 400},
		{"9110 7.2", "port that is no number", host("a:b"), "", 400},
		{"9110 7.2", "port that is too large", host("a:65536"), "", 400},
		{"9110 7.2", "userinfo", host("u@a"), "", 400},
		{"9110 7.2", "list", host("a, b"), "", 400},
		{"9110 7.2", "comma", host("a,b"), "", 400},
		{"9110 7.2", "space", host("a b"), "", 400},
		{"9110 7.2", "path", host("a/b"), "", 400},
		{"9110 7.2", "escape", host("%61"), "", 400},
		{"9110 7.2", "UTF-8", host("é"), "", 400},

		{"5", "no colon", get("A"), "", 400},
		{"5", "no name", get(": b"), "", 400},
		{"5.1", "space before the colon", get("A : b"), "", 400},
		{"5.1", "tab before the colon", get("Content-Length\t: 5"), "", 400},
		{"5.1", "space in the name", get("A B: c"), "", 400},
		{"5.1", "separator in the name", get("A(: b"), "", 400},
		{"5.1", "control in the name", get("A\x00: b"), "", 400},
		{"5.1", "obs-text in the name", get("\xc0: b"), "", 400},
		{"5.1", "white space around the value", get("Content-Length: \t 5 \t "), "GET / HTTP/1.1 at=a length=5 keep", 0},
		{"5.1", "no white space at all", get("Content-Length:5"), "GET / HTTP/1.1 at=a length=5 keep", 0},
		{"5.2", "folded with a space", get("A: b", " c"), "", 400},
		{"5.2", "folded with a tab", get("A: b", "\tc"), "", 400},
		{"5.2", "line of white space", get("A: b", " "), "", 400},
		{"9110 5.5", "empty value", get("A:"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 5.5", "tab and obs-text in a value", get("A: b\tc \x80\xff"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 5.5", "NUL in a value", get("A: b\x00"), "", 400},
		{"9110 5.5", "control in a value", get("A: long enough to be looked at eight by eight \x1f"), "", 400},
		{"9110 5.5", "DEL in a value", get("A: b\x7f"), "", 400},
		{"9110 5.5", "vertical tab before a value", get("Transfer-Encoding: \x0bchunked"), "", 400},

		{"6.1", "chunked", post("Transfer-Encoding: chunked"), "POST / HTTP/1.1 at=a chunked keep", 0},
		{"7", "codings have no case", post("transfer-encoding: CHUNKED"), "POST / HTTP/1.1 at=a chunked keep", 0},
		{"6.1", "chunked in HTTP/1.0", head("POST / HTTP/1.0", "Transfer-Encoding: chunked"), "", 400},
		{"6.1", "chunked and length", post("Transfer-Encoding: chunked", "Content-Length: 5"), "", 400},
		{"6.1", "length and chunked", post("Content-Length: 5", "Transfer-Encoding: chunked"), "", 400},
		{"6.1", "length of none and chunked", post("Content-Length: 0", "Transfer-Encoding: chunked"), "", 400},
		{"6.1", "unknown coding before chunked", post("Transfer-Encoding: x-own, chunked"), "", 501},
		{"6.1", "known coding before chunked", post("Transfer-Encoding: gzip, chunked"), "", 501},
		{"6.1", "in two fields", post("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), "", 501},
		{"6.1", "coding with a parameter before chunked", post("Transfer-Encoding: x;a=b, chunked"), "", 501},
		{"6.3", "chunked is not final", post("Transfer-Encoding: chunked, gzip"), "", 400},
		{"6.3", "no chunked", post("Transfer-Encoding: gzip"), "", 400},
		{"7.1", "chunked twice", post("Transfer-Encoding: chunked, chunked"), "", 400},
		{"7.1", "chunked in two fields", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "", 400},
		{"7.1", "chunked with a parameter", post("Transfer-Encoding: chunked;a=b"), "", 400},
		{"7", "identity", post("Transfer-Encoding: identity"), "", 400},
		{"7", "identity and chunked", post("Transfer-Encoding: identity, chunked"), "", 400},
		{"7", "identity in another field", post("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "", 400},
		{"7", "nothing", post("Transfer-Encoding:"), "", 400},
		{"7", "empty element", post("Transfer-Encoding: chunked,"), "", 400},
		{"7", "empty element first", post("Transfer-Encoding: , chunked"), "", 400},
		{"7", "looks like chunked", post("Transfer-Encoding: xchunked"), "", 400},
		{"7", "looks like chunked, and is", post("Transfer-Encoding: Chunkedx, chunked"), "", 400},
		{"7", "quoted", post(`Transfer-Encoding: "chunked"`), "", 400},
		{"7", "two words", post("Transfer-Encoding: chunked x"), "", 400},
		{"7", "underscore", post("Transfer_Encoding: chunked"), "", 400},

		{"6.2", "length", post("Content-Length: 5"), "POST / HTTP/1.1 at=a length=5 keep", 0},
		{"6.2", "length of none", post("Content-Length: 0"), "POST / HTTP/1.1 at=a length=0 keep", 0},
		{"6.2", "largest", post("Content-Length: 9223372036854775807"), "POST / HTTP/1.1 at=a length=9223372036854775807 keep", 0},
		{"6.2", "leading zeros", post("Content-Length: 00000000000000000000005"), "POST / HTTP/1.1 at=a length=5 keep", 0},
		{"6.2", "too large", post("Content-Length: 9223372036854775808"), "", 400},
		{"6.2", "overflows twice", post("Content-Length: 36893488147419103237"), "", 400},
		{"6.2", "plus", post("Content-Length: +5"), "", 400},
		{"6.2", "minus", post("Content-Length: -5"), "", 400},
		{"6.2", "hexadecimal", post("Content-Length: 0x5"), "", 400},
		{"6.2", "fraction", post("Content-Length: 5.0"), "", 400},
		{"6.2", "empty", post("Content-Length:"), "", 400},
		{"6.2", "space inside", post("Content-Length: 1 2"), "", 400},
		{"6.3", "twice the same", post("Content-Length: 5", "Content-Length: 5"), "", 400},
		{"6.3", "two", post("Content-Length: 5", "content-length: 6"), "", 400},
		{"6.3", "list of the same", post("Content-Length: 5, 5"), "", 400},
		{"6.3", "list", post("Content-Length: 5,6"), "", 400},
		{"6.2", "underscore", post("Content_Length: 5"), "", 400},
		{"6.3", "neither", post(), "POST / HTTP/1.1 at=a keep", 0},
		{"6.3", "CONNECT is framed as others are", head("CONNECT a:1 HTTP/1.1", "Host: a:1", "Content-Length: 5"), "CONNECT  HTTP/1.1 at=a:1 authority length=5 keep", 0},

		{"9.3", "close", get("Connection: close"), "GET / HTTP/1.1 at=a", 0},
		{"9.3", "close among others, in any case", get("Connection: x,, CLOSE ,y"), "GET / HTTP/1.1 at=a", 0},
		{"9.3", "close in another field", get("Connection: keep-alive", "Connection: close"), "GET / HTTP/1.1 at=a", 0},
		{"9.3", "close wins", get("Connection: close, keep-alive"), "GET / HTTP/1.1 at=a", 0},
		{"9.3", "HTTP/1.0 that wants to persist", head("GET / HTTP/1.0", "Connection: Keep-Alive"), "GET / HTTP/1.0 at= keep", 0},
		{"9.3", "HTTP/1.0 that wants both", head("GET / HTTP/1.0", "Connection: keep-alive, close"), "GET / HTTP/1.0 at=", 0},
		{"9110 7.6.1", "options are tokens", get(`Connection: "close"`), "", 400},
		{"9110 7.6.1", "options are separated by commas", get("Connection: close; x"), "", 400},
		{"9110 7.6.1", "empty Connection", get("Connection:"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 7.6.1", "as many options as are read", get("Connection: x" + strings.Repeat(", x", maxOptions-1)), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 7.6.1", "one more", get("Connection: x"+strings.Repeat(", x", maxOptions-1), "Connection: x"), "", 400},
		{"9110 5.6.1", "empty elements without end", get("Connection: " + strings.Repeat(",", maxOptions+1)), "", 400},

		{"9110 7.8", "Upgrade", get("Connection: Upgrade", "Upgrade: websocket"), "GET / HTTP/1.1 at=a keep upgrade=websocket", 0},
		{"9110 7.8", "several protocols", get("Upgrade: HTTP/2.0, SHTTP/1.3 ,, x", "Connection: upgrade"), "GET / HTTP/1.1 at=a keep upgrade=HTTP/2.0, SHTTP/1.3 ,, x", 0},
		{"9110 7.8", "not nominated", get("Upgrade: websocket"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 7.8", "HTTP/1.0", head("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: websocket"), "GET / HTTP/1.0 at=", 0},
		{"9110 7.8", "nominated and not there", get("Connection: upgrade"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 7.8", "two fields", get("Connection: upgrade", "Upgrade: a", "Upgrade: b"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 7.8", "empty", get("Upgrade:"), "", 400},
		{"9110 7.8", "no token", get("Upgrade: a b"), "", 400},
		{"9110 7.8", "empty version", get("Upgrade: a/"), "", 400},

		{"9110 10.1.1", "Expect", post("Content-Length: 5", "Expect: 100-Continue"), "POST / HTTP/1.1 at=a length=5 keep expect", 0},
		{"9110 10.1.1", "Expect and chunked", post("Transfer-Encoding: chunked", "Expect: 100-continue"), "POST / HTTP/1.1 at=a chunked keep expect", 0},
		{"9110 10.1.1", "no content to wait with", post("Content-Length: 0", "Expect: 100-continue"), "POST / HTTP/1.1 at=a length=0 keep", 0},
		{"9110 10.1.1", "another expectation", post("Expect: 100-continue", "Expect: x"), "", 417},
		{"9110 10.1.1", "another expectation first", post("Expect: x", "Expect: 100-continue"), "", 417},
		{"9110 10.1.1", "list of expectations", post("Expect: 100-continue, x"), "", 417},
		{"9110 10.1.1", "empty expectation", post("Expect:"), "", 417},
		{"9110 10.1.1", "HTTP/1.0 has none", head("POST / HTTP/1.0", "Content-Length: 5", "Expect: x"), "POST / HTTP/1.0 at= length=5", 0},

		{"9110 10.1.4", "TE", get("TE: deflate;q=0.5, Trailers"), "GET / HTTP/1.1 at=a keep trailers", 0},
		{"9110 10.1.4", "TE without trailers", get("TE: trailersx", "TE:"), "GET / HTTP/1.1 at=a keep", 0},
		{"9110 6.6.2", "Trailer", post("Transfer-Encoding: chunked", "Trailer: Server-Timing, X-Sum"), "POST / HTTP/1.1 at=a chunked keep", 0},
		{"9110 6.6.2", "names in Trailer are tokens", post("Transfer-Encoding: chunked", "Trailer: a b"), "", 400},
		{"9110 6.5.1", "Trailer announces framing", post("Transfer-Encoding: chunked", "Trailer: X-Sum, content-length"), "", 400},
	} {
		t.Run(tc.section+" "+tc.name, func(t *testing.T) {
			var r Request
			if got := refusal(t, r.Parse([]byte(tc.head), Limits{})); got != tc.refused {
				t.Fatalf("refused with %d, want %d (0 is accepted)", got, tc.refused)
			}
			if tc.refused != 0 {
				return
			}
			if got := r.summary(); got != tc.want {
				t.Errorf("read\n%s, want\n%s", got, tc.want)
			}
			sameAsNetHTTP(t, []byte(tc.head), &r)
		})
	}
}

func TestFieldsKeepTheirOrderAndCase(t *testing.T) {
	var r Request
	if err := r.Parse([]byte(head("GET / HTTP/1.1", "hOST: a", "X-b:  c d\t", "X-B:", "Cookie: e=f")), Limits{}); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range r.Fields {
		fmt.Fprintf(&got, "%s=%q/%d ", f.Name, f.Value, f.ID)
	}
	if want := fmt.Sprintf(`hOST="a"/%d X-b="c d"/0 X-B=""/0 Cookie="e=f"/%d `, Host, Cookie); got.String() != want {
		t.Errorf("fields are %s, want %s", got.String(), want)
	}
}

func TestNothingOfARequestIsLeftInTheNext(t *testing.T) {
	var r Request
	full := head("POST http://a/b?c HTTP/1.1", "Host: a", "Content-Length: 5", "Connection: upgrade", "Upgrade: x", "Expect: 100-continue", "TE: trailers")
	if err := r.Parse([]byte(full), Limits{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Parse([]byte("GET / HTTP/1.0\r\n\r\n"), Limits{}); err != nil {
		t.Fatal(err)
	}
	if got, want := r.summary(), "GET / HTTP/1.0 at="; got != want || len(r.Fields) != 0 {
		t.Errorf("read %s with %d fields, want %s with none", got, len(r.Fields), want)
	}
}

func TestTargetsReachMembersInOriginForm(t *testing.T) {
	for target, want := range map[string]string{
		"/a?b":         "/a?b",
		"/?":           "/?",
		"http://h/a?b": "/a?b",
		"http://h":     "/",
		"http://h?":    "/?",
	} {
		var r Request
		if err := r.Parse([]byte(head("GET "+target+" HTTP/1.1", "Host: h")), Limits{}); err != nil {
			t.Fatal(err)
		}
		if got := string(r.AppendTarget(nil)); got != want {
			t.Errorf("%s is forwarded as %s, want %s", target, got, want)
		}
	}
	var r Request
	if err := r.Parse([]byte(head("OPTIONS http://h HTTP/1.1", "Host: h")), Limits{}); err != nil || string(r.AppendTarget(nil)) != "*" {
		t.Errorf("OPTIONS without path is forwarded as %s, want * (%v)", r.AppendTarget(nil), err)
	}
}
