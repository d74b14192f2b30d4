package sni

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// helloOf is what a real client sends first.
func helloOf(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		config.InsecureSkipVerify = true
		tls.Client(theirs, config).Handshake()
		theirs.Close()
	}()
	buf := make([]byte, 64<<10)
	n, err := ours.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func TestTheNameIsTheOneThatTheClientAsksFor(t *testing.T) {
	long := make([]string, 500)
	for i := range long {
		long[i] = "protocol-number-" + string(rune('a'+i%26))
	}
	for _, tc := range []struct {
		name   string
		config *tls.Config
		want   string
	}{
		{"TLS 1.3", &tls.Config{ServerName: "app.example.com"}, "app.example.com"},
		{"TLS 1.2", &tls.Config{ServerName: "app.example.com", MaxVersion: tls.VersionTLS12}, "app.example.com"},
		{"in capitals", &tls.Config{ServerName: "APP.Example.com"}, "app.example.com"},
		{"none", &tls.Config{}, ""},
		{"an address is none", &tls.Config{ServerName: "192.0.2.1"}, ""},
		{"with post-quantum key shares", &tls.Config{ServerName: "pq.example.com", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519}}, "pq.example.com"},
		{"with many protocols", &tls.Config{ServerName: "many.example.com", NextProtos: long}, "many.example.com"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent := helloOf(t, tc.config)
			for way, r := range map[string]io.Reader{
				"at once":                   bytes.NewReader(sent),
				"byte by byte":              iotest.OneByteReader(bytes.NewReader(sent)),
				"record cut into fragments": bytes.NewReader(fragmented(sent, 100)),
			} {
				hello, read, err := from(r)
				if err != nil || hello.ServerName != tc.want || !slices.Equal(hello.ALPN, tc.config.NextProtos) {
					t.Errorf("%s: %q, %d protocols, %v; want %q", way, hello.ServerName, len(hello.ALPN), err, tc.want)
				}
				if way == "at once" && !bytes.Equal(read, sent) {
					t.Errorf("%s: %d bytes of %d would be handed on", way, len(read), len(sent))
				}
			}
		})
	}
}

// fragmented cuts the handshake of one record over several (RFC 8446 §5.1).
func fragmented(record []byte, size int) []byte {
	var out []byte
	for rest := record[5:]; len(rest) > 0; {
		n := min(size, len(rest))
		out = append(out, record[0], record[1], record[2], byte(n>>8), byte(n))
		out = append(out, rest[:n]...)
		rest = rest[n:]
	}
	return out
}

func TestWhatIsNoHelloIsRefused(t *testing.T) {
	hello := helloOf(t, &tls.Config{ServerName: "app.example.com"})
	endless := bytes.Repeat(append([]byte{22, 3, 1, 0x40, 0}, append([]byte{1, 0, 0xff, 0xff}, make([]byte, 0x4000-4)...)...), 8)
	for _, tc := range []struct {
		name string
		sent []byte
		want error
	}{
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), ErrNotTLS},
		{"nothing", nil, io.ErrUnexpectedEOF},
		{"half of one", hello[:len(hello)/2], ErrNotTLS},
		{"an alert", []byte{21, 3, 1, 0, 2, 2, 40}, ErrNotTLS},
		{"another message", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, ErrNotTLS},
		{"one without end", endless, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := from(bytes.NewReader(tc.sent))
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("%+v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestPeekWaitsNoLongerThanItsDeadline(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if _, _, err := Peek(ours, time.Now().Add(20*time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client that says nothing: %v", err)
	}
}

func FuzzSNI(f *testing.F) {
	f.Add(helloOf(f, &tls.Config{ServerName: "app.example.com", NextProtos: []string{"h2"}}))
	f.Add(fragmented(helloOf(f, &tls.Config{ServerName: "a.test"}), 17))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add([]byte{22, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		hello, read, err := from(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, read) {
			t.Fatal("what would be handed on is not what was sent")
		}
		if hello.ServerName != canonical(hello.ServerName) {
			t.Fatalf("name %q is not canonical", hello.ServerName)
		}
	})
}
