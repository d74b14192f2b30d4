package tlsconfig

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestTheMinimumVersionHolds(t *testing.T) {
	ca := newAuthority(t, "ca")
	app := ca.issue(t, "app", "app.test")
	for _, tc := range []struct {
		min     lb.TLSVersion
		version uint16
		ok      bool
	}{
		{lb.TLS12, tls.VersionTLS11, false},
		{lb.TLS12, tls.VersionTLS12, true},
		{lb.TLS13, tls.VersionTLS12, false},
		{lb.TLS13, tls.VersionTLS13, true},
	} {
		t.Run("at least "+string(tc.min)+" with "+tls.VersionName(tc.version), func(t *testing.T) {
			server := new(Listener).Config(listening(func(l *lb.Listener) { l.TLS.MinVersion = tc.min }, app))
			client := trusting(ca, "app.test")
			client.MinVersion, client.MaxVersion = tls.VersionTLS10, tc.version
			if _, err, _ := handshake(server, client); (err == nil) != tc.ok {
				t.Errorf("the handshake ended with %v", err)
			}
		})
	}
}

func TestProtocolsAreOfferedAsConfiguredWithHTTP2First(t *testing.T) {
	ca := newAuthority(t, "ca")
	app := ca.issue(t, "app", "app.test")
	for _, tc := range []struct {
		name            string
		offered, client []string
		want            string
	}{
		{"both", []string{lb.ALPNHTTP1, lb.ALPNHTTP2}, []string{"http/1.1", "h2"}, "h2"},
		{"client without HTTP/2", []string{lb.ALPNHTTP1, lb.ALPNHTTP2}, []string{"http/1.1"}, "http/1.1"},
		{"HTTP/1.1 only", []string{lb.ALPNHTTP1}, []string{"h2", "http/1.1"}, "http/1.1"},
		{"client without ALPN", []string{lb.ALPNHTTP1, lb.ALPNHTTP2}, nil, ""},
		{"none", nil, []string{"h2"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := new(Listener).Config(listening(func(l *lb.Listener) { l.TLS.ALPN = tc.offered }, app))
			client := trusting(ca, "app.test")
			client.NextProtos = tc.client
			state, err, _ := handshake(server, client)
			if err != nil || state.NegotiatedProtocol != tc.want {
				t.Errorf("negotiated %q, %v; want %q", state.NegotiatedProtocol, err, tc.want)
			}
		})
	}
}

func TestClientCertificatesAreHeldToTheListenersRules(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	app := ca.issue(t, "app", "app.test")
	known, unknown := ca.issue(t, "known"), stranger.issue(t, "unknown")
	for _, tc := range []struct {
		name    string
		auth    lb.ClientAuth
		ca      string
		present *tls.Certificate
		ok      bool
	}{
		{"none asks for none", lb.ClientAuthNone, "", unknown, true},
		{"optional without", lb.ClientAuthOptional, ca.pem, nil, true},
		{"optional with a known one", lb.ClientAuthOptional, ca.pem, known, true},
		{"optional with an unknown one", lb.ClientAuthOptional, ca.pem, unknown, false},
		{"required without", lb.ClientAuthRequired, ca.pem, nil, false},
		{"required with a known one", lb.ClientAuthRequired, ca.pem, known, true},
		{"required with an unknown one", lb.ClientAuthRequired, ca.pem, unknown, false},
		{"required of one of two authorities", lb.ClientAuthRequired, stranger.pem + ca.pem, known, true},
		{"required without authorities", lb.ClientAuthRequired, "", known, false},
		{"a rule that does not exist", "later", ca.pem, nil, false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tc.name+" "+tls.VersionName(version), func(t *testing.T) {
				config, certificates := listening(func(l *lb.Listener) { l.TLS.ClientAuth, l.TLS.ClientCAPEM = tc.auth, tc.ca }, app)
				server := new(Listener).Config(config, certificates)
				if tc.auth != lb.ClientAuthNone && server.ClientCAs == nil {
					t.Error("certificates are verified by the system's authorities")
				}
				client := trusting(ca, "app.test")
				client.MaxVersion = version
				if tc.present != nil { // whatever the server says it would take
					client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return tc.present, nil }
				}
				_, err, serverErr := handshake(server, client)
				if (err == nil) != tc.ok {
					t.Fatalf("the client saw %v, the server %v", err, serverErr)
				}
				// What the client learns is an alert.
				if err != nil && (!strings.HasPrefix(err.Error(), "remote error: tls: ") || strings.Contains(err.Error(), "stranger")) {
					t.Errorf("the client was told %v", err)
				}
			})
		}
	}
}

func TestANewVersionServesNewHandshakesAndLeavesOpenConnectionsAlone(t *testing.T) {
	ca := newAuthority(t, "ca")
	var live Listener
	var current atomic.Pointer[tls.Config]
	current.Store(live.Config(listening(nil, ca.issue(t, "old", "app.test"))))
	server := Latest(current.Load)

	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	go func() {
		for {
			conn, err := socket.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				secure := tls.Server(conn, server)
				io.Copy(secure, secure) // echo
			}()
		}
	}()
	dial := func() *tls.Conn {
		conn, err := net.Dial("tcp", socket.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return tls.Client(conn, trusting(ca, "app.test"))
	}
	echo := func(conn *tls.Conn) string {
		if _, err := conn.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}

	open, accepted := dial(), dial()
	if got := echo(open); got != "old" {
		t.Fatalf("got certificate %s, want old", got)
	}
	current.Store(live.Config(listening(nil, ca.issue(t, "new", "app.test"))))
	if got := echo(open); got != "old" {
		t.Errorf("the open connection now has certificate %s", got)
	}
	if got := echo(accepted); got != "new" {
		t.Errorf("a connection that had not said hello got certificate %s, want new", got)
	}
	if got := echo(dial()); got != "new" {
		t.Errorf("a new connection got certificate %s, want new", got)
	}
	current.Store(nil)
	if err := dial().Handshake(); err == nil {
		t.Error("a client was served by a listener that is gone")
	}
}

func TestOfferedProtocolsAreThoseWeSpeak(t *testing.T) {
	if got := offered([]string{"spdy/3", lb.ALPNHTTP1}); !slices.Equal(got, []string{lb.ALPNHTTP1}) {
		t.Errorf("offered %q", got)
	}
}
