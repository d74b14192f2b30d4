package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// CertificateRule maps client certificates, already verified against the
// authorities that the management API trusts, to an actor.
type CertificateRule struct {
	// Name tells one rule from another in errors.
	Name string
	// Match is a glob (path.Match) over one name of the certificate, with the
	// name's kind before it: "cn:ci-*", "dns:ci.example.com", "uri:spiffe://…",
	// "email:*@example.com", "ip:10.0.0.1".
	Match string
	// Actor is who the certificate speaks for; empty: the name that matched,
	// without its kind.
	Actor  string
	Role   Role
	Scopes []string
}

// CertificateRules are tried in order; the first that matches counts.
type CertificateRules []CertificateRule

// ErrCertificateUnmapped means that a certificate is good but speaks for nobody.
var ErrCertificateUnmapped = errors.New("no rule maps this client certificate to an actor")

// certificateNames are the kinds of name that a rule can match.
var certificateNames = []string{"cn", "dns", "uri", "email", "ip"}

// Check returns what is wrong with the rules, or nil.
func (rules CertificateRules) Check() error {
	var errs []error
	for _, r := range rules {
		kind, glob, ok := strings.Cut(r.Match, ":")
		if _, err := path.Match(glob, ""); !ok || err != nil || glob == "" || !slices.Contains(certificateNames, kind) {
			errs = append(errs, fmt.Errorf("client_certificate %q: match %q must be a kind of name, a colon and a glob, such as cn:ci-*; kinds are %v", r.Name, r.Match, certificateNames))
		}
		if msg := CheckActor(r.Actor); r.Actor != "" && msg != "" {
			errs = append(errs, fmt.Errorf("client_certificate %q: actor %s", r.Name, msg))
		}
		if !r.Role.Valid() {
			errs = append(errs, fmt.Errorf("client_certificate %q: role %q must be one of %v", r.Name, r.Role, Roles))
		}
		for _, scope := range r.Scopes {
			if msg := lb.CheckGlob(scope); msg != "" {
				errs = append(errs, fmt.Errorf("client_certificate %q: scope %s", r.Name, msg))
			}
		}
	}
	return errors.Join(errs...)
}

// Actor returns whom a verified certificate speaks for. Without a rule that
// matches, or with a name that can't be an actor's, it is [ErrCertificateUnmapped].
func (rules CertificateRules) Actor(cert *x509.Certificate) (Actor, error) {
	names := namesOf(cert)
	for _, r := range rules {
		for _, name := range names {
			if matched, err := path.Match(r.Match, name); err != nil || !matched {
				continue
			}
			actor := r.Actor
			if actor == "" {
				_, actor, _ = strings.Cut(name, ":")
			}
			if CheckActor(actor) != "" {
				return Actor{}, ErrCertificateUnmapped
			}
			sum := sha256.Sum256(cert.Raw)
			return Actor{Name: actor, Credential: "certificate/" + hex.EncodeToString(sum[:8]), Role: r.Role, Scopes: r.Scopes}, nil
		}
	}
	return Actor{}, ErrCertificateUnmapped
}

// namesOf lists a certificate's names (RFC 5280 §4.1.2.6 and §4.2.1.6), each with
// its kind before it.
func namesOf(cert *x509.Certificate) []string {
	var names []string
	add := func(kind, name string) {
		if name != "" {
			names = append(names, kind+":"+name)
		}
	}
	for _, uri := range cert.URIs {
		add("uri", uri.String())
	}
	for _, name := range cert.DNSNames {
		add("dns", name)
	}
	for _, email := range cert.EmailAddresses {
		add("email", email)
	}
	for _, ip := range cert.IPAddresses {
		if addr, ok := netip.AddrFromSlice(ip); ok {
			add("ip", addr.Unmap().String())
		}
	}
	add("cn", cert.Subject.CommonName)
	return names
}
