package lb

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of a certificate.
const (
	MaxChainCertificates = 20
	MaxPrivateKeyBytes   = 16 << 10
	MinRSABits           = 2048
	MaxRSABits           = 8192 // as crypto/tls accepts
	MaxPrivateKeyVersion = 1 << 31
)

// Certificate is a certificate chain for listeners that speak TLS. The private
// key is not part of it: it is kept apart, encrypted, under the fingerprint.
type Certificate struct {
	Meta
	// ChainPEM is the leaf, then its issuers, in PEM; then, if there is one, the
	// OCSP response to staple to handshakes, in a block OCSP RESPONSE.
	ChainPEM string `json:"chain_pem"`
	// PrivateKeyVersion is a number of the user's; raising it says that there
	// is a new key.
	PrivateKeyVersion int `json:"private_key_version"`

	// The rest is derived from the leaf by Normalize and is ignored on input.

	// Fingerprint is "sha256:" and the hex SHA-256 of the leaf's
	// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).
	Fingerprint string    `json:"fingerprint"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DNSNames    []string  `json:"dns_names"`
	Issuer      string    `json:"issuer"`
}

// Kind implements [Object].
func (*Certificate) Kind() Kind { return KindCertificate }

// References implements [Object]: a certificate needs nothing else.
func (*Certificate) References() []Reference { return nil }

// Normalize implements [Object]. A chain that does not parse leaves the derived
// attributes empty; Validate says why.
func (c *Certificate) Normalize() {
	c.Meta.normalize()
	c.Fingerprint, c.NotBefore, c.NotAfter, c.DNSNames, c.Issuer = "", time.Time{}, time.Time{}, []string{}, ""
	chain, err := ParseChain(c.ChainPEM)
	if err != nil {
		return
	}
	leaf := chain[0]
	c.Fingerprint = Fingerprint(leaf)
	c.NotBefore = leaf.NotBefore.UTC()
	c.NotAfter = leaf.NotAfter.UTC()
	c.DNSNames = sortedSet(lowerAll(leaf.DNSNames))
	c.Issuer = leaf.Issuer.String()
}

// Validate implements [Object].
func (c *Certificate) Validate() Violations {
	ch := newChecker()
	c.Meta.validate(ch)
	if _, err := ParseChain(c.ChainPEM); err != nil {
		ch.at("chain_pem").fail("%v", err)
	}
	ch.at("private_key_version").intIn(c.PrivateKeyVersion, 0, MaxPrivateKeyVersion)
	return *ch.found
}

// Fingerprint is "sha256:" and the hex SHA-256 of the certificate's
// SubjectPublicKeyInfo, so a renewed certificate of the same key keeps it.
func Fingerprint(cert *x509.Certificate) string { return spkiFingerprint(cert.RawSubjectPublicKeyInfo) }

func spkiFingerprint(spki []byte) string {
	sum := sha256.Sum256(spki)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ParseChain reads a PEM chain, leaf first. Its errors never repeat the input:
// somebody may have pasted the key.
func ParseChain(text string) ([]*x509.Certificate, error) {
	chain, _, err := parseChain(text)
	return chain, err
}

// parseChain also returns the OCSP response after the chain, or nil.
func parseChain(text string) (chain []*x509.Certificate, staple []byte, err error) {
	if text == "" {
		return nil, nil, errors.New("is required: the leaf certificate, then its issuers, in PEM")
	}
	chain, rest, err := cutCertificates(text)
	if err != nil {
		return nil, nil, err
	}
	if len(rest) > 0 {
		if staple, err = parseStaple(rest); err != nil {
			return nil, nil, err
		}
	}
	if len(chain) > MaxChainCertificates {
		return nil, nil, fmt.Errorf("has %d certificates; at most %d are allowed", len(chain), MaxChainCertificates)
	}
	for i := 0; i+1 < len(chain); i++ {
		if err := chain[i].CheckSignatureFrom(chain[i+1]); err != nil {
			return nil, nil, fmt.Errorf("certificate %d of the chain is not signed by certificate %d: order it leaf first, then each issuer", i+1, i+2)
		}
	}
	return chain, staple, checkPublicKey(chain[0].PublicKey)
}

// checkPublicKey admits the keys that crypto/tls serves.
func checkPublicKey(pub any) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < MinRSABits || bits > MaxRSABits {
			return fmt.Errorf("has an RSA key of %d bits; it must have between %d and %d", bits, MinRSABits, MaxRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return errors.New("has an ECDSA key on a curve that TLS does not use; P-256, P-384 and P-521 are accepted")
		}
		return nil
	case ed25519.PublicKey:
		return nil
	}
	return errors.New("has a key that is not RSA, ECDSA or Ed25519")
}

// KeyPair joins a chain and its private key for serving, with the OCSP response
// that follows the chain, if any, as the staple. Its errors name what
// is wrong with the key and never repeat it.
func KeyPair(chainPEM, keyPEM string) (*tls.Certificate, error) {
	if keyPEM == "" {
		return nil, errors.New("is required: the private key of the chain's leaf certificate, in PEM")
	}
	if len(keyPEM) > MaxPrivateKeyBytes {
		return nil, fmt.Errorf("is %d bytes; a key has at most %d", len(keyPEM), MaxPrivateKeyBytes)
	}
	block, rest := pem.Decode([]byte(keyPEM))
	if block == nil || !strings.HasSuffix(block.Type, pemTypePrivateKeyWord) {
		return nil, errors.New("is not a private key in PEM")
	}
	if strings.HasPrefix(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("is encrypted with a passphrase; give the key decrypted")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("holds more than one PEM block; give the private key alone")
	}
	pub, err := publicKeyOf(block)
	if err != nil {
		return nil, err
	}
	chain, staple, err := parseChain(chainPEM)
	if err != nil {
		return nil, fmt.Errorf("can't be checked: the chain %w", err)
	}
	if spki, err := x509.MarshalPKIXPublicKey(pub); err != nil || spkiFingerprint(spki) != Fingerprint(chain[0]) {
		return nil, errors.New("does not match the chain's leaf certificate: the public keys differ")
	}
	pair, err := tls.X509KeyPair([]byte(chainPEM), []byte(keyPEM))
	if err != nil {
		return nil, errors.New("does not match the chain's leaf certificate")
	}
	pair.OCSPStaple = staple
	return &pair, nil
}

func publicKeyOf(block *pem.Block) (crypto.PublicKey, error) {
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(b []byte) (any, error) { return x509.ParsePKCS1PrivateKey(b) },
		func(b []byte) (any, error) { return x509.ParseECPrivateKey(b) },
	} {
		key, err := parse(block.Bytes)
		if err != nil {
			continue
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, errors.New("is of a kind that can't sign; RSA, ECDSA and Ed25519 keys are accepted")
		}
		return signer.Public(), nil
	}
	return nil, errors.New("does not parse as a PKCS #8, PKCS #1 or SEC 1 private key")
}
