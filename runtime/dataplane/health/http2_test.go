package health

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// frames writes what a member sends.
func frames(write func(*script)) []byte {
	s := &script{}
	s.Framer = http2.NewFramer(&s.out, nil)
	s.AllowIllegalWrites = true
	s.encoder = hpack.NewEncoder(&s.block)
	write(s)
	return s.out.Bytes()
}

type script struct {
	*http2.Framer
	out, block bytes.Buffer
	encoder    *hpack.Encoder
}

// header writes a header or trailer of pairs of name and value.
func (s *script) header(id uint32, end bool, pairs ...string) {
	s.block.Reset()
	for i := 0; i < len(pairs); i += 2 {
		s.encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	s.WriteHeaders(http2.HeadersFrameParam{StreamID: id, EndStream: end, EndHeaders: true, BlockFragment: s.block.Bytes()})
}

// played is a connection to a member that sends what it is given, whatever it hears.
type played struct {
	net.Conn
	answer  *bytes.Reader
	heard   bytes.Buffer
	partsBy time.Time // when reading ends
}

func (p *played) Read(b []byte) (int, error)        { return p.answer.Read(b) }
func (p *played) Write(b []byte) (int, error)       { return p.heard.Write(b) }
func (p *played) SetReadDeadline(t time.Time) error { p.partsBy = t; return nil }

func askPlayed(kind lb.HealthCheckType, answer []byte) (*played, error) {
	c := check(kind)
	c.Service = "app.v1.App"
	w := NewChecker(0).Watch(Target{Address: "10.0.0.7:8080", HTTPVersion: lb.HTTP2, Check: c}, true, ignore)
	w.Stop()
	p := &played{answer: bytes.NewReader(answer)}
	if kind == lb.HealthGRPC {
		return p, w.askGRPC(p)
	}
	return p, w.askHTTP2(p)
}

func TestTheStatusOfAnHTTP2AnswerIsFound(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer []byte
		want   string
	}{
		{"header alone", frames(func(s *script) { s.WriteSettings(); s.header(1, true, ":status", "200") }), ""},
		{"header and body", frames(func(s *script) {
			s.header(1, false, ":status", "204")
			s.WriteData(1, true, []byte("fine"))
		}), ""},
		{"header in parts", frames(func(s *script) {
			s.block.Reset()
			s.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "204"})
			b := s.block.Bytes()
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, BlockFragment: b[:1]})
			s.WriteContinuation(1, true, b[1:])
		}), ""},
		{"after interim responses", frames(func(s *script) {
			s.header(1, false, ":status", "103", "link", "<a>")
			s.header(1, true, ":status", "404")
		}), "answered status 404"},
		{"of a member that is shutting down", frames(func(s *script) {
			s.WriteGoAway(1, http2.ErrCodeNo, nil)
			s.header(1, true, ":status", "200")
		}), ""},
		{"after an unknown frame", frames(func(s *script) {
			s.WriteRawFrame(0xfe, 0, 0, []byte("grease"))
			s.WriteWindowUpdate(0, 1000)
			s.header(1, true, ":status", "200")
		}), ""},
		{"nothing", nil, "closed the connection without an answer"},
		{"HTTP/1", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "not HTTP/2"},
		{"cut off", frames(func(s *script) { s.header(1, true, ":status", "200") })[:9], "closed the connection without an answer"},
		{"no status", frames(func(s *script) { s.header(1, true, "server", "x") }), "answered status 0"},
		{"a status that is no number", frames(func(s *script) { s.header(1, true, ":status", "fine") }), "answered status 0"},
		{"only data", frames(func(s *script) { s.WriteData(1, true, []byte("fine")) }), "without a status"},
		{"only interim responses", frames(func(s *script) {
			for range maxAnswerBytes {
				s.header(1, false, ":status", "100")
			}
		}), "more than 65536 bytes"},
		{"refused", frames(func(s *script) { s.WriteRSTStream(1, http2.ErrCodeRefusedStream) }), "refused the request: REFUSED_STREAM"},
		{"the connection refused", frames(func(s *script) { s.WriteGoAway(0, http2.ErrCodeNo, nil) }), "ended the connection"},
		{"the connection broken off", frames(func(s *script) { s.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, nil) }), "ended the connection: ENHANCE_YOUR_CALM"},
		{"another stream", frames(func(s *script) { s.header(3, true, ":status", "200") }), "broke HTTP/2"},
		{"a push", frames(func(s *script) {
			s.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, EndHeaders: true})
		}), "broke HTTP/2"},
		{"a header that is too large", frames(func(s *script) {
			s.header(1, true, ":status", "200", "x", strings.Repeat("y", maxHeaderBytes-100), "z", strings.Repeat("y", 100))
		}), "broke HTTP/2"},
		{"a frame that is too large", frames(func(s *script) { s.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, maxHeaderBytes+1)) }), "not HTTP/2"},
		{"a header that does not decode", frames(func(s *script) {
			s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0xff, 0xff, 0xff}})
		}), "not HTTP/2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := askPlayed(lb.HealthHTTP, tc.answer)
			wantOutcome(t, err, tc.want)
		})
	}
}

func TestTheRestOfAnAnswerIsTakenInWithinBounds(t *testing.T) {
	const many = 100 // frames of 4 KiB, of which 16 are read
	for _, tc := range []struct {
		name  string
		parts int
		left  bool
	}{
		{"an answer that ends", 8, false},
		{"an answer without end", many, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := askPlayed(lb.HealthHTTP, frames(func(s *script) {
				s.header(1, false, ":status", "200")
				for i := range tc.parts {
					s.WriteData(1, i == tc.parts-1, make([]byte, 4<<10))
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			if left := p.answer.Len() > 0; left != tc.left {
				t.Errorf("%d bytes were not read", p.answer.Len())
			}
			if wait := time.Until(p.partsBy); wait > partingTime || p.partsBy.IsZero() {
				t.Errorf("the member may take until %s", p.partsBy)
			}
		})
	}
}

func TestSettingsAndPingsAreAcknowledged(t *testing.T) {
	ping := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	p, err := askPlayed(lb.HealthHTTP, frames(func(s *script) {
		s.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
		s.WriteSettingsAck()
		s.WritePing(true, [8]byte{9})
		s.WritePing(false, ping)
		s.header(1, true, ":status", "200")
	}))
	if err != nil {
		t.Fatal(err)
	}
	preface := p.heard.Next(len(http2.ClientPreface))
	if string(preface) != http2.ClientPreface {
		t.Errorf("the preface is %q", preface)
	}
	framer := http2.NewFramer(io.Discard, &p.heard)
	var acks []string
	for {
		frame, err := framer.ReadFrame()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if f.IsAck() {
				acks = append(acks, "settings")
			}
		case *http2.PingFrame:
			if f.IsAck() && f.Data == ping {
				acks = append(acks, "ping")
			}
		}
	}
	if got := strings.Join(acks, " "); got != "settings ping" {
		t.Errorf("acknowledged %q", got)
	}
}

// FuzzHTTP2Answer looks for an answer that a probe does not come to an end with.
func FuzzHTTP2Answer(f *testing.F) {
	f.Add(frames(func(s *script) {
		s.WriteSettings()
		s.WritePing(false, [8]byte{})
		s.header(1, false, ":status", "200")
		s.WriteData(1, false, []byte("\x00\x00\x00\x00\x02\x08\x01"))
		s.header(1, true, "grpc-status", "0")
	}))
	f.Add(frames(func(s *script) { s.WriteGoAway(1, http2.ErrCodeNo, []byte("bye")); s.header(1, true, ":status", "503") }))
	f.Fuzz(func(_ *testing.T, answer []byte) {
		askPlayed(lb.HealthHTTP, answer)
		askPlayed(lb.HealthGRPC, answer)
	})
}
