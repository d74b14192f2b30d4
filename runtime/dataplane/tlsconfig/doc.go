// Package tlsconfig builds what crypto/tls needs to speak TLS with clients (a
// [Listener]) and with members (an [Upstream]).
//
// Cipher suites and key exchanges are those of crypto/tls, whose defaults follow
// current practice. Nobody renegotiates. A failed handshake tells the other side
// an alert (RFC 8446 §6) and nothing else.
package tlsconfig

import (
	"crypto/tls"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// minVersion returns the oldest version accepted: 1.2 unless 1.3 is asked for.
func minVersion(v lb.TLSVersion) uint16 {
	if v == lb.TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}
