package dataplane_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestARequestLineHasOneReading(t *testing.T) {
	checkAll(t, []ambiguity{
		{"plain", "3", "GET / HTTP/1.1|Host: a||", "GET /"},
		{"empty lines before it", "2.2", "||GET / HTTP/1.1|Host: a||", "GET /"},
		{"many empty lines before it", "2.2", "|||||||||GET / HTTP/1.1|Host: a||", "400"},
		{"bare LF before it", "2.2", "\nGET / HTTP/1.1|Host: a||", "400"},
		{"space before it", "3", " GET / HTTP/1.1|Host: a||", "400"},
		{"two spaces behind the method", "3", "GET  / HTTP/1.1|Host: a||", "400"},
		{"two spaces behind the target", "3", "GET /  HTTP/1.1|Host: a||", "400"},
		{"tab behind the method", "3", "GET\t/ HTTP/1.1|Host: a||", "400"},
		{"tab behind the target", "3", "GET /\tHTTP/1.1|Host: a||", "400"},
		{"space behind the version", "3", "GET / HTTP/1.1 |Host: a||", "400"},
		{"tab behind the version", "3", "GET / HTTP/1.1\t|Host: a||", "400"},
		{"more behind the version", "3", "GET / HTTP/1.1 HTTP/1.1|Host: a||", "400"},
		{"bare LF", "2.2", "GET / HTTP/1.1\nHost: a||", "400"},
		{"bare CR", "2.2", "GET / HTTP/1.1\rHost: a||", "400"},
		{"bare LF everywhere", "2.2", "GET / HTTP/1.1\nHost: a\n\n", "400"},
		{"CR CR LF", "2.2", "GET / HTTP/1.1\r|Host: a||", "400"},
		{"form feed for a space", "3", "GET\f/ HTTP/1.1|Host: a||", "400"},
		{"NUL in the method", "3.1", "GE\x00T / HTTP/1.1|Host: a||", "400"},
		{"method in lower case is another method", "9.1 of RFC 9110", "get / HTTP/1.1|Host: a||", "get /"},
		{"unknown method", "9.1 of RFC 9110", "BREW / HTTP/1.1|Host: a||", "BREW /"},
		{"method that is no token", "9.1 of RFC 9110", "GET:/ / HTTP/1.1|Host: a||", "400"},
		{"no method", "3", "/ HTTP/1.1|Host: a||", "400"},
		{"TRACE", "9.3.8 of RFC 9110", "TRACE / HTTP/1.1|Host: a||", "TRACE /"},
		{"CONNECT", "9.3.6 of RFC 9110", "CONNECT a:443 HTTP/1.1|Host: a:443||" + smuggled, "405"},
		{"CONNECT of a path", "9.3.6 of RFC 9110", "CONNECT / HTTP/1.1|Host: a||" + smuggled, "400"},
		{"answer instead of a request", "3", "HTTP/1.1 200 OK|Host: a||", "400"},

		{"HTTP/0.9", "2.3", "GET /|Host: a||", "400"},
		{"HTTP/0.9 alone", "2.3", "GET /||", "400"},
		{"HTTP/1.0", "2.3", "GET / HTTP/1.0|Host: a||", "GET /"},
		{"HTTP/1.0 without Host", "3.2", "GET / HTTP/1.0||", "GET /"},
		{"HTTP/1.2", "2.3", "GET / HTTP/1.2|Host: a||", "505"},
		{"HTTP/2.0", "2.3", "GET / HTTP/2.0|Host: a||", "505"},
		{"HTTP/1.10", "2.3", "GET / HTTP/1.10|Host: a||", "400"},
		{"HTTP/01.1", "2.3", "GET / HTTP/01.1|Host: a||", "400"},
		{"HTTP/1", "2.3", "GET / HTTP/1|Host: a||", "400"},
		{"http/1.1", "2.3", "GET / http/1.1|Host: a||", "400"},
		{"HTTPS/1.1", "2.3", "GET / HTTPS/1.1|Host: a||", "400"},
		{"HTTP/1.1 with a plus", "2.3", "GET / HTTP/+1.1|Host: a||", "400"},
		{"the preface of HTTP/2", "3.4 of RFC 9113", "PRI * HTTP/2.0||SM||", "505"},

		{"NUL in the target", "3.2", "GET /a\x00b HTTP/1.1|Host: a||", "400"},
		{"control character in the target", "3.2", "GET /a\x01b HTTP/1.1|Host: a||", "400"},
		{"DEL in the target", "3.2", "GET /a\x7fb HTTP/1.1|Host: a||", "400"},
		{"byte above ASCII in the target", "3.2", "GET /\xff HTTP/1.1|Host: a||", "400"},
		{"fragment", "3.2", "GET /a#b HTTP/1.1|Host: a||", "400"},
		{"escaped CRLF", "3.2", "GET /a%0d%0ab HTTP/1.1|Host: a||", "GET /a%0d%0ab"},
		{"escape that is none", "2.1 of RFC 3986", "GET /%zz HTTP/1.1|Host: a||", "400"},
		{"relative target", "3.2", "GET a HTTP/1.1|Host: a||", "400"},
		{"asterisk", "3.2.4", "OPTIONS * HTTP/1.1|Host: a||", "OPTIONS *"},
		{"asterisk of GET", "3.2.4", "GET * HTTP/1.1|Host: a||", "400"},
		{"too long a target", "3", "GET /" + strings.Repeat("a", 70<<10) + " HTTP/1.1|Host: a||", "414"},
	})
}

func TestARequestHasOneAuthority(t *testing.T) {
	request := func(target, fields string) string { return "GET " + target + " HTTP/1.1|" + fields + "||" }
	checkAll(t, []ambiguity{
		{"no Host", "3.2", request("/", "X: y"), "400"},
		{"two", "3.2", request("/", "Host: a|Host: b"), "400"},
		{"two, the same", "3.2", request("/", "Host: a|Host: a"), "400"},
		{"one apart from the other", "3.2", request("/", "Host: a|X: y|host: b"), "400"},
		{"empty", "3.2", request("/", "Host:"), "GET /"},
		{"comma", "3.2", request("/", "Host: a, b"), "400"},
		{"comma without space", "3.2", request("/", "Host: a,b"), "400"},
		{"space", "3.2", request("/", "Host: a b"), "400"},
		{"tab", "3.2", request("/", "Host: a\tb"), "400"},
		{"path", "3.2", request("/", "Host: a/b"), "400"},
		{"query", "3.2", request("/", "Host: a?b"), "400"},
		{"userinfo", "4.2.4 of RFC 9110", request("/", "Host: user@a"), "400"},
		{"quotation mark", "3.2", request("/", `Host: a";for=b`), "400"},
		{"backslash", "3.2", request("/", `Host: a\b`), "400"},
		{"escape", "3.2", request("/", "Host: a%62"), "400"},
		{"port that is none", "3.2", request("/", "Host: a:b"), "400"},
		{"port that is too large", "3.2", request("/", "Host: a:65536"), "400"},
		{"two ports", "3.2", request("/", "Host: a:80:80"), "400"},
		{"port", "3.2", request("/", "Host: a:8080"), "GET /"},
		{"port without host", "3.2", request("/", "Host: :80"), "400"},
		{"IPv6", "3.2", request("/", "Host: [::1]:80"), "GET /"},
		{"IPv6 with a zone", "3.2", request("/", "Host: [fe80::1%25eth0]"), "400"},
		{"IPv6 without an end", "3.2", request("/", "Host: [::1"), "400"},
		{"folded", "5.2", request("/", "Host: a| b"), "400"},
		{"folded as the first field", "5.2", request("/", " Host: a"), "400"},
		{"space before the colon", "5.1", request("/", "Host : a"), "400"},

		{"absolute form", "3.2.2", request("http://a/b?c", "Host: a"), "GET /b?c"},
		{"absolute form without path", "3.2.2", request("http://a", "Host: a"), "GET /"},
		{"absolute form without path, with query", "3.2.2", request("http://a?c", "Host: a"), "GET /?c"},
		{"absolute form of OPTIONS without path", "3.2.4", "OPTIONS http://a HTTP/1.1|Host: a||", "OPTIONS *"},
		{"absolute form for another Host", "3.2.2", request("http://a/", "Host: b"), "400"},
		{"absolute form for another port", "3.2.2", request("http://a:81/", "Host: a"), "400"},
		{"absolute form without Host", "3.2", request("http://a/", "X: y"), "400"},
		{"absolute form with userinfo", "4.2.4 of RFC 9110", request("http://user:secret@a/", "Host: a"), "400"},
		{"absolute form with userinfo in Host too", "4.2.4 of RFC 9110", request("http://a@b/", "Host: a@b"), "400"},
		{"absolute form with a backslash", "3.2.2", request(`http://a\b/`, "Host: a"), "400"},
		{"absolute form without authority", "4.2.1 of RFC 9110", request("http:///b", "Host: a"), "400"},
		{"absolute form with another scheme", "3.2.2", request("ftp://a/", "Host: a"), "400"},
		{"target that only looks like one with an authority", "3.2.1", request("//b/c", "Host: a"), "GET //b/c"},
	})
}

func TestAFieldLineHasOneReading(t *testing.T) {
	request := func(line string) string { return "GET / HTTP/1.1|Host: a|" + line + "||" }
	cases := []ambiguity{
		{"plain", "5", request("X: y"), "GET /"},
		{"no value", "5", request("X:"), "GET /"},
		{"no colon", "5", request("X"), "400"},
		{"no name", "5", request(": y"), "400"},
		{"space before the name", "5.2", request(" X: y"), "400"},
		{"space before the colon", "5.1", request("X : y"), "400"},
		{"tab before the colon", "5.1", request("X\t: y"), "400"},
		{"space in the name", "5.1", request("X Y: z"), "400"},
		{"folded", "5.2", request("X: y| z"), "400"},
		{"folded by a tab", "5.2", request("X: y|\tz"), "400"},
		{"folded to nothing", "5.2", request("X: y| "), "400"},
		{"bare LF", "2.2", request("X: y\nZ: w"), "400"},
		{"bare CR", "2.2", request("X: y\rZ: w"), "400"},
		{"bare CR at the end", "2.2", request("X: y\r"), "400"},
		{"LF CR", "2.2", request("X: y\n\rZ: w"), "400"},
		{"bare LF for the empty line", "2.2", "GET / HTTP/1.1|Host: a|\n" + smuggled, "400"},
		{"bare LFs behind the head", "2.2", "GET / HTTP/1.1|Host: a\n\n" + smuggled, "400"},
		{"bare CRs for the empty line", "2.2", "GET / HTTP/1.1|Host: a\r\r" + smuggled, "400"},
		{"byte above ASCII in the value", "5.5 of RFC 9110", request("X: \xff"), "GET /"},
		{"byte above ASCII in the name", "5.1 of RFC 9110", request("X\xff: y"), "400"},
		{"tab in the value", "5.5 of RFC 9110", request("X: y\tz"), "GET /"},
		{"too many fields", "5.4 of RFC 9110", request(strings.Repeat("X: y|", 200) + "Z: w"), "431"},
		{"too large a field", "5.4 of RFC 9110", request("X: " + strings.Repeat("y", 70<<10)), "431"},
		{"connection option that is none", "7.6.1 of RFC 9110", request("Connection: a b"), "400"},
		{"too many connection options", "7.6.1 of RFC 9110", request("Connection: " + strings.Repeat("a,", 100) + "b"), "400"},
		{"expectation that nobody knows", "10.1.1 of RFC 9110", request("Expect: the unexpected"), "417"},
		{"expectation and what nobody knows", "10.1.1 of RFC 9110", request("Expect: 100-continue, x"), "417"},
		{"expectation without a body", "10.1.1 of RFC 9110", request("Expect: 100-continue"), "GET /"},
		{"trailer that is announced to frame", "6.6.2 of RFC 9110", request("Trailer: Content-Length"), "400"},
	}
	for _, c := range []byte{0, 1, 8, 11, 12, 14, 27, 31, 127} {
		cases = append(cases,
			ambiguity{fmt.Sprintf("%#02x in a name", c), "5.1 of RFC 9110", request("X" + string(rune(c)) + ": y"), "400"},
			ambiguity{fmt.Sprintf("%#02x in a value", c), "5.5 of RFC 9110", request("X: y" + string(rune(c))), "400"})
	}
	for _, c := range []byte(`"(),/:;<=>?@[\]{}`) {
		if c != ':' {
			cases = append(cases, ambiguity{fmt.Sprintf("%c in a name", c), "5.1 of RFC 9110", request("X" + string(rune(c)) + ": y"), "400"})
		}
	}
	checkAll(t, cases)
}
