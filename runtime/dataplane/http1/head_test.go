package http1

import (
	"fmt"
	"strings"
	"testing"
)

func TestAHeadEndsAtItsEmptyLineOrAtABareLF(t *testing.T) {
	for _, tc := range []struct {
		name, buf string
		want      int // -1 for none
	}{
		{"nothing", "", -1},
		{"part of a line", "GET / HT", -1},
		{"one line", "GET / HTTP/1.1\r\n", -1},
		{"empty line cut off", "GET / HTTP/1.1\r\n\r", -1},
		{"least head", "GET / HTTP/1.1\r\n\r\n", 18},
		{"body behind it", "GET / HTTP/1.1\r\n\r\nbody\r\n\r\n", 18},
		{"fields", "A\r\nB: c\r\nD: e\r\n\r\n", 17},
		{"leading empty lines", "\r\n\r\nA\r\n\r\nx", 9},
		{"only empty lines", "\r\n\r\n", -1},
		{"as many as may lead", strings.Repeat("\r\n", maxEmptyLines), -1},
		{"one more", strings.Repeat("\r\n", maxEmptyLines+1), 2*maxEmptyLines + 2},
		{"bare LF at once", "\nA", 1},
		{"bare LF behind leading empty lines", "\r\n\nA", 3},
		{"bare LF behind the first line", "A\nB: c\r\n", 2},
		{"bare LF as empty line", "A\r\n\n", 4},
		{"bare LF behind a field", "A\r\nB: c\nD", 8},
		{"two CR before LF do not end a head", "A\r\r\n", -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := HeadEnd([]byte(tc.buf), 0); got != tc.want {
				t.Fatalf("the head ends at %d, want %d", got, tc.want)
			}
			endsAlikeHoweverItArrives(t, []byte(tc.buf))
		})
	}
}

func TestWhatWasSearchedIsNotSearchedAgain(t *testing.T) {
	if got := HeadEnd([]byte("A\n\nB: c\r\n"), 3); got != -1 {
		t.Errorf("the head ends at %d, before the bytes that are new", got)
	}
}

// endsAlikeHoweverItArrives holds that bytes that come one by one end a head where
// they do when they come at once, and not before.
func endsAlikeHoweverItArrives(t *testing.T, buf []byte) {
	t.Helper()
	want := HeadEnd(buf, 0)
	for n := range len(buf) + 1 {
		from := max(0, n-1)
		got := HeadEnd(buf[:n], from)
		if got >= 0 {
			if got != want || got != n {
				t.Fatalf("with %d of %d bytes the head ends at %d, want %d", n, len(buf), got, want)
			}
			return
		}
		if n == len(buf) && want >= 0 {
			t.Fatalf("byte by byte the head never ends, want %d", want)
		}
	}
}

func TestABareLFInAHeadIsAlwaysRefused(t *testing.T) {
	whole := "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"
	for i := range whole {
		if whole[i] != '\r' {
			continue
		}
		buf := []byte(whole[:i] + whole[i+1:])
		n := HeadEnd(buf, 0)
		if n < 0 {
			t.Errorf("without the CR at %d the head never ends", i)
			continue
		}
		if err := new(Request).Parse(buf[:n], Limits{}); err == nil {
			t.Errorf("without the CR at %d the head is accepted", i)
		}
	}
}

func TestHeadsAreBounded(t *testing.T) {
	fields := func(n int) string {
		return "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", n-1) + "\r\n"
	}
	long := "GET /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, tc := range []struct {
		name, head string
		lim        Limits
		want       int // the status, 0 for accepted
	}{
		{"as many bytes as allowed", long, Limits{MaxHeadBytes: len(long)}, 0},
		{"one byte more", long, Limits{MaxHeadBytes: len(long) - 1}, 431},
		{"the target alone is more", long, Limits{MaxHeadBytes: 100}, 414},
		{"as many fields as allowed", fields(5), Limits{MaxFields: 5}, 0},
		{"one field more", fields(6), Limits{MaxFields: 5}, 431},
		{"as many fields as by default", fields(DefaultMaxFields), Limits{}, 0},
		{"one field more than by default", fields(DefaultMaxFields + 1), Limits{}, 431},
		{"more bytes than by default", fmt.Sprintf("GET / HTTP/1.1\r\nA: %s\r\n\r\n", strings.Repeat("b", DefaultMaxHeadBytes)), Limits{}, 431},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r Request
			if got := refusal(t, r.Parse([]byte(tc.head), tc.lim)); got != tc.want {
				t.Errorf("refused with %d, want %d", got, tc.want)
			}
			response := strings.Replace(tc.head, "GET / HTTP/1.1", "HTTP/1.1 200 OK", 1)
			if response == tc.head || len(response) != len(tc.head)+1 {
				return
			}
			lim := tc.lim
			if lim.MaxHeadBytes > 0 {
				lim.MaxHeadBytes++
			}
			if refused := refusal(t, new(Response).Parse([]byte(response), []byte("GET"), lim)) != 0; refused != (tc.want != 0) {
				t.Errorf("as a response it is refused: %v", refused)
			}
		})
	}
}

func TestTooLargeTellsTheTargetFromTheFields(t *testing.T) {
	for buf, want := range map[string]int{
		"GET /aaaa":                    414,
		"\r\nGET /aaaa":                414,
		"":                             414,
		"GET / HTTP/1.1\r\nA: b":       431,
		"\r\n\r\nGET / HTTP/1.1\r\nA:": 431,
	} {
		if got := TooLarge([]byte(buf)).Status; got != want {
			t.Errorf("%q is refused with %d, want %d", buf, got, want)
		}
	}
}
