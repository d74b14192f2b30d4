package identity_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// everyName is a certificate with a name of each kind.
func everyName() *x509.Certificate {
	return &x509.Certificate{
		Raw:      []byte("certificate"),
		Subject:  pkix.Name{CommonName: "ci-main"},
		URIs:     []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/prod/web"}},
		DNSNames: []string{"ci.example.com"}, EmailAddresses: []string{"ci@example.com"},
		IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1), net.ParseIP("2001:db8::1")},
	}
}

func TestARuleMatchesTheKindOfNameThatItSays(t *testing.T) {
	for _, tt := range []struct {
		match, actor string
		// who is whom the certificate speaks for; "" for nobody.
		who string
	}{
		{"cn:ci-main", "", "ci-main"},
		{"cn:ci-*", "", "ci-main"},
		{"cn:ci-*", "ci", "ci"},
		{"cn:ci", "", ""},
		{"cn:*", "", "ci-main"},
		{"dns:*.example.com", "", "ci.example.com"},
		{"dns:ci-main", "", ""},
		{"email:*@example.com", "", "ci@example.com"},
		{"ip:10.0.0.1", "", "10.0.0.1"},
		{"ip:10.0.0.*", "gateway", "gateway"},
		{"ip:2001:db8::1", "gateway", "gateway"},
		{"ip:2001:db8::1", "", ""}, // can't be an actor's name
		{"uri:spiffe://example.com/prod/*", "prod", "prod"},
		{"uri:spiffe://example.com/prod/*", "", ""},
		{"uri:spiffe://example.com/*", "prod", ""}, // a star matches no slash
		{"cn:spiffe://example.com/prod/web", "prod", ""},
	} {
		rules := identity.CertificateRules{{Name: "a", Match: tt.match, Actor: tt.actor, Role: identity.Viewer}}
		if err := rules.Check(); err != nil {
			t.Errorf("%s: %v", tt.match, err)
		}
		a, err := rules.Actor(everyName())
		if a.Name != tt.who || (err == nil) != (tt.who != "") || err != nil && !errors.Is(err, identity.ErrCertificateUnmapped) {
			t.Errorf("%s as %q: %q, %v, want %q", tt.match, tt.actor, a.Name, err, tt.who)
		}
	}
}

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	rules := identity.CertificateRules{
		{Name: "nobody", Match: "cn:other", Role: identity.Admin},
		{Name: "ci", Match: "dns:ci.example.com", Actor: "ci", Role: identity.Planner, Scopes: []string{"pool/*"}},
		{Name: "all", Match: "cn:*", Actor: "all", Role: identity.Admin},
	}
	a, err := rules.Actor(everyName())
	if err != nil || a.Name != "ci" || a.Role != identity.Planner || len(a.Scopes) != 1 || a.Verified != nil || !strings.HasPrefix(a.Credential, "certificate/") {
		t.Errorf("%+v, %v", a, err)
	}
	other := everyName()
	other.Raw = []byte("another certificate")
	if b, err := rules.Actor(other); err != nil || b.Credential == a.Credential {
		t.Errorf("two certificates have the credential %s, %v", b.Credential, err)
	}
	if _, err := rules.Actor(&x509.Certificate{}); !errors.Is(err, identity.ErrCertificateUnmapped) {
		t.Errorf("a certificate without names: %v", err)
	}
	if _, err := identity.CertificateRules(nil).Actor(everyName()); !errors.Is(err, identity.ErrCertificateUnmapped) {
		t.Errorf("without rules: %v", err)
	}
}

func TestARuleThatIsWrongIsNamedWithItsField(t *testing.T) {
	ok := identity.CertificateRule{Name: "ci", Match: "cn:ci", Role: identity.Viewer}
	for name, tt := range map[string]struct {
		change func(*identity.CertificateRule)
		says   string
	}{
		"match without a kind":  {func(r *identity.CertificateRule) { r.Match = "ci" }, "match"},
		"match of another kind": {func(r *identity.CertificateRule) { r.Match = "serial:1" }, "match"},
		"match of nothing":      {func(r *identity.CertificateRule) { r.Match = "cn:" }, "match"},
		"match that is none":    {func(r *identity.CertificateRule) { r.Match = "cn:[" }, "match"},
		"actor":                 {func(r *identity.CertificateRule) { r.Actor = "system/ci" }, "actor"},
		"role":                  {func(r *identity.CertificateRule) { r.Role = "root" }, "role"},
		"no role":               {func(r *identity.CertificateRule) { r.Role = "" }, "role"},
		"scope":                 {func(r *identity.CertificateRule) { r.Scopes = []string{"web"} }, "scope"},
	} {
		rule := ok
		tt.change(&rule)
		err := identity.CertificateRules{ok, rule}.Check()
		if err == nil || !strings.HasPrefix(err.Error(), `client_certificate "ci": `+tt.says+" ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
