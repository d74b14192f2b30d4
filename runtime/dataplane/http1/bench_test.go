package http1

import (
	"strings"
	"testing"
)

// Heads as clients and members send them.
var (
	curlHead = head("GET / HTTP/1.1", "Host: www.example.com", "User-Agent: curl/8.14.1", "Accept: */*")

	browserHead = head(
		"GET /products/lamps?category=desk&sort=price&page=2 HTTP/1.1",
		"Host: shop.example.com",
		"Connection: keep-alive",
		"Cache-Control: max-age=0",
		`sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`,
		"sec-ch-ua-mobile: ?0",
		`sec-ch-ua-platform: "Linux"`,
		"DNT: 1",
		"Upgrade-Insecure-Requests: 1",
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
		"Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: navigate",
		"Sec-Fetch-User: ?1",
		"Sec-Fetch-Dest: document",
		"Referer: https://shop.example.com/products/lamps?category=desk",
		"Accept-Encoding: gzip, deflate, br, zstd",
		"Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
		"Cookie: session="+strings.Repeat("0123456789abcdef", 8)+"; consent=yes; theme=dark; cart=3f2a9c; _analytics=GA1.2.1234567890.1700000000",
		`If-None-Match: W/"5d8c72a5edda8d6a"`,
		"Priority: u=0, i",
	)

	memberHead = head("HTTP/1.1 200 OK", "Server: nginx", "Date: Mon, 06 Oct 2025 10:00:00 GMT", "Content-Type: text/html; charset=utf-8", "Content-Length: 612", "Connection: keep-alive", `ETag: "68e3a1b0-264"`)

	chunkedBody = "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n5;a=b\r\nhello\r\n0\r\nServer-Timing: db;dur=5\r\n\r\n"
)

func TestNothingIsAllocatedForAMessage(t *testing.T) {
	var (
		request  Request
		response Response
		chunked  ChunkedReader
		out      = make([]byte, 0, 64<<10)
		get      = []byte("GET")
		body     = []byte(chunkedBody)
		badBody  = []byte("1\n")
	)
	parse := func(head string) func() {
		buf := []byte(head)
		return func() {
			if HeadEnd(buf, 0) != len(buf) {
				t.Error("the head does not end where it should")
			}
			_ = request.Parse(buf, Limits{})
			_ = response.Parse(buf, get, Limits{})
		}
	}
	for name, f := range map[string]func(){
		"curl":            parse(curlHead),
		"browser":         parse(browserHead),
		"member":          parse(memberHead),
		"IPv6":            parse(head("GET http://[2001:db8::1]:80/ HTTP/1.1", "Host: [2001:db8::1]:80")),
		"nominated":       parse(head("GET / HTTP/1.1", "Host: a", "Connection: a, b, upgrade", "A: b", "Upgrade: c")),
		"malformed":       parse(head("GET / HTTP/1.1", "Host: a b")),
		"too many fields": parse(head("GET / HTTP/1.1" + strings.Repeat("\r\nA: b", DefaultMaxFields+1))),
		"unknown coding":  parse(head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked")),
		"chunked": func() {
			chunked.Reset()
			for rest := body; ; {
				_, n, done, err := chunked.Next(rest)
				if rest = rest[n:]; done || err != nil {
					break
				}
			}
			if len(chunked.Trailer()) != 1 {
				t.Error("no trailer")
			}
		},
		"chunked that fails": func() {
			chunked.Reset()
			_, _, _, _ = chunked.Next(badBody)
		},
		"writing": func() {
			out = AppendRequestLine(out[:0], get, "/a")
			out = AppendStatusLine(out, 200, "")
			out = AppendField(out, "A", get)
			out = AppendContentLength(out, 1<<40)
			out = AppendChunkSize(out, 1<<20)
			out = AppendLastChunk(out, request.Fields)
			out = request.AppendTarget(out)
		},
		"names": func() {
			if IDOf("X-Forwarded-For") != XForwardedFor || !ValidFieldName("a") || !ValidFieldValue(get) || !ValidAuthority("a:1") {
				t.Error("names are not what they should be")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func benchmarkRequest(b *testing.B, head string) {
	buf := []byte(head)
	var r Request
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if HeadEnd(buf, 0) != len(buf) {
			b.Fatal("the head does not end where it should")
		}
		if err := r.Parse(buf, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRequest finds the end of a head and parses it.
func BenchmarkRequest(b *testing.B) {
	b.Run("curl", func(b *testing.B) { benchmarkRequest(b, curlHead) })
	b.Run("browser", func(b *testing.B) { benchmarkRequest(b, browserHead) })
}

func BenchmarkResponse(b *testing.B) {
	buf, get := []byte(memberHead), []byte("GET")
	var r Response
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if HeadEnd(buf, 0) != len(buf) {
			b.Fatal("the head does not end where it should")
		}
		if err := r.Parse(buf, get, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeadEnd(b *testing.B) {
	buf := []byte(browserHead)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		HeadEnd(buf, 0)
	}
}

func BenchmarkChunked(b *testing.B) {
	buf := []byte(chunkedBody)
	var c ChunkedReader
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		c.Reset()
		for rest := buf; len(rest) > 0; {
			_, n, _, err := c.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}
