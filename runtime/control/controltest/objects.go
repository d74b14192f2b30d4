package controltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Pool is a pool of members a, b, c … at addresses.
func Pool(addresses ...string) *lb.Pool {
	p := lb.NewPool()
	p.Owner, p.Members = "team-web", map[string]lb.Member{}
	for i, address := range addresses {
		m := lb.NewMember()
		m.Address = address
		p.Members[string(rune('a'+i))] = m
	}
	p.Normalize()
	return p
}

// Numbered is a pool that is told from others by a label.
func Numbered(n int) *lb.Pool {
	p := Pool("127.0.0.1:8080")
	p.Labels["n"] = strconv.Itoa(n)
	return p
}

// Listener is an http listener on loopback.
func Listener(port int, pool string) *lb.Listener {
	l := lb.NewListener()
	l.Owner, l.Address, l.Port, l.DefaultPool = "team-web", "127.0.0.1", port, pool
	l.Normalize()
	return l
}

// Route sends a listener's requests under a path to a pool.
func Route(listener, path, pool string) *lb.Route {
	r := lb.NewRoute()
	r.Owner, r.Listener, r.Match.PathPrefix = "team-web", listener, path
	r.Action.Forward = map[string]lb.ForwardTarget{pool: {Weight: 1}}
	r.Normalize()
	return r
}

// Certificate is a self-signed certificate with its key in PEM.
func Certificate(t testing.TB, name string) (cert *lb.Certificate, keyPEM string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert = &lb.Certificate{
		Meta:     lb.Meta{Owner: "team-web"},
		ChainPEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	}
	cert.Normalize()
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// BigPool is a pool whose JSON has at least a number of bytes.
func BigPool(bytes int) *lb.Pool {
	p := Pool()
	m := lb.NewMember()
	for i := 0; i*80 < bytes; i++ {
		m.Address = fmt.Sprintf("10.%d.%d.%d:8080", i>>16&255, i>>8&255, i&255)
		p.Members[fmt.Sprintf("member-%06d", i)] = m
	}
	return p
}
