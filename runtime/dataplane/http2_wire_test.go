package dataplane_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// frames is an end of an HTTP/2 connection that sends whatever it is told to.
type frames struct {
	*http2.Framer
	conn  io.Closer
	head  bytes.Buffer
	hpack *hpack.Encoder
}

// dialFrames opens a connection with prior knowledge and exchanges settings.
func dialFrames(t *testing.T, address string, settings ...http2.Setting) *frames {
	t.Helper()
	conn := dial(t, address)
	io.WriteString(conn, http2.ClientPreface)
	f := newFrames(conn, conn)
	if err := f.WriteSettings(settings...); err != nil {
		t.Fatal(err)
	}
	return f
}

// newFrames speaks over a connection of which r reads.
func newFrames(conn io.WriteCloser, r io.Reader) *frames {
	f := &frames{Framer: http2.NewFramer(conn, r), conn: conn}
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.hpack = hpack.NewEncoder(&f.head)
	return f
}

// encode encodes fields, given as "name: value"; the names of pseudo-fields begin with
// a colon.
func (f *frames) encode(fields ...string) []byte {
	f.head.Reset()
	for _, line := range fields {
		end := strings.Index(line[1:], ":") + 1
		f.hpack.WriteField(hpack.HeaderField{Name: line[:end], Value: strings.TrimPrefix(line[end+1:], " ")})
	}
	return f.head.Bytes()
}

// request begins a stream.
func (f *frames) request(stream uint32, end bool, fields ...string) error {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.encode(fields...), EndHeaders: true, EndStream: end})
}

// get is the head of a plain request.
var plainGet = []string{":method: GET", ":scheme: http", ":authority: a", ":path: /"}

// result is what became of a stream: "200 body", "reset CODE", "goaway CODE" or
// "closed".
func (f *frames) result(stream uint32) string {
	status, body := "", ""
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			var bad http2.StreamError
			if errors.As(err, &bad) {
				return "bad frame"
			}
			return "closed"
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				f.WritePing(true, frame.Data)
			}
		case *http2.GoAwayFrame:
			if frame.ErrCode != http2.ErrCodeNo {
				return fmt.Sprint("goaway ", frame.ErrCode)
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				return fmt.Sprint("reset ", frame.ErrCode)
			}
		case *http2.MetaHeadersFrame:
			if frame.StreamID != stream {
				continue
			}
			if s := frame.PseudoValue("status"); s != "" && s[0] != '1' {
				status = s
			}
			if frame.StreamEnded() {
				return strings.TrimSpace(status + " " + body)
			}
		case *http2.DataFrame:
			if frame.StreamID != stream {
				continue
			}
			body += string(frame.Data())
			if n := uint32(len(frame.Data())); n > 0 {
				f.WriteWindowUpdate(0, n)
			}
			if frame.StreamEnded() {
				return strings.TrimSpace(status + " " + body)
			}
		}
	}
}

// multiplexed starts an engine with a listener "h2c" that takes HTTP/2 with prior
// knowledge and a listener "h2" that takes it over TLS, for one pool.
func multiplexed(t *testing.T, p *lb.Pool, change func(*lb.Listener)) *dataplane.Engine {
	t.Helper()
	plain, secured := listener(lb.ListenerHTTP, "app"), listener(lb.ListenerHTTPS, "app")
	plain.HTTP2.PriorKnowledge = true
	secured.Certificates = []string{"app"}
	s := simple(1, p)
	s.Listeners = map[string]*lb.Listener{"h2c": plain, "h2": secured}
	s.Certificates = map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	for _, l := range s.Listeners {
		if change != nil {
			change(l)
		}
		l.Normalize()
	}
	e := newEngine(t, dataplane.Options{})
	e.Apply(s)
	return e
}
