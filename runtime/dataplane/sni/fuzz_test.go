package sni

import (
	"errors"
	"reflect"
	"testing"
)

// Its seeds are what crypto/tls, OpenSSL and curl send, and some hostile variants.
func FuzzSNI(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := Parse(b)
		want, accepted := byCryptoTLS(b)
		if err != nil {
			if !reflect.DeepEqual(got, Hello{}) || n != 0 {
				t.Fatalf("an error comes with %+v, %d", got, n)
			}
			if accepted && !stricter(b, err) {
				t.Fatalf("crypto/tls reads %+v; Parse: %v", want, err)
			}
			return
		}
		if n > len(b) || n > MaxBytes {
			t.Fatalf("n is %d of %d", n, len(b))
		}
		if accepted && !reflect.DeepEqual(got, want) {
			t.Fatalf("Parse returned %+v, crypto/tls %+v", got, want)
		}
		if again, m, err := Parse(b[:n]); err != nil || m != n || !reflect.DeepEqual(again, got) {
			t.Fatalf("the hello alone is %+v, %d, %v", again, m, err)
		}
		for _, cut := range []int{0, 1, n / 2, n - 1} {
			if _, _, err := Parse(b[:cut]); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%d of %d bytes: %v", cut, n, err)
			}
		}
	})
}

// stricter reports whether Parse may have refused what crypto/tls accepts.
func stricter(b []byte, err error) bool {
	if errors.Is(err, ErrBadName) || errors.Is(err, ErrTooLarge) {
		return true
	}
	var message []byte
	for len(message) < handshakeHeader || len(message) < handshakeHeader+int(message[1])<<16+int(message[2])<<8+int(message[3]) {
		if len(b) < recordHeader {
			return false
		}
		length := fragmentLength(b)
		// crypto/tls passes over warnings before the hello and does not look at
		// the version of a record.
		if b[0] != typeHandshake || b[1] != 3 || length == 0 || length > maxFragment {
			return true
		}
		if len(b) < recordHeader+length {
			return false
		}
		message = append(message, b[recordHeader:recordHeader+length]...)
		b = b[recordHeader+length:]
	}
	size := int(message[2])<<8 + int(message[3])
	if len(message) > handshakeHeader+size {
		return true // crypto/tls finds what is behind the hello later
	}
	c := cursor{rest: message[handshakeHeader:]}
	c.take(2 + randomBytes)
	session, suites, compression := c.vector8(), c.vector16(), c.vector8()
	// crypto/tls does not mind, or only later.
	return len(session) > 32 || len(suites) == 0 || len(compression) == 0
}
