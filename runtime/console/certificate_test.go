package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

func TestAClientCertificateSignsInByItself(t *testing.T) {
	r := newRig(t, func(s *httptest.Server) {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
		for _, name := range []string{"vera", "olivia"} {
			s.TLS.ClientCAs.AddCert(certificate(t, name).Leaf)
		}
		s.StartTLS()
	})
	as := func(name string) *browser {
		return newBrowser(t, r.URL, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate(t, name)}})
	}
	vera := as("vera")
	if p := vera.send(http.MethodPost, "/console/tickets/CHG-1", url.Values{"action": {"approve"}}); p.Request.URL.Path != "/console/sign-in" || r.called("GET /v1/whoami") > 0 {
		t.Errorf("a form of nobody's signs in: %d at %s", p.StatusCode, p.Request.URL)
	}
	if p := vera.get("/console/runs"); p.Request.URL.Path != "/console/runs" || !strings.Contains(p.body, `id="whoami"`) || !strings.Contains(p.body, ">vera<") {
		t.Fatalf("not signed in: %s\n%s", p.Request.URL, p.body)
	}
	cookie := vera.cookie()
	if !vera.signedIn() || vera.cookie() != cookie {
		t.Error("each page begins another session")
	}
	// Another site can have a browser fetch what it likes, without the cookie: that is nobody
	// who comes here, and makes no room for itself.
	jar := vera.client.Jar
	for range console.MaxOwnSessions {
		for _, as := range []string{"image", "iframe", "empty"} {
			vera.client.Jar = nil
			if p := vera.send(http.MethodGet, "/console/runs", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", as); len(p.Cookies()) > 0 && strings.Contains(p.body, ">vera<") {
				t.Fatalf("as %s: signed in", as)
			}
		}
	}
	vera.client.Jar = jar
	if !vera.signedIn() || vera.cookie() != cookie {
		t.Error("what other sites fetch ends a session")
	}
	// Whoever has the cookie has not got the key.
	olivia := as("olivia")
	u, _ := url.Parse(r.URL)
	olivia.client.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-auditlb-console", Value: cookie, Path: "/", Secure: true}})
	if p := olivia.get("/console/runs"); strings.Contains(p.body, ">vera<") {
		t.Error("a cookie is good without the certificate that it stands for")
	}
	if p := vera.post("/console/sign-out"); p.Request.URL.Path != "/console/sign-in" || !strings.Contains(p.body, "CN=vera") {
		t.Errorf("signing out leads to %s", p.Request.URL)
	}
	if p := vera.post("/console/sign-in", "certificate", "1"); p.Request.URL.Path != "/console/" {
		t.Errorf("signing in with the certificate leads to %s", p.Request.URL)
	}
}

var certificates = map[string]tls.Certificate{}

// certificate makes a client certificate for a name, once.
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	if c, ok := certificates[name]; ok {
		return c
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	certificates[name] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return certificates[name]
}
