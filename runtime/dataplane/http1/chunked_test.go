package http1

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// decoded is all that comes of a chunked body.
type decoded struct {
	body    []byte
	size    int // bytes taken
	done    bool
	err     error
	trailer string
}

func (d decoded) String() string {
	return fmt.Sprintf("body %q, %d bytes taken, done %v, trailer %q, error %v", d.body, d.size, d.done, d.trailer, d.err)
}

// decode feeds the parts, as a proxy would: each into the same buffer, and what is
// not taken once more.
func decode(t *testing.T, c *ChunkedReader, parts ...[]byte) decoded {
	t.Helper()
	var d decoded
	var buf []byte
	for _, part := range parts {
		buf = append(buf[:0], part...)
		for rest := buf; ; {
			data, n, done, err := c.Next(rest)
			if n < len(data) || n > len(rest) {
				t.Fatalf("%d of %d bytes taken for %d bytes of data", n, len(rest), len(data))
			}
			d.body = append(d.body, data...)
			d.size += n
			rest = rest[n:]
			if err != nil || done {
				d.err, d.done = err, done
				d.trailer = string(AppendLastChunk(nil, c.Trailer())[len("0\r\n"):])
				if again, n, _, sticky := c.Next(rest); len(again) > 0 || n > 0 || !errors.Is(sticky, err) {
					t.Fatalf("after the end (%v) another %d bytes are taken, error %v", err, n, sticky)
				}
				return d
			}
			if len(rest) == 0 {
				break
			}
			if n == 0 {
				t.Fatal("nothing is taken of what is there")
			}
		}
	}
	return d
}

func TestChunkedBodiesAreReadByTheLetterOfTheStandardOrRefused(t *testing.T) {
	for _, tc := range []struct {
		section string // RFC 9112, unless it says 9110
		name    string
		encoded string
		body    string
		trailer string
		fails   *ParseError
	}{
		{section: "7.1", name: "two chunks", encoded: "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", body: "hello world"},
		{section: "7.1", name: "no data", encoded: "0\r\n\r\n"},
		{section: "7.1", name: "several zeros", encoded: "000\r\n\r\n"},
		{section: "7.1", name: "leading zeros", encoded: "000000000000001\r\na\r\n0\r\n\r\n", body: "a"},
		{section: "7.1", name: "digits of both cases", encoded: "1a\r\n" + strings.Repeat("x", 26) + "\r\n1A\r\n" + strings.Repeat("y", 26) + "\r\n0\r\n\r\n", body: strings.Repeat("x", 26) + strings.Repeat("y", 26)},
		{section: "7.1", name: "data that looks like framing", encoded: "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", body: "\r\n0\r\n\r\n"},
		{section: "7.1", name: "empty size", encoded: "\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "sign", encoded: "+1\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "minus", encoded: "-1\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "0x", encoded: "0x1\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "underscore", encoded: "1_0\r\n", fails: errChunkSize},
		{section: "7.1", name: "space before the size", encoded: " 1\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "no digit", encoded: "g\r\n", fails: errChunkSize},
		{section: "7.1", name: "sixteen digits", encoded: "0000000000000001\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "overflow", encoded: "ffffffffffffffff\r\n", fails: errChunkSize},
		{section: "7.1", name: "space behind the size", encoded: "1 \r\na\r\n0\r\n\r\n", fails: errChunkExtension},
		{section: "7.1", name: "bare LF behind the size", encoded: "1\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "bare CR behind the size", encoded: "1\ra\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "space for LF behind the size", encoded: "1\r a\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "two CR behind the size", encoded: "1\r\r\na\r\n0\r\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "bare LF behind the data", encoded: "1\r\na\n0\r\n\r\n", fails: errChunkEnd},
		{section: "7.1", name: "bare CR behind the data", encoded: "1\r\na\r0\r\n\r\n", fails: errChunkEnd},
		{section: "7.1", name: "more data than the size", encoded: "1\r\nab\r\n0\r\n\r\n", fails: errChunkEnd},
		{section: "7.1", name: "less data than the size", encoded: "3\r\na\r\n0\r\n\r\n", fails: errChunkEnd},
		{section: "7.1", name: "bare LF behind the last chunk", encoded: "0\n\r\n", fails: errChunkSize},
		{section: "7.1", name: "bare LF as the empty line", encoded: "0\r\n\n", fails: errFieldValue},
		{section: "7.1", name: "CR and no LF as the empty line", encoded: "0\r\n\rx", fails: errHeadEnd},

		{section: "7.1.1", name: "extensions", encoded: "1;a\r\nb\r\n1;c=d;e=\"f\"\r\ng\r\n0;h\r\n\r\n", body: "bg"},
		{section: "7.1.1", name: "bad white space", encoded: "1 \t;\ta = \"b\" ; c\t=d ;e ;f\r\ng\r\n0\r\n\r\n", body: "g"},
		{section: "7.1.1", name: "quoted pairs and whatever may be quoted", encoded: "1;a=\"\\\"\\\\;= \t\xe9\"\r\nb\r\n0\r\n\r\n", body: "b"},
		{section: "7.1.1", name: "empty quoted string", encoded: "1;a=\"\"\r\nb\r\n0\r\n\r\n", body: "b"},
		{section: "7.1.1", name: "no name", encoded: "1;\r\na\r\n0\r\n\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "value without name", encoded: "1;=a\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "no value", encoded: "1;a=\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "no value, and another", encoded: "1;a=;b\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "two values", encoded: "1;a=b=c\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "no token as value", encoded: "1;a=(;b\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "something behind a token", encoded: "1;a=b(;c\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "two names", encoded: "1;a b\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "white space at the end", encoded: "1;a \r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "white space at the end, behind a value", encoded: "1;a=b \r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "something behind a quoted string", encoded: "1;a=\"b\"c\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "quoted string across lines", encoded: "1;a=\"\r\nb\r\n0\r\n\r\n\"\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "escaped line end", encoded: "1;a=\"\\\n\"\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "bare LF in an extension", encoded: "1;a\nb\r\n", fails: errChunkExtension},
		{section: "7.1.1", name: "bare CR in an extension", encoded: "1;a\rb\r\n", fails: errChunkSize},
		{section: "7.1.1", name: "control in an extension", encoded: "1;a\x00\r\n", fails: errChunkExtension},

		{section: "7.1.2", name: "trailer", encoded: "1\r\na\r\n0\r\nServer-Timing: a\r\nx-sum:\tb \r\n\r\n", body: "a", trailer: "Server-Timing: a\r\nx-sum: b\r\n"},
		{section: "7.1.2", name: "trailer that is folded", encoded: "0\r\nA: b\r\n c\r\n\r\n", fails: errFieldFolded},
		{section: "7.1.2", name: "trailer with a space before the colon", encoded: "0\r\nA : b\r\n\r\n", fails: errFieldSpace},
		{section: "7.1.2", name: "trailer without colon", encoded: "0\r\nGET / HTTP/1.1\r\n\r\n", fails: errFieldSpace},
		{section: "7.1.2", name: "trailer with a bare LF", encoded: "0\r\nA: b\nC: d\r\n\r\n", fails: errFieldValue},
		{section: "7.1.2", name: "trailer with a bare CR", encoded: "0\r\nA: b\rC: d\r\n\r\n", fails: errFieldValue},
		{section: "7.1.2", name: "trailer with a NUL", encoded: "0\r\nA: \x00\r\n\r\n", fails: errFieldValue},
		{section: "9110 6.5.1", name: "fields that no trailer can supply", encoded: "0\r\nA: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\ntransfer_encoding: chunked\r\nHost: x\r\nAuthorization: x\r\nCookie: x\r\nSet-Cookie: x\r\nIf-Match: x\r\nConnection: close\r\nProxy-Authorization: x\r\nX-Forwarded-For: x\r\nX_Real_IP: x\r\nCache-Control: x\r\nContent-Type: x\r\nContent-Encoding: x\r\nLocation: x\r\nTrailer: x\r\nC: d\r\n\r\n", trailer: "A: b\r\nC: d\r\n"},
	} {
		t.Run(tc.section+" "+tc.name, func(t *testing.T) {
			const next = "GET / HTTP/1.1\r\n"
			encoded := []byte(tc.encoded + next)
			whole := decode(t, new(ChunkedReader), encoded)
			if tc.fails != nil {
				if !errors.Is(whole.err, tc.fails) {
					t.Fatalf("%v, want the error %v", whole, tc.fails)
				}
			} else {
				if want := (decoded{body: []byte(tc.body), size: len(tc.encoded), done: true, trailer: tc.trailer + "\r\n"}); whole.String() != want.String() {
					t.Fatalf("%v, want %v", whole, want)
				}
				decodesLikeNetHTTP(t, encoded, whole)
			}
			decodesAlikeHoweverItArrives(t, encoded, whole)
		})
	}
}

// decodesAlikeHoweverItArrives cuts a body in two at every place and into bytes.
func decodesAlikeHoweverItArrives(t *testing.T, encoded []byte, whole decoded) {
	t.Helper()
	c := new(ChunkedReader) // one for all: nothing is left from the body before
	for cut := range len(encoded) + 1 {
		if got := decode(t, c, encoded[:cut], encoded[cut:]); got.String() != whole.String() {
			t.Fatalf("cut at %d: %v, whole: %v", cut, got, whole)
		}
		c.Reset()
	}
	var bytewise [][]byte
	for i := range encoded {
		bytewise = append(bytewise, encoded[i:i+1])
	}
	if got := decode(t, c, bytewise...); got.String() != whole.String() {
		t.Fatalf("byte by byte: %v, whole: %v", got, whole)
	}
}

// spaceBehindSize is refused by net/http, although RFC 9112 §7.1.1 has recipients
// parse it before an extension.
var spaceBehindSize = regexp.MustCompile("(^|\r\n)[0-9a-fA-F]+[ \t]+;")

// decodesLikeNetHTTP compares a body that was accepted.
func decodesLikeNetHTTP(t *testing.T, encoded []byte, got decoded) {
	t.Helper()
	if spaceBehindSize.Match(encoded) {
		return
	}
	body, trailer, rest := readByNetHTTP(t, encoded)
	if !bytes.Equal(body, got.body) || rest != len(encoded)-got.size {
		t.Errorf("%v, net/http reads %q and leaves %d bytes", got, body, rest)
	}
	c := new(ChunkedReader)
	decode(t, c, encoded)
	sameHeader(t, trailerOf(c.Trailer()), trailer)
}

func TestExtensionsMayNotOutweighTheData(t *testing.T) {
	extension := func(n int) string { return ";" + strings.Repeat("a", n-1) }
	chunk := func(data, n int) string {
		return fmt.Sprintf("%x%s\r\n%s\r\n", data, extension(n), strings.Repeat("x", data))
	}
	for _, tc := range []struct {
		name, encoded string
		fails         *ParseError
	}{
		{"as much as allowed", "1" + extension(maxExtensionExcess-1) + "\r\na\r\n0\r\n\r\n", nil},
		{"one byte more", "1" + extension(maxExtensionExcess) + "\r\na\r\n0\r\n\r\n", errExtensionBytes},
		{"without end", "1" + extension(1<<20), errExtensionBytes},
		{"in tiny chunks", strings.Repeat(chunk(1, 100), 100), errExtensionBytes},
		{"in the last chunk", "0" + extension(1<<20), errExtensionBytes},
		{"with each chunk signed", strings.Repeat(chunk(1000, 90), 1000) + "0\r\n\r\n", nil},
		{"with data that came long before", chunk(100_000, 2) + strings.Repeat(chunk(1, 100), 100), errExtensionBytes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := decode(t, new(ChunkedReader), []byte(tc.encoded))
			if tc.fails == nil && !got.done || tc.fails != nil && !errors.Is(got.err, tc.fails) {
				t.Errorf("done %v, error %v, want the error %v", got.done, got.err, tc.fails)
			}
		})
	}
}

func TestNothingOfABodyIsLeftInTheNext(t *testing.T) {
	c := new(ChunkedReader)
	if got := decode(t, c, []byte("1;a\r\nb\r\n0\r\nA: b\r\n\r\n")); !got.done || len(c.Trailer()) != 1 {
		t.Fatalf("%v, want a trailer", got)
	}
	c.Reset()
	if n := len(c.Trailer()); n != 0 {
		t.Errorf("%d trailer fields are left", n)
	}
	if got := decode(t, c, []byte("x")); got.err == nil {
		t.Fatalf("%v, want an error", got)
	}
	c.Reset()
	if got := decode(t, c, []byte("0\r\n\r\n")); !got.done || len(c.Trailer()) != 0 {
		t.Errorf("%v, want no trailer", got)
	}
}

func TestTrailerSectionsAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name, encoded string
		fails         *ParseError
	}{
		{"as many fields as allowed", "0\r\n" + strings.Repeat("A: b\r\n", maxTrailerFields) + "\r\n", nil},
		{"one field more", "0\r\n" + strings.Repeat("A: b\r\n", maxTrailerFields+1) + "\r\n", errFieldCount},
		{"as many bytes as allowed", "0\r\nA: " + strings.Repeat("b", maxTrailerBytes-5) + "\r\n\r\n", nil},
		{"one byte more", "0\r\nA: " + strings.Repeat("b", maxTrailerBytes-4) + "\r\n\r\n", errTrailerBytes},
		{"line without end", "0\r\nA: " + strings.Repeat("b", 1<<20), errTrailerBytes},
		{"lines without end", "0\r\n" + strings.Repeat("A: b\r\n", 1<<16), errTrailerBytes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := decode(t, new(ChunkedReader), []byte(tc.encoded))
			if tc.fails == nil && !got.done || tc.fails != nil && !errors.Is(got.err, tc.fails) {
				t.Errorf("done %v, error %v, want the error %v", got.done, got.err, tc.fails)
			}
		})
	}
}
