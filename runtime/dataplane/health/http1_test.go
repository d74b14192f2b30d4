package health

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestTheStatusOfAnHTTP1AnswerIsFound(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		status       int
		want         string // part of the failure
	}{
		{"with a reason", "HTTP/1.1 200 OK\r\n\r\n", 200, ""},
		{"with a long reason", "HTTP/1.1 503 Service not available \xff\r\n", 503, ""},
		{"with an empty reason", "HTTP/1.1 204 \r\n\r\n", 204, ""},
		{"without a reason", "HTTP/1.1 204\r\n\r\n", 204, ""},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", 200, ""},
		{"line feed alone", "HTTP/1.1 200 OK\n\n", 200, ""},
		{"code of no class", "HTTP/1.1 999 Denied\r\n\r\n", 999, ""},
		{"after interim responses", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nX: " + strings.Repeat("y", 3*readerBytes) + "\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 201 Created\r\n", 201, ""},
		{"101 is final", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, ""},
		{"nothing", "", 0, "closed the connection without an answer"},
		{"nothing after an interim response", "HTTP/1.1 100 Continue\r\n\r\n", 0, "closed the connection without an answer"},
		{"an interim response that is cut off", "HTTP/1.1 100 Continue\r\nLink:", 0, "closed the connection without an answer"},
		{"a line that is cut off", "HTTP/1.1 200 OK", 0, "not HTTP/1"},
		{"HTTP/0.9", "<html>fine</html>\n", 0, "not HTTP/1"},
		{"HTTP/2", "\x00\x00\x12\x04\x00\x00\x00\x00\x00\n", 0, "not HTTP/1"},
		{"version 2 in words", "HTTP/2.0 200 OK\r\n\r\n", 0, "not HTTP/1"},
		{"lower case", "http/1.1 200 OK\r\n\r\n", 0, "not HTTP/1"},
		{"two digits", "HTTP/1.1 99 \r\n\r\n", 0, "not HTTP/1"},
		{"four digits", "HTTP/1.1 2000 OK\r\n\r\n", 0, "not HTTP/1"},
		{"below all classes", "HTTP/1.1 099 OK\r\n\r\n", 0, "not HTTP/1"},
		{"signed", "HTTP/1.1 +20 OK\r\n\r\n", 0, "not HTTP/1"},
		{"two spaces", "HTTP/1.1  200 OK\r\n\r\n", 0, "not HTTP/1"},
		{"an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "not HTTP/1"},
		{"a line without end", "HTTP/1.1 200 " + strings.Repeat("O", readerBytes), 0, "not HTTP/1"},
		{"interim responses without end", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", maxAnswerBytes/20), 0, "more than 65536 bytes"},
		{"an interim header without end", "HTTP/1.1 100 Continue\r\n" + strings.Repeat("x", 2*maxAnswerBytes), 0, "more than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, err := statusIn([]byte(tc.answer))
			if status != tc.status {
				t.Errorf("status %d, want %d", status, tc.status)
			}
			wantOutcome(t, err, tc.want)
		})
	}
}

func statusIn(answer []byte) (int, error) {
	return readStatus(bufio.NewReaderSize(&bounded{bytes.NewReader(answer), maxAnswerBytes}, readerBytes))
}

func TestAnHTTP1RequestIsWrittenAsConfigured(t *testing.T) {
	for _, tc := range []struct{ name, host, want string }{
		{"host of the member", "", "10.0.0.7:8080"},
		{"host of the check", "app.test", "app.test"},
	} {
		c := check(lb.HealthHTTP)
		c.Path, c.Host = "/a%2Fb/../c?d", tc.host
		w := &Watch{target: Target{Address: "10.0.0.7:8080", Check: c}}
		want := "GET /a%2Fb/../c?d HTTP/1.1\r\nHost: " + tc.want + "\r\nUser-Agent: auditlb-health/1\r\nAccept: */*\r\nConnection: close\r\n\r\n"
		if got := string(w.appendRequest(nil)); got != want {
			t.Errorf("%s: the request is %q, want %q", tc.name, got, want)
		}
	}
}

func FuzzReadStatus(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.0 404\n", "HTTP/1.1 100 \r\n", "HTTP/2 200\r\n", "\x00\x00\x00\x04",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		status, err := statusIn(answer)
		if (err == nil) != (status >= 100 && status <= 999) || err == nil && status/100 == 1 && status != 101 {
			t.Errorf("status %d, %v", status, err)
		}
	})
}

func TestABoundedReaderFailsInPlaceOfEnding(t *testing.T) {
	b := &bounded{strings.NewReader("abcdef"), 4}
	got, err := io.ReadAll(b)
	if string(got) != "abcd" || !errors.Is(err, errTooLong) {
		t.Errorf("read %q, %v", got, err)
	}
}
