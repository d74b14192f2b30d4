package dataplane_test

import (
	"bytes"
	"math"
	"net"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// canned is a member that answers every request head alike, without garbage.
func canned(t testing.TB, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf, end, out := make([]byte, 8192), []byte("\r\n\r\n"), []byte(answer)
				for n := 0; ; {
					more, err := conn.Read(buf[n:])
					if err != nil {
						return
					}
					if n += more; bytes.HasSuffix(buf[:n], end) {
						n = 0
						conn.Write(out)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

const browserRequest = "GET /assets/app.js?v=3 HTTP/1.1\r\nHost: app.example.com\r\nConnection: keep-alive\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9,de;q=0.8\r\n" +
	"Cache-Control: no-cache\r\nCookie: session=2f4c1b3a9d; theme=dark; consent=yes\r\nReferer: https://app.example.com/\r\n" +
	"Sec-Fetch-Dest: script\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n"

const smallAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\nDate: Wed, 25 Nov 2026 08:00:00 GMT\r\n\r\n"

// exchangeOnce sends a request on a connection and reads the answer, without garbage.
func exchangeOnce(t testing.TB, conn net.Conn, request, buf []byte, body int) {
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	end := []byte("\r\n\r\n")
	for n := 0; ; {
		more, err := conn.Read(buf[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += more
		if head := bytes.Index(buf[:n], end); head >= 0 && n >= head+len(end)+body {
			return
		}
	}
}

func through128(t testing.TB, change func(*lb.Pool, *lb.Listener, *dataplane.Snapshot)) net.Conn {
	p := pool(members("a", canned(t, smallAnswer+string(bytes.Repeat([]byte("x"), 128)))))
	l := listener(lb.ListenerHTTP, "app")
	s := simple(1, p)
	s.Listeners["web"] = l
	if change != nil {
		change(p, l, s)
	}
	e := dataplane.New(dataplane.Options{})
	t.Cleanup(func() { e.Shutdown(t.Context()) })
	e.Apply(s)
	conn, err := net.Dial("tcp", e.Status().Listeners["web"].Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestARequestLeavesNoGarbage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*lb.Pool, *lb.Listener, *dataplane.Snapshot)
	}{
		{"to the default pool", nil},
		{"by a route, with limits and outlier detection", func(p *lb.Pool, l *lb.Listener, s *dataplane.Snapshot) {
			p.OutlierDetection = &lb.OutlierDetection{ConsecutiveFailures: 5, EjectionTime: lb.DefaultEjectionTime, MaxEjectedPercent: 50}
			p.Algorithm, p.HashKey = lb.Maglev, &lb.HashKey{Source: lb.HashCookie, Name: "session"}
			l.Limits.RequestRate, l.Limits.RequestBurst = 1_000_000, 1_000_000
			r := lb.NewRoute()
			r.Listener, r.Match.PathPrefix, r.Action.Forward = "web", "/assets", map[string]lb.ForwardTarget{"app": {Weight: 1}}
			r.Match.Hosts = []string{"app.example.com"}
			r.Normalize()
			s.Routes = map[string]*lb.Route{"assets": r}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conn := through128(t, tc.change)
			buf, request := make([]byte, 8192), []byte(browserRequest)
			for range 50 {
				exchangeOnce(t, conn, request, buf, 128)
			}
			// The least of many runs: the race detector makes pools forget at random.
			least := math.Inf(1)
			for range 300 {
				least = min(least, testing.AllocsPerRun(1, func() { exchangeOnce(t, conn, request, buf, 128) }))
			}
			if least > 0 {
				t.Errorf("at least %v allocations a request, want none", least)
			}
		})
	}
}

func BenchmarkSmallRequest(b *testing.B) {
	conn := through128(b, nil)
	buf, request := make([]byte, 8192), []byte(browserRequest)
	b.ReportAllocs()
	for b.Loop() {
		exchangeOnce(b, conn, request, buf, 128)
	}
}
