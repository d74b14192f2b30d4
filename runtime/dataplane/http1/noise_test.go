package http1

import (
	"math/rand/v2"
	"testing"
)

// noise strings fragments together. The seed is fixed, so a test sees the same noise
// each time.
type noise struct{ *rand.Rand }

func newNoise() noise { return noise{rand.New(rand.NewPCG(9112, 9110))} }

func (n noise) pick(from []string) string { return from[n.IntN(len(from))] }

// rare returns an oddity once in a while, else the usual.
func (n noise) rare(usual string, oddities []string) string {
	if n.IntN(12) > 0 {
		return usual
	}
	return n.pick(oddities)
}

var (
	lineEnds   = []string{"\n", "\r", "\r\r\n", "\r\n\r\n", "\r\n ", " \r\n", "\x00\r\n", "\t\r\n"}
	separators = []string{":", ":\t", " : ", ": \x0b", ":  ", "\t: ", ": \x00", "", ";"}
	names      = []string{
		"A", "Connection", "Content-Length", "content-length", "Content_Length", "Expect", "Host", "Keep-Alive", "Pragma", "TE", "Trailer",
		"Transfer-Encoding", "transfer-encoding", "Transfer_Encoding", "Upgrade", "X-Forwarded-For", "A B", "", "\xff", "Transfer-Encoding\x00",
	}
	values = []string{
		"", "0", "5", "05", "+5", "5, 5", "5,", "9223372036854775807", "99999999999999999999", "a", "a:80", "[::1]", "A", "b", "a,b", "a b", "no-cache",
		"chunked", "Chunked", "chunked, chunked", ",chunked", "gzip, chunked", "chunked;a", "\"chunked\"", "identity", "xchunked", "close", "keep-alive",
		"close, a", "upgrade, Connection, Content-Length", "websocket", "trailers", "100-continue", "\t\xe9 \t", "\x7f", "\x01",
	}
	methods  = []string{"GET", "GET", "POST", "HEAD", "OPTIONS", "CONNECT", "get", "", "G T", "(", "PRI"}
	targets  = []string{"/", "/a?b", "*", "http://a/", "http://a", "HTTP://a?b/c", "https://A/%20", "a:80", "[::1]:1", "//a", "/%2", "/#", "/\xc3", "/ a", "http://u@a/", "http://b/", "", "/a?", "/??"}
	versions = []string{"HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "HTTP/11", "HTTP/0.9", ""}
	statuses = []string{"200 OK", "200", "200 ", "204 No Content", "304 x", "100 Continue", "101 Switching", "103 x", "205 x", "099 x", "600 x", "20 x", "2000 x", " 200 OK", "404 \xe9\t", "404 \x00"}
)

func (n noise) fields() string {
	s := n.rare("\r\n", lineEnds)
	if n.IntN(8) > 0 {
		s += "Host: a\r\n"
	}
	for range n.IntN(4) {
		s += n.pick(names) + n.rare(": ", separators) + n.pick(values) + n.rare("\r\n", lineEnds)
	}
	return s + "\r\n"
}

// headOf returns the head that data begins with, or all of it.
func headOf(data []byte) []byte {
	if n := HeadEnd(data, 0); n >= 0 {
		return data[:n]
	}
	return data
}

func TestWhateverRequestIsAcceptedNetHTTPReadsTheSame(t *testing.T) {
	n, accepted := newNoise(), 0
	for range 60_000 {
		data := []byte(n.rare("GET", methods) + n.rare(" ", []string{"  ", "\t", ""}) + n.rare("/", targets) + n.rare(" ", []string{"  ", "\t", ""}) + n.rare("HTTP/1.1", versions) + n.fields())
		endsAlikeHoweverItArrives(t, data)
		head := headOf(data)
		var r Request
		if refusal(t, r.Parse(head, Limits{})) != 0 {
			continue
		}
		accepted++
		if sameAsNetHTTP(t, head, &r); t.Failed() {
			t.Fatalf("of %q", head)
		}
	}
	if accepted < 2_000 {
		t.Errorf("only %d requests were accepted: the noise is too far from the grammar", accepted)
	}
}

func TestWhateverResponseIsAcceptedNetHTTPReadsTheSame(t *testing.T) {
	n, accepted := newNoise(), 0
	for range 60_000 {
		data := []byte(n.rare("HTTP/1.1", versions) + n.rare(" ", []string{"  ", "\t", ""}) + n.rare("200 OK", statuses) + n.fields())
		head := headOf(data)
		method := n.pick(methods[:6])
		var r Response
		if refusal(t, r.Parse(head, []byte(method), Limits{})) != 0 {
			continue
		}
		accepted++
		if sameResponseAsNetHTTP(t, head, method, &r); t.Failed() {
			t.Fatalf("of %q to %s", head, method)
		}
	}
	if accepted < 2_000 {
		t.Errorf("only %d responses were accepted: the noise is too far from the grammar", accepted)
	}
}

func TestWhateverChunkedBodyIsAcceptedNetHTTPReadsTheSame(t *testing.T) {
	var (
		sizes      = []string{"3", "03", "0", "4", "2", "0x3", "+3", "", "0000000000000003", "000000000000003", "ffffffffffffffff3", "3 ", "3_"}
		extensions = []string{"", "", "", ";a", ";a=b", ";a=\"b\"", "; a = b", ";a=\"\\\"\"", ";", ";a=", ";a=\"", ";a b", ";a\x00", " ;a"}
		ends       = []string{"\n", "\r", "\r\r\n", "\r\n\r\n", "\n\r", ""}
		trailers   = []string{"", "", "A: b\r\n", "a:\r\nA: c\r\n", "Content-Length: 5\r\n", "A : b\r\n", "A: b\n", "A: b\r\n c\r\n", "A\r\n", ": b\r\n"}
	)
	n, accepted := newNoise(), 0
	for range 30_000 {
		encoded := ""
		for range n.IntN(4) {
			encoded += n.rare("3", sizes) + n.pick(extensions) + n.rare("\r\n", ends) + n.rare("abc", []string{"ab", "a\r\n", "0\r\n"}) + n.rare("\r\n", ends)
		}
		encoded += n.rare("0", sizes) + n.rare("", extensions) + n.rare("\r\n", ends) + n.pick(trailers) + n.rare("\r\n", ends) + "GET / HTTP/1.1\r\n"
		got := decode(t, new(ChunkedReader), []byte(encoded))
		if got.err != nil || !got.done {
			continue
		}
		accepted++
		if decodesLikeNetHTTP(t, []byte(encoded), got); t.Failed() {
			t.Fatalf("of %q", encoded)
		}
	}
	if accepted < 2_000 {
		t.Errorf("only %d bodies were accepted: the noise is too far from the grammar", accepted)
	}
}
