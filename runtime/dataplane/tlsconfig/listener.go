package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Listener is the part of a listener's TLS that outlives the versions of its
// configuration: the keys of its session tickets. There is one for each name of a
// listener, and no two share keys. The zero value is ready. Its methods are safe
// for concurrent use.
type Listener struct {
	keys ticketKeys
}

// Config returns how a version of the listener speaks TLS. Certificates stand beside
// config.Certificates, with Leaf set; those that are nil are passed over. Neither
// may change afterwards.
//
// Tickets of earlier versions resume their sessions as long as the rules for client
// certificates are the same, and for a day and a half at most. With other rules
// the client shakes hands anew: its certificate was judged, or not asked for, by
// rules that no longer hold.
//
// Client authorities that do not parse are passed over, so without any that does
// no client certificate is accepted.
func (l *Listener) Config(config *lb.Listener, certificates []*tls.Certificate) *tls.Config {
	c := &tls.Config{
		MinVersion:     minVersion(config.TLS.MinVersion),
		NextProtos:     offered(config.TLS.ALPN),
		GetCertificate: newCertificateTable(config, certificates).choose,
		ClientAuth:     clientAuth(config.TLS.ClientAuth),
	}
	if c.ClientAuth != tls.NoClientCert {
		// Never nil, which would stand for the authorities of the system.
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AppendCertsFromPEM([]byte(config.TLS.ClientCAPEM))
	}
	s := &sessions{keys: &l.keys, rules: config.TLS}
	c.WrapSession, c.UnwrapSession = s.wrap, s.unwrap
	return c
}

// Latest returns a config under which each handshake goes by what current returns
// when the client's hello has arrived. So connections that are open, or whose
// handshake is under way, stay as they are when a new version takes over. Current
// is called from many goroutines; where it returns nil the client is refused.
func Latest(current func() *tls.Config) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current(), nil },
	}
}

// offered returns protocols in our order of preference: HTTP/2 first.
func offered(protocols []string) []string {
	var offer []string
	for _, p := range lb.ALPNProtocols {
		if slices.Contains(protocols, p) {
			offer = append(offer, p)
		}
	}
	return offer
}

// clientAuth fails closed: what it does not know requires a certificate.
func clientAuth(a lb.ClientAuth) tls.ClientAuthType {
	switch a {
	case lb.ClientAuthNone:
		return tls.NoClientCert
	case lb.ClientAuthOptional:
		return tls.VerifyClientCertIfGiven
	}
	return tls.RequireAndVerifyClientCert
}
