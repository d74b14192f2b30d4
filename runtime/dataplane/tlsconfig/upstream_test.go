package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func upstreamTLS(change func(*lb.UpstreamTLS)) *lb.UpstreamTLS {
	u := &lb.UpstreamTLS{MinVersion: lb.DefaultUpstreamMinVersion, Verify: lb.DefaultUpstreamVerify}
	if change != nil {
		change(u)
	}
	return u
}

// memberConfig is a member that presents a certificate and speaks HTTP in both versions.
func memberConfig(c *tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*c}, NextProtos: []string{"h2", "http/1.1"}}
}

func TestAMemberIsVerified(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	member := ca.issue(t, "member", "app.internal", "10.0.0.7")
	trusted := func(u *lb.UpstreamTLS) { u.CAPEM = ca.pem }
	for _, tc := range []struct {
		name   string
		change func(*lb.UpstreamTLS)
		host   string
		ok     bool
	}{
		{"by its DNS name", trusted, "app.internal", true},
		{"by its IP address", trusted, "10.0.0.7", true},
		{"under another name", trusted, "db.internal", false},
		{"under another address", trusted, "10.0.0.8", false},
		{"by the pool's server name", func(u *lb.UpstreamTLS) { u.CAPEM, u.ServerName = ca.pem, "app.internal" }, "10.0.0.8", true},
		{"of one of two authorities", func(u *lb.UpstreamTLS) { u.CAPEM = stranger.pem + ca.pem }, "app.internal", true},
		{"of another authority", func(u *lb.UpstreamTLS) { u.CAPEM = stranger.pem }, "app.internal", false},
		{"by the system's authorities", nil, "app.internal", false},
		{"not at all", func(u *lb.UpstreamTLS) { u.Verify = false }, "db.internal", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up, err := NewUpstream(upstreamTLS(tc.change), nil, lb.HTTP1)
			if err != nil {
				t.Fatal(err)
			}
			_, err, _ = handshake(memberConfig(member), up.Config(tc.host))
			if (err == nil) != tc.ok {
				t.Errorf("the handshake ended with %v", err)
			}
			if verification := new(tls.CertificateVerificationError); !tc.ok && !errors.As(err, &verification) {
				t.Errorf("refused with %v, want a failed verification", err)
			}
		})
	}
}

func TestAMemberIsAskedForTheVersionOfHTTP(t *testing.T) {
	ca := newAuthority(t, "ca")
	member := memberConfig(ca.issue(t, "member", "app.internal"))
	for version, want := range map[lb.HTTPVersion]string{lb.HTTP1: "http/1.1", lb.HTTP2: "h2", "": ""} {
		up, err := NewUpstream(upstreamTLS(func(u *lb.UpstreamTLS) { u.CAPEM = ca.pem }), nil, version)
		if err != nil {
			t.Fatal(err)
		}
		state, err, _ := handshake(member, up.Config("app.internal"))
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("version %q: negotiated %q, %v; want %q", version, state.NegotiatedProtocol, err, want)
		}
	}
}

func TestAMemberOfAnOldVersionIsRefused(t *testing.T) {
	ca := newAuthority(t, "ca")
	member := memberConfig(ca.issue(t, "member", "app.internal"))
	member.MinVersion = tls.VersionTLS10
	for _, tc := range []struct {
		min   lb.TLSVersion
		speak uint16
		ok    bool
	}{
		{lb.TLS12, tls.VersionTLS11, false},
		{lb.TLS12, tls.VersionTLS12, true},
		{lb.TLS13, tls.VersionTLS12, false},
		{lb.TLS13, tls.VersionTLS13, true},
	} {
		up, err := NewUpstream(upstreamTLS(func(u *lb.UpstreamTLS) { u.CAPEM, u.MinVersion = ca.pem, tc.min }), nil, lb.HTTP1)
		if err != nil {
			t.Fatal(err)
		}
		member.MaxVersion = tc.speak
		if _, err, _ := handshake(member, up.Config("app.internal")); (err == nil) != tc.ok {
			t.Errorf("minimum %s, member up to %s: %v", tc.min, tls.VersionName(tc.speak), err)
		}
	}
}

func TestTheClientCertificateIsPresented(t *testing.T) {
	ca := newAuthority(t, "ca")
	member := memberConfig(ca.issue(t, "member", "app.internal"))
	member.ClientAuth, member.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	member.ClientCAs.AddCert(ca.Leaf)
	for _, tc := range []struct {
		name   string
		client *tls.Certificate
		ok     bool
	}{
		{"with", ca.issue(t, "balancer"), true},
		{"without", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up, err := NewUpstream(upstreamTLS(func(u *lb.UpstreamTLS) {
				if u.CAPEM = ca.pem; tc.client != nil {
					u.ClientCertificate = "balancer"
				}
			}), tc.client, lb.HTTP1)
			if err != nil {
				t.Fatal(err)
			}
			if _, err, _ := handshake(member, up.Config("app.internal")); (err == nil) != tc.ok {
				t.Errorf("the handshake ended with %v", err)
			}
		})
	}
}

func TestSessionsWithAMemberAreResumedAndNotMixedUpWithAnothers(t *testing.T) {
	ca := newAuthority(t, "ca")
	a, b := memberConfig(ca.issue(t, "a", "app.internal")), memberConfig(ca.issue(t, "b", "app.internal"))
	up, err := NewUpstream(upstreamTLS(func(u *lb.UpstreamTLS) { u.CAPEM, u.ServerName = ca.pem, "app.internal" }), nil, lb.HTTP1)
	if err != nil {
		t.Fatal(err)
	}
	toA, toB := up.Config("10.0.0.1"), up.Config("10.0.0.2")
	resumes(t, a, toA)
	resumes(t, b, toB)
	if !resumes(t, a, toA) || !resumes(t, b, toB) {
		t.Error("a session was not resumed")
	}
}

func TestSettingsThatCanNotServeAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*lb.UpstreamTLS)
		want   string
	}{
		{"authorities that do not parse", func(u *lb.UpstreamTLS) { u.CAPEM = "garbage" }, "hold no certificate"},
		{"a client certificate that is not there", func(u *lb.UpstreamTLS) { u.ClientCertificate = "balancer" }, `"balancer" is missing`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			up, err := NewUpstream(upstreamTLS(tc.change), nil, lb.HTTP1)
			if up != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v; want an error with %q", up, err, tc.want)
			}
		})
	}
}

func BenchmarkMemberConfig(b *testing.B) {
	up, err := NewUpstream(upstreamTLS(nil), nil, lb.HTTP1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		up.Config("app.internal")
	}
}
