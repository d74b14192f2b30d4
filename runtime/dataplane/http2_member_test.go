package dataplane_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// framing starts a member that speaks HTTP/2 with prior knowledge and answers each
// stream by a script.
func framing(t *testing.T, answer func(f *frames, stream uint32)) string {
	return scripted(t, func(conn io.ReadWriter, r *bufio.Reader) {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(r, preface); err != nil || string(preface) != http2.ClientPreface {
			return
		}
		f := newFrames(conn.(net.Conn), r)
		f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			case *http2.MetaHeadersFrame:
				answer(f, frame.StreamID)
			}
		}
	})
}

func TestAMemberOfHTTP2IsNeverBelieved(t *testing.T) {
	const failed = "502 the member failed"
	for _, tc := range []struct {
		name, section string // of RFC 9113
		fields        []string
		body          string
		reset         bool // behind the body
		want          string
	}{
		{"plain", "8.3.2", []string{":status: 200"}, "body", false, "200 body"},
		{"with its length", "8.1.1", []string{":status: 200", "content-length: 4"}, "body", false, "200 body"},
		{"without content", "8.1", []string{":status: 204"}, "", false, "204"},
		{"interim only", "8.1", []string{":status: 103"}, "", false, failed},
		{"no status", "8.3.2", []string{"x: y"}, "body", false, failed},
		{"status that is no number", "8.3.2", []string{":status: ok"}, "body", false, failed},
		{"status of two digits", "8.3.2", []string{":status: 20"}, "body", false, failed},
		{"status of four digits", "8.3.2", []string{":status: 2000"}, "body", false, failed},
		{"negative status", "8.3.2", []string{":status: -200"}, "body", false, failed},
		{"status 600", "15 of RFC 9110", []string{":status: 600"}, "body", false, failed},
		{"status 101", "8.6", []string{":status: 101", "upgrade: websocket"}, "", false, failed},
		{"CRLF in a value", "8.2.1", []string{":status: 200", "x: y\r\nz: w"}, "body", false, failed},
		{"space in a name", "8.2.1", []string{":status: 200", "x y: z"}, "body", false, failed},
		{"upper case in a name", "8.2.1", []string{":status: 200", "X: y"}, "body", false, failed},
		{"fields of a connection", "8.2.2", []string{":status: 200", "connection: close, x-mine", "keep-alive: 5", "upgrade: h2c", "proxy-connection: close", "transfer-encoding: chunked"}, "body", false, "200 body"},
		{"reset", "8.7", []string{":status: 200"}, "half", true, "cut"},
		{"body shorter than its length", "8.1.1", []string{":status: 200", "content-length: 9"}, "body", false, "cut"},
		{"body longer than its length", "8.1.1", []string{":status: 200", "content-length: 2"}, "body", false, "200 bo"},
		{"large field", "10.5.1", []string{":status: 200", "x: " + strings.Repeat("y", 300<<10)}, "body", false, failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := framing(t, func(f *frames, stream uint32) {
				block, flags := f.encode(tc.fields...), tc.body == ""
				first := block[:min(len(block), 16<<10)]
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndStream: flags, EndHeaders: len(first) == len(block)})
				for rest := block[len(first):]; len(rest) > 0; {
					piece := rest[:min(len(rest), 16<<10)]
					rest = rest[len(piece):]
					f.WriteContinuation(stream, len(rest) == 0, piece)
				}
				if tc.body != "" {
					f.WriteData(stream, !tc.reset, []byte(tc.body))
				}
				if tc.reset {
					f.WriteRSTStream(stream, http2.ErrCodeInternal)
				}
			})
			p := pool(members("a", m))
			p.HTTPVersion = lb.HTTP2
			e := newEngine(t, dataplane.Options{})
			e.Apply(simple(1, p))
			conn := dial(t, address(t, e, "web"))
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			r := bufio.NewReader(conn)
			head := readHead(t, r)
			if got := finalAnswer(bufio.NewReader(io.MultiReader(strings.NewReader(head), r)), "GET"); got != tc.want {
				t.Errorf("the client got %q, want %q", got, tc.want)
			}
			for _, name := range []string{"Connection", "Keep-Alive", "Upgrade", "Proxy-Connection"} {
				if got := fieldOf(head, name); got != "-" {
					t.Errorf("the client got %s: %s", name, got)
				}
			}
		})
	}
}

func TestAStreamThatWasNotLookedAtIsSentAgain(t *testing.T) {
	first := true
	m := framing(t, func(f *frames, stream uint32) {
		if first {
			first = false
			f.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
			return
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.encode(":status: 200", "content-length: 2"), EndHeaders: true})
		f.WriteData(stream, true, []byte("ok"))
	})
	p := pool(members("a", m))
	p.HTTPVersion = lb.HTTP2
	e := newEngine(t, dataplane.Options{})
	e.Apply(simple(1, p))
	wantGet(t, newClient(t), "http://"+address(t, e, "web"), 200, "ok")
}
