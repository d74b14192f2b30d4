package tlsconfig

import (
	"crypto/tls"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// certificateTable finds the certificate for the name a client asks for. It is
// immutable.
type certificateTable struct {
	exact    map[string][]*stapled // by DNS name
	wildcard map[string][]*stapled // by the domain behind "*."
	fallback *stapled              // nil refuses clients that ask for anything else
}

func newCertificateTable(config *lb.Listener, certificates []*tls.Certificate) *certificateTable {
	t := &certificateTable{exact: map[string][]*stapled{}, wildcard: map[string][]*stapled{}}
	for i, certificate := range certificates {
		if certificate == nil || certificate.Leaf == nil {
			continue
		}
		c := newStapled(certificate)
		if config.Certificates[i] == config.DefaultCertificate || len(certificates) == 1 {
			t.fallback = c
		}
		for _, name := range certificate.Leaf.DNSNames {
			name = strings.ToLower(name)
			if domain, ok := strings.CutPrefix(name, "*."); ok {
				t.wildcard[domain] = append(t.wildcard[domain], c)
			} else {
				t.exact[name] = append(t.exact[name], c)
			}
		}
	}
	for _, names := range []map[string][]*stapled{t.exact, t.wildcard} {
		for _, same := range names {
			slices.SortStableFunc(same, func(a, b *stapled) int { return b.Leaf.NotAfter.Compare(a.Leaf.NotAfter) })
		}
	}
	return t
}

// choose implements the rule of the listener's default_certificate. An exact name
// comes before a wildcard, which stands for one label (RFC 9525 §6.3). Of several
// certificates for a name it takes the one that expires last among those whose
// key and chain the client can use. (nil, nil) makes crypto/tls refuse the client
// with unrecognized_name (RFC 6066 §3).
func (t *certificateTable) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	same := t.exact[name]
	if len(same) == 0 {
		if label, domain, ok := strings.Cut(name, "."); ok && label != "" {
			same = t.wildcard[domain]
		}
	}
	switch {
	case len(same) > 0:
		return usable(hello, same).now(), nil
	case t.fallback != nil:
		return t.fallback.now(), nil
	}
	return nil, nil
}

// usable returns the first certificate that suits the client, or the first of all
// when none does: the handshake then fails and says why.
func usable(hello *tls.ClientHelloInfo, same []*stapled) *stapled {
	if len(same) > 1 { // or there is nothing to choose, and looking costs
		for _, c := range same {
			if hello.SupportsCertificate(c.Certificate) == nil {
				return c
			}
		}
	}
	return same[0]
}
