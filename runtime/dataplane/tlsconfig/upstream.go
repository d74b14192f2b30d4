package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Upstream is how the members of a pool are spoken to over TLS. Its authorities are
// parsed once, however many members there are. It is immutable.
type Upstream struct {
	template *tls.Config
}

// NewUpstream compiles a pool's settings. Client is the certificate that
// u.ClientCertificate names, nil when it names none. Version decides the protocol
// that members are asked for (ALPN, RFC 7301): "h2" or "http/1.1"; none when it is
// empty. It fails when u names authorities and none of them parses, or a client
// certificate and there is none.
func NewUpstream(u *lb.UpstreamTLS, client *tls.Certificate, version lb.HTTPVersion) (*Upstream, error) {
	c := &tls.Config{
		MinVersion:         minVersion(u.MinVersion),
		ServerName:         u.ServerName,
		InsecureSkipVerify: !u.Verify, //nolint:gosec // the operator's explicit choice, off by default
	}
	if u.CAPEM != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(u.CAPEM)) {
			return nil, errors.New("upstream authorities hold no certificate")
		}
	}
	if u.ClientCertificate != "" {
		if client == nil {
			return nil, fmt.Errorf("client certificate %q is missing", u.ClientCertificate)
		}
		c.Certificates = []tls.Certificate{*client}
	}
	switch version {
	case lb.HTTP2:
		c.NextProtos = []string{lb.ALPNHTTP2}
	case lb.HTTP1:
		c.NextProtos = []string{lb.ALPNHTTP1}
	}
	return &Upstream{template: c}, nil
}

// Config returns how one member is spoken to. Host is the member's, a DNS name or
// an IP address: the name asked for (SNI) and verified unless the pool has another.
//
// Handshakes under the config resume the member's last session. It is kept for
// each member apart, as members that share a name need not share the keys of their
// tickets.
func (u *Upstream) Config(host string) *tls.Config {
	c := u.template.Clone()
	if c.ServerName == "" {
		c.ServerName = host
	}
	c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return c
}
