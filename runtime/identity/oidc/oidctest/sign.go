package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
)

// discard takes what net/http logs of connections that were hung up on.
var discard = log.New(io.Discard, "", 0)

// SignOption changes how one token is signed.
type SignOption func(*signing)

type signing struct {
	key     any
	id      string
	alg     jose.SignatureAlgorithm
	headers map[jose.HeaderKey]any
	payload []byte
}

// KeyID names another key in the header than the one that signs. "" names none.
func KeyID(id string) SignOption { return func(s *signing) { s.id = id } }

// Header sets a member of the token's header.
func Header(name string, value any) SignOption {
	return func(s *signing) { s.headers[jose.HeaderKey(name)] = value }
}

// Payload signs these bytes in place of the claims.
func Payload(b []byte) SignOption { return func(s *signing) { s.payload = b } }

// ByStranger signs with a key that is not the issuer's, under the id of the
// issuer's.
func ByStranger(t testing.TB) SignOption {
	t.Helper()
	return By(newKey(t, jose.ES256), jose.ES256)
}

// By signs with a key of the test's own.
func By(key crypto.Signer, algorithm jose.SignatureAlgorithm) SignOption {
	return func(s *signing) { s.key, s.alg = key, algorithm }
}

// Unsigned makes a token of algorithm "none", without signature.
func Unsigned() SignOption { return func(s *signing) { s.alg = "none" } }

// WithPublicKeyAsSecret signs with HS256, and for a secret takes the issuer's
// public key in PEM, as everybody can. Who lets the token choose the algorithm
// falls for it.
func WithPublicKeyAsSecret() SignOption {
	return func(s *signing) {
		signer, ok := s.key.(crypto.Signer)
		if !ok {
			return
		}
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return
		}
		s.key, s.alg = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jose.HS256
	}
}

// Sign returns a token in compact serialization.
func (i *Issuer) Sign(claims map[string]any, opts ...SignOption) string {
	i.t.Helper()
	key := i.current()
	s := &signing{key: key.private, id: key.id, alg: key.algorithm, headers: map[jose.HeaderKey]any{"typ": "JWT"}}
	for _, opt := range opts {
		opt(s)
	}
	if s.payload == nil {
		payload, err := json.Marshal(claims)
		if err != nil {
			i.t.Fatal(err)
		}
		s.payload = payload
	}
	if s.id != "" {
		s.headers["kid"] = s.id
	}
	if s.alg == "none" {
		s.headers["alg"] = "none"
		header, err := json.Marshal(s.headers)
		if err != nil {
			i.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(s.payload) + "."
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.alg, Key: s.key}, &jose.SignerOptions{ExtraHeaders: s.headers})
	if err != nil {
		i.t.Fatal(err)
	}
	jws, err := signer.Sign(s.payload)
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

// newKey makes a key that an algorithm signs with.
func newKey(t testing.TB, algorithm jose.SignatureAlgorithm) crypto.Signer {
	t.Helper()
	var (
		key crypto.Signer
		err error
	)
	switch algorithm {
	case jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case jose.ES512:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case jose.EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}
