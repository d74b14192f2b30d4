package dataplane_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/dataplane"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// certificate makes a certificate for names that can be told by its subject.
func certificate(t *testing.T, subject string, names ...string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: subject},
		DNSNames:     names,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// secure is a snapshot of one https listener "web".
func secure(t *testing.T, certificates map[string]*tls.Certificate, change func(*lb.Listener)) *dataplane.Snapshot {
	l := listener(lb.ListenerHTTPS, "app")
	for name := range certificates {
		l.Certificates = append(l.Certificates, name)
	}
	l.Normalize()
	if change != nil {
		change(l)
	}
	s := simple(1, pool(members("a", backend(t, mirror))))
	s.Listeners, s.Certificates = map[string]*lb.Listener{"web": l}, certificates
	return s
}

// served returns the subject of the certificate served for a name.
func served(web, name string, change func(*tls.Config)) (string, error) {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	if change != nil {
		change(config)
	}
	conn, err := tls.Dial("tcp", web, config)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestTheCertificateIsChosenBySNI(t *testing.T) {
	later := certificate(t, "later", "twice.test")
	later.Leaf.NotAfter = later.Leaf.NotAfter.Add(time.Hour)
	all := map[string]*tls.Certificate{
		"app":   certificate(t, "app", "app.example.com"),
		"wild":  certificate(t, "wild", "*.Example.com"),
		"other": certificate(t, "other", "other.test", "www.other.test"),
		"early": certificate(t, "early", "twice.test"),
		"later": later,
	}
	e := newEngine(t, dataplane.Options{})
	refused := secure(t, all, nil)
	e.Apply(refused)
	withDefault := secure(t, all, func(l *lb.Listener) { l.DefaultCertificate = "other" })
	only := secure(t, map[string]*tls.Certificate{"app": all["app"]}, nil)
	for _, tc := range []struct {
		name     string
		snapshot *dataplane.Snapshot
		sni      string
		want     string // subject; "" is refused
	}{
		{"exact name", refused, "app.example.com", "app"},
		{"case does not matter", refused, "APP.Example.com", "app"},
		{"wildcard", refused, "b.example.com", "wild"},
		{"wildcard is one label", refused, "c.b.example.com", ""},
		{"wildcard is not the domain", refused, "example.com", ""},
		{"second name", refused, "www.other.test", "other"},
		{"the one that expires last", refused, "twice.test", "later"},
		{"unknown name without default", refused, "unknown.test", ""},
		{"no name without default", refused, "", ""},
		{"unknown name with default", withDefault, "unknown.test", "other"},
		{"no name with default", withDefault, "", "other"},
		{"known name with default", withDefault, "app.example.com", "app"},
		{"unknown name and only one certificate", only, "unknown.test", "app"},
		{"no name and only one certificate", only, "", "app"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e.Apply(tc.snapshot)
			got, err := served(address(t, e, "web"), tc.sni, nil)
			if got != tc.want {
				t.Errorf("for %q got %q, %v; want %q", tc.sni, got, err, tc.want)
			}
			if tc.want == "" && (err == nil || !strings.Contains(err.Error(), "unrecognized name")) {
				t.Errorf("refused with %v, want the alert unrecognized_name", err)
			}
		})
	}
}

func TestAChangedCertificateServesNewHandshakesAndLeavesOpenConnectionsAlone(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(secure(t, map[string]*tls.Certificate{"app": certificate(t, "old", "app.test")}, nil))
	web := address(t, e, "web")
	client := newClient(t)
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{ServerName: "app.test", InsecureSkipVerify: true}
	ask := func() string {
		resp, err := client.Get("https://" + web)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var s seen
		if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
			t.Fatal(err)
		}
		if got := s.Header.Get("X-Forwarded-Proto"); got != "https" {
			t.Errorf("the member was told the client speaks %q", got)
		}
		io.Copy(io.Discard, resp.Body)
		return resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := ask(); got != "old" {
		t.Fatalf("got certificate %s, want old", got)
	}
	e.Apply(secure(t, map[string]*tls.Certificate{"app": certificate(t, "new", "app.test")}, nil))
	if got := ask(); got != "old" {
		t.Errorf("the open connection was replaced: its certificate is %s", got)
	}
	if got, err := served(web, "app.test", nil); got != "new" {
		t.Errorf("a new connection got certificate %s, %v; want new", got, err)
	}
}

func TestTheMinimumTLSVersionHoldsPerListenerAndChangesLive(t *testing.T) {
	certificates := map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}
	e := newEngine(t, dataplane.Options{})
	for _, tc := range []struct {
		min       lb.TLSVersion
		version   uint16
		wantServe bool
	}{
		{lb.TLS12, tls.VersionTLS12, true},
		{lb.TLS12, tls.VersionTLS11, false},
		{lb.TLS13, tls.VersionTLS12, false},
		{lb.TLS13, tls.VersionTLS13, true},
	} {
		e.Apply(secure(t, certificates, func(l *lb.Listener) { l.TLS.MinVersion = tc.min }))
		_, err := served(address(t, e, "web"), "app.test", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tc.version })
		if (err == nil) != tc.wantServe {
			t.Errorf("minimum %s, client up to %s: %v", tc.min, tls.VersionName(tc.version), err)
		}
	}
}

func TestTheProtocolIsNegotiated(t *testing.T) {
	for _, tc := range []struct {
		name            string
		offered, wanted []string
		want            string
	}{
		{"HTTP/2 is offered", lb.ALPNProtocols, []string{"h2", "http/1.1"}, "h2"},
		{"unless the listener does not", []string{lb.ALPNHTTP1}, []string{"h2", "http/1.1"}, "http/1.1"},
		{"HTTP/1.1 to those who ask for it", lb.ALPNProtocols, []string{"http/1.1"}, "http/1.1"},
		{"or for nothing", lb.ALPNProtocols, nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, dataplane.Options{})
			e.Apply(secure(t, map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}, func(l *lb.Listener) { l.TLS.ALPN = tc.offered }))
			conn, err := tls.Dial("tcp", address(t, e, "web"), &tls.Config{InsecureSkipVerify: true, NextProtos: tc.wanted})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if got := conn.ConnectionState().NegotiatedProtocol; got != tc.want {
				t.Errorf("negotiated %q, want %q", got, tc.want)
			}
		})
	}
}

func TestASlowHandshakeIsCutOff(t *testing.T) {
	e := newEngine(t, dataplane.Options{})
	e.Apply(secure(t, map[string]*tls.Certificate{"app": certificate(t, "app", "app.test")}, func(l *lb.Listener) {
		l.Timeouts.RequestHeader = lb.Duration(50 * time.Millisecond)
	}))
	conn := dial(t, address(t, e, "web"))
	conn.Write([]byte{22, 3, 1})
	began := time.Now()
	io.Copy(io.Discard, conn)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a client that does not finish its handshake was cut off after %s", took)
	}
}
