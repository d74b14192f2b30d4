package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/ocsp"
)

// stapled is a certificate whose OCSP response (RFC 6960) is served while it holds
// (RFC 6066 §8). Clients fail on one that does not; most do without.
type stapled struct {
	*tls.Certificate                  // without the response when that never holds
	bare             *tls.Certificate // without the response
	until            time.Time        // the end of the response's validity; zero without one
}

func newStapled(c *tls.Certificate) *stapled {
	if len(c.OCSPStaple) == 0 {
		return &stapled{Certificate: c, bare: c}
	}
	bare := *c
	bare.OCSPStaple = nil
	until, ok := goodUntil(c)
	if !ok {
		return &stapled{Certificate: &bare, bare: &bare}
	}
	return &stapled{Certificate: c, bare: &bare, until: until}
}

// now returns the certificate to serve.
func (s *stapled) now() *tls.Certificate {
	if !s.until.IsZero() && !time.Now().Before(s.until) {
		return s.bare
	}
	return s.Certificate
}

// goodUntil returns when the certificate's OCSP response ends to hold. It holds if
// it is about this certificate, says "good", names its end, and is signed by the
// issuer when the chain has that one.
func goodUntil(c *tls.Certificate) (time.Time, bool) {
	var issuer *x509.Certificate
	if len(c.Certificate) > 1 {
		var err error
		if issuer, err = x509.ParseCertificate(c.Certificate[1]); err != nil {
			return time.Time{}, false
		}
	}
	r, err := ocsp.ParseResponseForCert(c.OCSPStaple, c.Leaf, issuer)
	if err != nil || r.Status != ocsp.Good || r.NextUpdate.IsZero() {
		return time.Time{}, false
	}
	return r.NextUpdate, true
}
