package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// presenting is the rig with a client certificate, whoever the server asks for.
func (r *rig) presenting(t *testing.T, cert tls.Certificate) *rig {
	t.Helper()
	c := newContract(t, r.Endpoint, r.CAPEM)
	c.transport.CloseIdleConnections()
	c.transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return &rig{Runtime: r.Runtime, contract: c}
}

func named(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: name} }
}

// startMutual is a runtime that trusts client certificates of an authority.
func startMutual(t *testing.T, clients *runtimetest.CA) *rig {
	t.Helper()
	return start(t, runtimetest.TLS(clients,
		daemon.ClientCertificate{Name: "prod", Match: "uri:spiffe://example.com/prod/*", Actor: "prod", Role: "viewer"},
		daemon.ClientCertificate{Name: "ci", Match: "cn:ci-*", Role: "operator", Scopes: []string{"pool/*"}},
	))
}

var nobody = with("Authorization")

func TestAClientCertificateSpeaksForItsActor(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	r := startMutual(t, clients)
	ci := r.presenting(t, clients.Issue(t, named("ci-main")))
	var me api.Identity
	ci.must(t, &me, http.MethodGet, "/v1/whoami", nil, nobody)
	if me.Name != "ci-main" || me.Role != "operator" || !strings.HasPrefix(me.Credential, "certificate/") || strings.Join(me.Scopes, " ") != "pool/*" || me.Run != nil {
		t.Errorf("the certificate is %+v", me)
	}
	ci.must(t, nil, http.MethodPut, "/v1/pools/web", pool(), creating, nobody)
	if e := r.newest(t); e.Type != "apply" || e.Actor != me.Actor {
		t.Errorf("applied as %+v, want %+v", e.Entry, me.Actor)
	}
	if a := ci.do(t, http.MethodPut, "/v1/routes/x", route("edge", "web"), creating, nobody); a.problem.Code != api.CodeScope {
		t.Errorf("outside its scopes: %s", a)
	}
	uri := clients.Issue(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.URIs = "ci-main", []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/prod/web"}}
	})
	var prod api.Identity
	r.presenting(t, uri).must(t, &prod, http.MethodGet, "/v1/whoami", nil, nobody)
	if prod.Name != "prod" || prod.Role != "viewer" || prod.Credential == me.Credential {
		t.Errorf("the first rule that matches gives %+v", prod)
	}
}

func TestACertificateThatSpeaksForNobodyIsNobody(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	r := startMutual(t, clients)
	for name, change := range map[string]func(*x509.Certificate){
		"without a rule":               named("somebody"),
		"with a name that is no actor": named("ci-a/b"),
		"with another kind of name":    func(c *x509.Certificate) { c.DNSNames = []string{"ci-main"} },
		"with the name of a kind":      named("uri:spiffe://example.com/prod/x"),
	} {
		t.Run(name, func(t *testing.T) {
			last := r.newest(t).Seq
			a := r.presenting(t, clients.Issue(t, change)).do(t, http.MethodPut, "/v1/pools/web", pool(), creating, nobody)
			if a.problem.Code != api.CodeUnauthenticated {
				t.Fatalf("%s, want %s", a, api.CodeUnauthenticated)
			}
			entry := r.newest(t)
			if detail := identified(t, entry, api.CodeUnauthenticated); entry.Seq != last+1 || !strings.HasPrefix(detail, "certificate ") {
				t.Errorf("entry %d says %q", entry.Seq, detail)
			}
		})
	}
	t.Run("with a token it is the token's holder", func(t *testing.T) {
		var me api.Identity
		r.presenting(t, clients.Issue(t, named("somebody"))).must(t, &me, http.MethodGet, "/v1/whoami", nil)
		if me.Name != "olivia" {
			t.Errorf("%+v", me)
		}
	})
}

// TestACertificateThatCanNotBeTrustedEndsTheHandshake: nobody gets as far as a call.
func TestACertificateThatCanNotBeTrustedEndsTheHandshake(t *testing.T) {
	clients, strangers := runtimetest.NewCA(t, "clients"), runtimetest.NewCA(t, "clients")
	r := startMutual(t, clients)
	for name, cert := range map[string]tls.Certificate{
		"of another authority": strangers.Issue(t, named("ci-main")),
		"expired": clients.Issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.NotAfter = "ci-main", time.Now().Add(-time.Minute)
		}),
		"not yet valid": clients.Issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.NotBefore = "ci-main", time.Now().Add(time.Hour)
		}),
		"for servers only": clients.Issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.ExtKeyUsage = "ci-main", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Endpoint+"/v1/whoami", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: r.presenting(t, cert).contract.transport}).Do(req)
			if err == nil {
				resp.Body.Close()
				t.Fatalf("answered %s", resp.Status)
			}
			if !strings.Contains(err.Error(), "remote error: tls:") {
				t.Errorf("ended by %v, want the server's alert", err)
			}
		})
	}
}

func TestACertificateIsNotAskedOfWhoHasAToken(t *testing.T) {
	r := startMutual(t, runtimetest.NewCA(t, "clients"))
	r.must(t, nil, http.MethodPut, "/v1/pools/web", pool(), creating)
	if e := r.newest(t); e.Actor.Name != "olivia" || !strings.HasPrefix(e.Actor.Credential, "token/") {
		t.Errorf("applied as %+v", e.Actor)
	}
	if a := r.do(t, http.MethodGet, "/v1/whoami", nil, nobody); a.problem.Code != api.CodeUnauthenticated {
		t.Errorf("with neither: %s", a)
	}
}

// TestATokenCountsMoreThanACertificate: what is said in the call, and not whose
// connection it came through. A token that is not good is not made good by one.
func TestATokenCountsMoreThanACertificate(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	ci := startMutual(t, clients)
	ci = ci.presenting(t, clients.Issue(t, named("ci-main")))
	var me api.Identity
	if ci.must(t, &me, http.MethodGet, "/v1/whoami", nil, as(identity.Viewer)); me.Name != "vera" {
		t.Errorf("with a token: %+v", me)
	}
	if a := ci.do(t, http.MethodPut, "/v1/pools/web", pool(), creating, as(identity.Viewer)); a.problem.Code != api.CodeRole {
		t.Errorf("the certificate's rights under a viewer's token: %s", a)
	}
	for name, header := range map[string]string{"unknown": "Bearer auditlb_000000000000_" + strings.Repeat("A", 43), "no bearer": "Basic eA==", "empty": ""} {
		if a := ci.do(t, http.MethodGet, "/v1/whoami", nil, with("Authorization", header)); a.problem.Code != api.CodeUnauthenticated {
			t.Errorf("%s: %s", name, a)
		}
	}
}

// accepted reports whether a call is let in that shows nothing but a certificate.
func (r *rig) accepted(t *testing.T) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.Endpoint+"/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: r.contract}).Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestACertificateThatExpiresOnAnOpenConnectionIsNotGoodAnyMore: the handshake may
// have been long ago.
func TestACertificateThatExpiresOnAnOpenConnectionIsNotGoodAnyMore(t *testing.T) {
	t.Parallel() // it waits
	clients := runtimetest.NewCA(t, "clients")
	r := startMutual(t, clients)
	short, ok := (*rig)(nil), false
	// On a machine that is too busy to shake hands before its end, the next one lasts longer.
	for lasts := 2 * time.Second; !ok && lasts < time.Minute; lasts *= 2 {
		short = r.presenting(t, clients.Issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.NotAfter = "ci-main", time.Now().Add(lasts)
		}))
		ok = short.accepted(t)
	}
	if !ok {
		t.Fatal("no certificate was good in time")
	}
	waitFor(t, "the certificate's end", func() bool {
		return short.do(t, http.MethodGet, "/v1/whoami", nil, nobody).problem.Code == api.CodeUnauthenticated
	})
	if detail := identified(t, r.newest(t), api.CodeUnauthenticated); !strings.Contains(detail, "has expired") {
		t.Errorf("recorded as %q", detail)
	}
}
