package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"
)

// identity is a certificate for one host name, signed by an authority made for
// it. Everything is PEM.
type identity struct {
	authority string
	chain     string // the leaf alone; clients know the authority
	key       string
}

// newIdentity makes an authority and a certificate that is valid for a day.
func newIdentity(host string) (*identity, error) {
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "auditlb demo authority"},
		NotBefore:             now.Add(-time.Minute),
		NotAfter:              now.Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, err
	}
	authorityPEM, err := sign(authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	leafPEM, err := sign(leaf, authority, leafKey.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	return &identity{authority: authorityPEM, chain: leafPEM, key: encode("PRIVATE KEY", key)}, nil
}

func sign(cert, issuer *x509.Certificate, key crypto.PublicKey, issuerKey crypto.Signer) (string, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, key, issuerKey)
	if err != nil {
		return "", err
	}
	return encode("CERTIFICATE", der), nil
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
