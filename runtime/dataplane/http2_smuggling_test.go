package dataplane_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestWhatHTTP2CarriesBecomesOneRequestOfHTTP1(t *testing.T) {
	const refused = "400 or reset"
	get := func(fields ...string) []string { return append(slices.Clone(plainGet), fields...) }
	pseudo := func(method, authority, path string) []string {
		return []string{":method: " + method, ":scheme: http", ":authority: " + authority, ":path: " + path}
	}
	for _, tc := range []struct {
		name    string
		section string // of RFC 9113, unless it says otherwise
		fields  []string
		body    string // data; the stream ends with the head if there is none
		want    string // what the member gets, or refused
	}{
		{"GET", "8.3.1", get(), "", "GET /"},
		{"body", "8.1", pseudo("POST", "a", "/"), "body", "POST / body"},
		{"body and its length", "8.1.1", append(pseudo("POST", "a", "/"), "content-length: 4"), "body", "POST / body"},
		{"body of GET", "8.1", get(), "body", "GET / body"},
		{"OPTIONS *", "8.3.1", pseudo("OPTIONS", "a", "*"), "", "OPTIONS *"},
		{"query", "8.3.1", pseudo("GET", "a", "/a%2Fb?c=d&e"), "", "GET /a%2Fb?c=d&e"},

		{"two lengths", "8.1.1", append(pseudo("POST", "a", "/"), "content-length: 4", "content-length: 4"), "body", refused},
		{"length that is no number", "8.1.1", append(pseudo("POST", "a", "/"), "content-length: +4"), "body", refused},
		{"list of lengths", "8.1.1", append(pseudo("POST", "a", "/"), "content-length: 4, 4"), "body", refused},
		{"empty length", "8.1.1", append(pseudo("POST", "a", "/"), "content-length: "), "body", refused},
		{"transfer-encoding", "8.2.2", append(pseudo("POST", "a", "/"), "transfer-encoding: chunked"), "0\r\n\r\n" + wire(smuggled), refused},
		{"transfer_encoding", "8.2.2", append(pseudo("POST", "a", "/"), "transfer_encoding: chunked"), "body", "POST / body"},
		{"content_length", "8.2.2", append(pseudo("POST", "a", "/"), "content_length: 1"), "body", "POST / body"},
		{"connection", "8.2.2", get("connection: keep-alive"), "", refused},
		{"upgrade", "8.2.2", get("upgrade: h2c"), "", refused},
		{"te", "8.2.2", get("te: gzip"), "", refused},
		{"te of trailers", "8.2.2", get("te: trailers"), "", "GET /"},

		{"space in the method", "9.1 of RFC 9110", pseudo("GET /smuggled HTTP/1.1", "a", "/"), "", refused},
		{"CRLF in the method", "8.2.1", pseudo("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "a", "/smuggled"), "", refused},
		{"colon in the method", "9.1 of RFC 9110", pseudo("GET:", "a", "/"), "", refused},
		{"no method", "8.3.1", []string{":scheme: http", ":authority: a", ":path: /"}, "", refused},
		{"two methods", "8.3", append([]string{":method: GET"}, plainGet...), "", refused},
		{"CONNECT", "8.5", []string{":method: CONNECT", ":authority: a:443"}, "", "405"},
		{"CONNECT of a path", "8.5", pseudo("CONNECT", "a:443", "/"), "", refused},
		{"CONNECT of a protocol", "4 of RFC 8441", append(pseudo("CONNECT", "a", "/"), ":protocol: websocket"), "", refused},

		{"space in the path", "3.2 of RFC 9112", pseudo("GET", "a", "/ HTTP/1.1"), "", refused},
		{"request in the path", "3.2 of RFC 9112", pseudo("GET", "a", "/ HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled"), "", refused},
		{"tab in the path", "3.2 of RFC 9112", pseudo("GET", "a", "/\tx"), "", refused},
		{"fragment in the path", "3.2 of RFC 9112", pseudo("GET", "a", "/x#y"), "", refused},
		{"byte above ASCII in the path", "3.2 of RFC 9112", pseudo("GET", "a", "/\xff"), "", refused},
		{"escape that is none", "2.1 of RFC 3986", pseudo("GET", "a", "/%zz"), "", refused},
		{"absolute form in the path", "8.3.1", pseudo("GET", "a", "http://b/smuggled"), "", refused},
		{"path without a slash", "8.3.1", pseudo("GET", "a", "smuggled"), "", refused},
		{"empty path", "8.3.1", pseudo("GET", "a", ""), "", refused},
		{"asterisk of GET", "8.3.1", pseudo("GET", "a", "*"), "", refused},
		{"path that begins like an authority", "8.3.1", pseudo("GET", "a", "//b/c"), "", "GET //b/c"},

		{"space in the authority", "8.3.1", pseudo("GET", "a b", "/"), "", refused},
		{"CRLF in the authority", "8.3.1", pseudo("GET", "a\r\nX: y", "/"), "", refused},
		{"quotation mark in the authority", "8.3.1", pseudo("GET", `a";for=6.6.6.6`, "/"), "", refused},
		{"path in the authority", "8.3.1", pseudo("GET", "a/b", "/"), "", refused},
		{"comma in the authority", "8.3.1", pseudo("GET", "a,b", "/"), "", refused},
		{"userinfo in the authority", "8.3.1", pseudo("GET", "user@a", "/"), "", refused},
		{"port that is none", "8.3.1", pseudo("GET", "a:x", "/"), "", refused},
		{"no authority", "8.3.1", []string{":method: GET", ":scheme: http", ":path: /"}, "", refused},
		{"Host instead of the authority", "8.3.1", []string{":method: GET", ":scheme: http", ":path: /", "host: a"}, "", "GET /"},
		{"Host besides the authority", "8.3.1", get("host: a"), "", "GET /"},
		{"another Host besides the authority", "8.3.1", get("host: b"), "", refused},
		{"two Hosts", "8.3.1", get("host: a", "host: a"), "", refused},

		{"upper case in a name", "8.2.1", get("X-Upper: y"), "", refused},
		{"space in a name", "8.2.1", get("x y: z"), "", refused},
		{"CRLF in a name", "8.2.1", get("x\r\ny: z"), "", refused},
		{"CRLF in a value", "8.2.1", get("x: y\r\nTransfer-Encoding: chunked"), "", refused},
		{"LF in a value", "8.2.1", get("x: y\nz: w"), "", refused},
		{"CR in a value", "8.2.1", get("x: y\rz"), "", refused},
		{"NUL in a value", "8.2.1", get("x: \x00"), "", refused},
		{"pseudo-field behind the others", "8.3", append([]string{":method: GET", ":scheme: http", ":authority: a", "x: y"}, ":path: /"), "", refused},
		{"pseudo-field that nobody knows", "8.3", get(":x: y"), "", refused},
		{"pseudo-field of responses", "8.3", append([]string{":status: 200"}, plainGet...), "", refused},
		{"expectation that nobody knows", "10.1.1 of RFC 9110", get("expect: the unexpected"), "", "GET /"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := record(t, repeat)
			e := multiplexed(t, pool(members("a", m.address)), nil)
			f := dialFrames(t, address(t, e, "h2c"))
			f.request(1, tc.body == "", tc.fields...)
			if tc.body != "" {
				f.WriteData(1, true, []byte(tc.body))
			}
			got := f.result(1)
			switch {
			case tc.want == refused:
				if !strings.HasPrefix(got, "400") && !strings.HasPrefix(got, "reset") && !strings.HasPrefix(got, "goaway") {
					t.Errorf("the client got %q, want a refusal", got)
				}
			case tc.want[0] == '4':
				if !strings.HasPrefix(got, tc.want) {
					t.Errorf("the client got %q, want %s", got, tc.want)
				}
			case got != "200 "+tc.want:
				t.Errorf("the client got %q, want 200 %s", got, tc.want)
			}
			f.conn.Close()
			e.Shutdown(t.Context())
			err := m.wait(t)
			if refusedOne := tc.want == refused; err != nil && (!refusedOne || !errors.Is(err, io.ErrUnexpectedEOF)) {
				t.Errorf("the member got %v", err)
			}
			want := "[" + tc.want + "]"
			if tc.want == refused || tc.want[0] == '4' {
				want = "[]"
			}
			if got := fmt.Sprint(m.got()); got != want {
				t.Errorf("the member got %s, want %s", got, want)
			}
		})
	}
}

func TestALengthThatLiesMakesNoSecondRequest(t *testing.T) {
	for _, tc := range []struct {
		name, length, body string
		whole              bool // without a body, so it may be on its way before the lie shows
	}{
		{"too short", "4", "body" + wire(smuggled), false},
		{"none", "0", wire(smuggled), true},
		{"too long", "40", "body", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := record(t, repeat)
			e := multiplexed(t, pool(members("a", m.address)), nil)
			f := dialFrames(t, address(t, e, "h2c"))
			f.request(1, false, ":method: POST", ":scheme: http", ":authority: a", ":path: /", "content-length: "+tc.length)
			f.WriteData(1, true, []byte(tc.body))
			if got := f.result(1); !tc.whole && !strings.HasPrefix(got, "reset") && !strings.HasPrefix(got, "4") {
				t.Errorf("the client got %q, want a refusal", got)
			}
			f.conn.Close()
			e.Shutdown(t.Context())
			if err := m.wait(t); !tc.whole && err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the member got %v", err)
			}
			if got := fmt.Sprint(m.got()); got != "[]" && (!tc.whole || got != "[POST /]") {
				t.Errorf("the member got %s, want nothing but a whole request", got)
			}
		})
	}
}
