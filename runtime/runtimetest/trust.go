package runtimetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

// CA is an authority that certificates come from.
type CA struct {
	PEM  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes an authority.
func NewCA(t testing.TB, name string) *CA {
	t.Helper()
	ca := &CA{key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.PEM = encode("CERTIFICATE", der)
	return ca
}

// Issue makes a certificate for servers and clients, as a test changes it.
func (ca *CA) Issue(t testing.TB, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(template)
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TLS makes the management API speak TLS, and trust the client certificates of an
// authority by rules; nil for none.
func TLS(clients *CA, rules ...daemon.ClientCertificate) Option {
	return func(t testing.TB, r *Runtime) {
		ca := NewCA(t, "servers")
		pair := ca.Issue(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.IPAddresses = "runtime", []net.IP{net.IPv4(127, 0, 0, 1)}
		})
		pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		r.CAPEM = string(ca.PEM)
		r.config.Management.TLS = &daemon.TLS{
			CertFile: File(t, "tls.pem", encode("CERTIFICATE", pair.Certificate[0])),
			KeyFile:  File(t, "tls.key", encode("PRIVATE KEY", pkcs8)),
		}
		if clients != nil {
			r.config.Management.TLS.ClientCAFile = File(t, "clients.pem", clients.PEM)
			r.config.Management.ClientCertificates = rules
		}
	}
}

// File writes a file that goes with the test, and returns its path.
func File(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Audience is whom tokens of issuers have to be for.
const Audience = "https://lb.example.com"

// Trust makes the runtime accept an issuer's tokens. What the block leaves out of
// name, issuer, audiences and authority is filled in.
func Trust(issuer *oidctest.Issuer, block daemon.OIDC) Option {
	return func(t testing.TB, r *Runtime) {
		if block.Name == "" {
			block.Name = "ci"
		}
		block.Issuer, block.Audiences = issuer.URL, []string{Audience}
		if len(issuer.CAPEM) > 0 {
			block.CAFile = File(t, "issuer.pem", issuer.CAPEM)
		}
		r.config.OIDC = append(r.config.OIDC, block)
	}
}
