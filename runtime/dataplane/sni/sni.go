// Package sni reads what a TLS client says before anything is encrypted: the server
// name that it asks for and the protocols that it offers. A connection can so be
// given to the right pool without being decrypted.
//
// The ClientHello is parsed strictly and within [MaxBytes]; everything that was read
// is kept, to be sent to the member first. Nothing here is authenticated: a name
// chooses a way, it proves nothing. A client that uses Encrypted Client Hello shows
// the name of its public front.
package sni

import "errors"

// MaxBytes bounds a ClientHello with the headers of its records. Real ones take 200
// bytes to 2 KiB.
const MaxBytes = 16 << 10

// Hello is what a ClientHello says.
type Hello struct {
	// ServerName is the host asked for (RFC 6066 §3) in lower case, a DNS name
	// without a dot at its end; "" when the client names none.
	ServerName string
	// ALPN lists the application protocols offered, the preferred one first
	// (RFC 7301 §3.1); nil when the client offers none.
	ALPN []string
}

var (
	// ErrIncomplete asks for more bytes.
	ErrIncomplete = errors.New("client hello is incomplete")
	// ErrNotTLS says that the first bytes are not a TLS handshake's. One byte is
	// enough to tell most other protocols.
	ErrNotTLS = errors.New("not TLS")
	// ErrTooLarge says that the ClientHello does not fit in [MaxBytes].
	ErrTooLarge = errors.New("client hello is too large")
	// ErrMalformed says that a ClientHello breaks the rules of TLS.
	ErrMalformed = errors.New("malformed client hello")
	// ErrBadName says that the server name is not a DNS name: an IP address, for
	// example, which RFC 6066 §3 does not allow.
	ErrBadName = errors.New("server name is not a DNS name")
)

// Parse reads the ClientHello that b begins with and returns how many bytes its
// records take. The error is [ErrIncomplete] as long as b may become one, else one of
// [ErrNotTLS], [ErrTooLarge], [ErrMalformed] and [ErrBadName]. It keeps nothing of b.
func Parse(b []byte) (hello Hello, n int, err error) {
	body, n, err := clientHello(b)
	if err != nil {
		return Hello{}, 0, err
	}
	hello, err = parseHello(body)
	if err != nil {
		return Hello{}, 0, err
	}
	return hello, n, nil
}
