package tlsconfig

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestTheCertificateIsChosenBySNI(t *testing.T) {
	ca := newAuthority(t, "ca")
	app := ca.issue(t, "app", "app.example.com")
	wild := ca.issue(t, "wild", "*.Example.com")
	other := ca.issue(t, "other", "other.test", "www.other.test")
	early, late := ca.issue(t, "early", "twice.test"), ca.issue(t, "late", "twice.test")
	late.Leaf.NotAfter = late.Leaf.NotAfter.Add(time.Hour)

	all := []*tls.Certificate{app, wild, nil, other, early, late}
	withDefault := func(l *lb.Listener) { l.DefaultCertificate = "c3" }
	for _, tc := range []struct {
		name         string
		certificates []*tls.Certificate
		change       func(*lb.Listener)
		sni          string
		want         string // subject; "" is refused
	}{
		{"exact name before wildcard", all, nil, "app.example.com", "app"},
		{"case does not matter", all, nil, "APP.Example.com", "app"},
		{"wildcard", all, nil, "b.example.com", "wild"},
		{"wildcard is one label", all, nil, "c.b.example.com", ""},
		{"wildcard is not the domain", all, nil, "example.com", ""},
		{"second name", all, nil, "www.other.test", "other"},
		{"the one that expires last", all, nil, "twice.test", "late"},
		{"unknown name without default", all, nil, "unknown.test", ""},
		{"name of one label without default", all, nil, "localhost", ""},
		{"no name without default", all, nil, "", ""},
		{"unknown name with default", all, withDefault, "unknown.test", "other"},
		{"no name with default", all, withDefault, "", "other"},
		{"known name with default", all, withDefault, "app.example.com", "app"},
		{"unknown name and only one certificate", all[:1], nil, "unknown.test", "app"},
		{"no name and only one certificate", all[:1], nil, "", "app"},
		{"no certificate at all", all[2:3], nil, "app.example.com", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := new(Listener).Config(listening(tc.change, tc.certificates...))
			state, err, _ := handshake(server, &tls.Config{ServerName: tc.sni, InsecureSkipVerify: true})
			if tc.want == "" {
				if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
					t.Errorf("refused with %v, want the alert unrecognized_name", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := state.PeerCertificates[0].Subject.CommonName; got != tc.want {
				t.Errorf("for %q got %q, want %q", tc.sni, got, tc.want)
			}
		})
	}
}

func TestOfTwoKeysTheOneThatTheClientCanUseIsServed(t *testing.T) {
	key, err := rsaKey()
	if err != nil {
		t.Fatal(err)
	}
	ca := newAuthority(t, "ca")
	modern, old := ca.issue(t, "ecdsa", "app.test"), ca.issueFor(t, key, "rsa", "app.test")
	modern.Leaf.NotAfter = modern.Leaf.NotAfter.Add(time.Hour) // so that it comes first
	server := new(Listener).Config(listening(nil, old, modern))
	for _, tc := range []struct {
		name   string
		suites []uint16
		want   string
	}{
		{"both", nil, "ecdsa"},
		{"only RSA", []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, "rsa"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := &tls.Config{ServerName: "app.test", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: tc.suites}
			state, err, _ := handshake(server, client)
			if err != nil {
				t.Fatal(err)
			}
			if got := state.PeerCertificates[0].Subject.CommonName; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestChoosingACertificateAllocatesNothing(t *testing.T) {
	ca := newAuthority(t, "ca")
	table := newCertificateTable(listening(nil, ca.issue(t, "app", "app.example.com"), ca.issue(t, "wild", "*.example.com")))
	for _, name := range []string{"app.example.com", "b.example.com", "unknown.test"} {
		hello := &tls.ClientHelloInfo{ServerName: name}
		if n := testing.AllocsPerRun(100, func() { table.choose(hello) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
