package http1

import "testing"

func TestWhatIsAppendedIsWhatTheStandardSays(t *testing.T) {
	for _, tc := range []struct{ name, got, want string }{
		{"request line", string(AppendRequestLine([]byte("x"), "GET", []byte("/a"))), "xGET /a HTTP/1.1\r\n"},
		{"status line", string(AppendStatusLine(nil, 404, []byte("Nope"))), "HTTP/1.1 404 Nope\r\n"},
		{"status line with the usual reason", string(AppendStatusLine(nil, 404, "")), "HTTP/1.1 404 Not Found\r\n"},
		{"status line without a usual reason", string(AppendStatusLine(nil, 599, "")), "HTTP/1.1 599 \r\n"},
		{"field", string(AppendField(nil, "A", []byte("b"))), "A: b\r\n"},
		{"empty field", string(AppendField(nil, []byte("A"), "")), "A: \r\n"},
		{"length", string(AppendContentLength(nil, 9223372036854775807)), "Content-Length: 9223372036854775807\r\n"},
		{"chunk", string(AppendChunkSize(nil, 0x1f)), "1f\r\n"},
		{"last chunk", string(AppendLastChunk(nil, nil)), "0\r\n\r\n"},
		{"trailer", string(AppendLastChunk(nil, []Field{{Name: []byte("A"), Value: []byte("b")}})), "0\r\nA: b\r\n\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.got != tc.want {
				t.Errorf("appended %q, want %q", tc.got, tc.want)
			}
		})
	}
}
