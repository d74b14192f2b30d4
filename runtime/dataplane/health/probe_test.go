package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// once makes one probe, as a watch would.
func once(t testing.TB, target Target) error {
	t.Helper()
	w := NewChecker(0).Watch(target, true, ignore)
	w.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), target.Check.Timeout.Std())
	defer cancel()
	return probe(ctx, w)
}

// patient is a check that never times out, however busy the machine is.
func patient(kind lb.HealthCheckType, change func(*lb.HealthCheck)) *lb.HealthCheck {
	c := check(kind)
	c.Timeout = lb.Duration(time.Minute)
	if change != nil {
		change(c)
	}
	return c
}

func wantOutcome(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("the probe ended with %v, want %q", err, want)
	}
}

// httpMember speaks HTTP/1.1 and HTTP/2, over TLS if it has a certificate.
func httpMember(t testing.TB, certificate *tls.Certificate) (address string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/missing", http.StatusFound) })
	mux.HandleFunc("/hangs", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusProcessing)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, r *http.Request) {
		for block := make([]byte, 4<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200 + r.ProtoMajor) })
	mux.HandleFunc("/app", func(w http.ResponseWriter, r *http.Request) {
		secure := r.TLS != nil && r.TLS.ServerName == "member.test"
		if r.Host != "app.test" || r.URL.RawQuery != "deep=1" || r.UserAgent() != userAgent || secure != (certificate != nil) {
			w.WriteHeader(http.StatusMisdirectedRequest)
		}
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	if certificate == nil {
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	} else {
		s.Config.Protocols.SetHTTP2(true)
		s.EnableHTTP2 = true
		s.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestHTTPProbesHaveTheSameOutcomesInEveryVersion(t *testing.T) {
	certificate, client := identity(t)
	plain, secure := httpMember(t, nil), httpMember(t, certificate)
	for _, member := range []struct {
		name    string
		target  Target
		version string // the status that says it
	}{
		{"HTTP/1.1", Target{Address: plain, HTTPVersion: lb.HTTP1}, "201"},
		{"HTTP/1.1 over TLS", Target{Address: secure, HTTPVersion: lb.HTTP1, TLS: client}, "201"},
		{"HTTP/2", Target{Address: plain, HTTPVersion: lb.HTTP2}, "202"},
		{"HTTP/2 over TLS", Target{Address: secure, HTTPVersion: lb.HTTP2, TLS: client}, "202"},
	} {
		for _, tc := range []struct {
			name   string
			change func(*lb.HealthCheck)
			want   string // part of the failure; "" passes
		}{
			{"expected status", func(c *lb.HealthCheck) { c.ExpectedStatuses = []string{"300", "404"} }, ""},
			{"unexpected status", nil, "answered status 404"},
			{"a redirect is not followed", func(c *lb.HealthCheck) { c.Path = "/redirect" }, ""},
			{"host and query are sent", func(c *lb.HealthCheck) { c.Path, c.Host = "/app?deep=1", "app.test" }, ""},
			{"interim responses are passed over", func(c *lb.HealthCheck) { c.Path, c.ExpectedStatuses = "/early", []string{"200"} }, ""},
			{"an endless body", func(c *lb.HealthCheck) { c.Path = "/endless" }, ""},
			{"the version is spoken", func(c *lb.HealthCheck) { c.Path, c.ExpectedStatuses = "/version", []string{member.version} }, ""},
			{"timeout", func(c *lb.HealthCheck) { c.Path, c.Timeout = "/hangs", lb.Duration(50*time.Millisecond) }, "timed out after 50ms"},
		} {
			t.Run(member.name+"/"+tc.name, func(t *testing.T) {
				member.target.Check = patient(lb.HealthHTTP, tc.change)
				wantOutcome(t, once(t, member.target), tc.want)
			})
		}
	}
}

func TestProbesOfMembersThatAreNotThereOrNotThemselves(t *testing.T) {
	silent := members(t, func(conn *net.TCPConn) { http.ReadRequest(bufio.NewReader(conn)) })
	certificate, client := identity(t)
	secure, plain := httpMember(t, certificate), httpMember(t, nil)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	stranger := client.Clone()
	stranger.ServerName = "stranger.test"
	hangs := members(t, func(conn *net.TCPConn) { io.Copy(io.Discard, conn) })
	soon := func(c *lb.HealthCheck) { c.Timeout = lb.Duration(50 * time.Millisecond) }

	for _, tc := range []struct {
		name   string
		target Target
		want   string
	}{
		{"tcp connects", Target{Address: plain, Check: patient(lb.HealthTCP, nil)}, ""},
		{"tcp refused", Target{Address: closed.Addr().String(), Check: patient(lb.HealthTCP, nil)}, "refused"},
		{"tcp over TLS", Target{Address: secure, Check: patient(lb.HealthTCP, nil), TLS: client}, ""},
		{"tcp over TLS that isn't", Target{Address: plain, Check: patient(lb.HealthTCP, nil), TLS: client}, "tls:"},
		{"tcp over TLS with another name", Target{Address: secure, Check: patient(lb.HealthTCP, nil), TLS: stranger}, "not stranger.test"},
		{"tcp over TLS that hangs", Target{Address: hangs, Check: patient(lb.HealthTCP, soon), TLS: client}, "timed out"},
		{"http refused", Target{Address: closed.Addr().String(), Check: patient(lb.HealthHTTP, nil)}, "refused"},
		{"http without an answer", Target{Address: silent, Check: patient(lb.HealthHTTP, nil)}, "closed the connection without an answer"},
		{"name that does not resolve", Target{Address: "member.invalid:80", Check: patient(lb.HealthTCP, nil)}, "lookup member.invalid"},
		{"HTTP/2 of a member that speaks HTTP/1", Target{Address: http1Only(t), HTTPVersion: lb.HTTP2, Check: patient(lb.HealthHTTP, nil)}, "not HTTP/2"},
		{"HTTP/2 of a member that does not offer it", Target{Address: secureWithout(t, certificate), HTTPVersion: lb.HTTP2, TLS: client, Check: patient(lb.HealthHTTP, nil)}, "does not offer HTTP/2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantOutcome(t, once(t, tc.target), tc.want)
		})
	}
}

func http1Only(t *testing.T) (address string) {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func secureWithout(t *testing.T, certificate *tls.Certificate) (address string) {
	return members(t, func(conn *net.TCPConn) {
		io.Copy(io.Discard, tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{*certificate}}))
	})
}

func TestProbesResumeTheSessionOfTheOneBefore(t *testing.T) {
	certificate, client := identity(t)
	resumed := make(chan bool, 10)
	config := &tls.Config{Certificates: []tls.Certificate{*certificate}, VerifyConnection: func(s tls.ConnectionState) error {
		resumed <- s.DidResume
		return nil
	}}
	address := members(t, func(conn *net.TCPConn) {
		secure := tls.Server(conn, config)
		http.ReadRequest(bufio.NewReader(secure))
		io.WriteString(secure, "HTTP/1.1 200 OK\r\n\r\n")
	})
	for i := range 3 {
		if err := once(t, Target{Address: address, TLS: client, Check: patient(lb.HealthHTTP, nil)}); err != nil {
			t.Fatal(err)
		}
		if got := <-resumed; got != (i > 0) {
			t.Errorf("probe %d resumed a session: %t", i, got)
		}
	}
}

func TestAProxyHeaderComesFirst(t *testing.T) {
	certificate, client := identity(t)
	for _, tc := range []struct {
		name    string
		version lb.ProxyProtocol
		want    *proxyproto.Header // nil for none
	}{
		{"off", lb.ProxyOff, nil},
		{"v1", lb.ProxyV1, &proxyproto.Header{Version: 1, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}},
		{"v2", lb.ProxyV2, &proxyproto.Header{Version: 2, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}},
	} {
		for _, secure := range []bool{false, true} {
			name := tc.name
			if secure {
				name += " over TLS"
			}
			t.Run(name, func(t *testing.T) {
				headers := make(chan *proxyproto.Header, 1)
				address := members(t, func(conn *net.TCPConn) {
					r := bufio.NewReader(conn)
					header, err := proxyproto.Read(r)
					if err != nil && !errors.Is(err, proxyproto.ErrNoProxyProtocol) {
						t.Error(err)
					}
					headers <- header
					behind := net.Conn(behindHeader{conn, r})
					if secure {
						behind = tls.Server(behind, &tls.Config{Certificates: []tls.Certificate{*certificate}})
					}
					http.ReadRequest(bufio.NewReader(behind))
					io.WriteString(behind, "HTTP/1.1 200 OK\r\n\r\n")
				})
				target := Target{Address: address, ProxyProtocol: tc.version, Check: patient(lb.HealthHTTP, nil)}
				if secure {
					target.TLS = client
				}
				wantOutcome(t, once(t, target), "")
				got := <-headers
				if tc.want == nil {
					if got != nil {
						t.Errorf("got the header %+v, want none", got)
					}
					return
				}
				if got == nil || got.Version != tc.want.Version || got.Command != tc.want.Command || got.TransportProtocol != tc.want.TransportProtocol {
					t.Errorf("got the header %+v, want %+v", got, tc.want)
				}
			})
		}
	}
}

// behindHeader is a connection whose first bytes have been read.
type behindHeader struct {
	net.Conn
	r io.Reader
}

func (b behindHeader) Read(p []byte) (int, error) { return b.r.Read(p) }

func TestAProxyHeaderIsSentAsTheSpecificationWritesIt(t *testing.T) {
	for version, want := range map[lb.ProxyProtocol]string{
		lb.ProxyV1: "PROXY UNKNOWN\r\n",
		lb.ProxyV2: "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00",
	} {
		received := make(chan []byte, 1)
		address := members(t, func(conn *net.TCPConn) {
			var b bytes.Buffer
			io.Copy(&b, conn) // to the reset that ends a tcp probe
			received <- b.Bytes()
		})
		if err := once(t, Target{Address: address, ProxyProtocol: version, Check: patient(lb.HealthTCP, nil)}); err != nil {
			t.Fatal(err)
		}
		if got := <-received; string(got) != want {
			t.Errorf("%s: received %q, want %q", version, got, want)
		}
	}
}

func TestALongCauseIsCut(t *testing.T) {
	checker := NewChecker(0)
	w := checker.Watch(Target{Address: strings.Repeat("x", 1000) + ".invalid", Check: patient(lb.HealthTCP, nil)}, true, ignore)
	w.Stop()
	err := probe(t.Context(), w)
	if err == nil || len(err.Error()) > maxCauseBytes+len("…") {
		t.Errorf("the cause is %v", err)
	}
}
