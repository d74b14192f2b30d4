package dataplane

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// newTLSConfig is how an https listener speaks TLS: HTTP/1.1 only.
func newTLSConfig(config *lb.Listener, certificates []*tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:     minVersion(config.TLS.MinVersion),
		NextProtos:     []string{"http/1.1"},
		GetCertificate: newCertificateTable(config, certificates).choose,
	}
}

func minVersion(v lb.TLSVersion) uint16 {
	if v == lb.TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// certificateTable finds the certificate for the name a client asks for.
type certificateTable struct {
	byName   map[string][]*tls.Certificate // DNS names, also "*.example.com"
	fallback *tls.Certificate
}

func newCertificateTable(config *lb.Listener, certificates []*tls.Certificate) *certificateTable {
	t := &certificateTable{byName: map[string][]*tls.Certificate{}}
	for i, c := range certificates {
		if c == nil || c.Leaf == nil {
			continue
		}
		if name := config.Certificates[i]; name == config.DefaultCertificate || len(certificates) == 1 {
			t.fallback = c
		}
		for _, name := range c.Leaf.DNSNames {
			name = strings.ToLower(name)
			t.byName[name] = append(t.byName[name], c)
		}
	}
	for _, same := range t.byName {
		slices.SortStableFunc(same, func(a, b *tls.Certificate) int { return b.Leaf.NotAfter.Compare(a.Leaf.NotAfter) })
	}
	return t
}

// choose implements the rule of the listener's default_certificate. An exact name
// comes before a wildcard, which stands for one label (RFC 9525 §6.3). Of several
// certificates for a name it takes the one that expires last among those whose
// key and chain the client can use. (nil, nil) makes crypto/tls refuse the client
// with unrecognized_name.
func (t *certificateTable) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	_, parent, _ := strings.Cut(name, ".")
	for _, candidates := range [][]*tls.Certificate{t.byName[name], t.byName["*."+parent]} {
		for _, c := range candidates {
			if hello.SupportsCertificate(c) == nil {
				return c, nil
			}
		}
		if len(candidates) > 0 {
			return candidates[0], nil
		}
	}
	return t.fallback, nil
}
