package tlsconfig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// authority issues certificates.
type authority struct {
	*tls.Certificate
	pem string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	c := sign(t, newKey(t), nil, &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	return &authority{c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))}
}

// issue makes a certificate, for servers and clients, that can be told by its subject.
func (a *authority) issue(t *testing.T, subject string, names ...string) *tls.Certificate {
	t.Helper()
	return a.issueFor(t, newKey(t), subject, names...)
}

func (a *authority) issueFor(t *testing.T, key crypto.Signer, subject string, names ...string) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: subject},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	c := sign(t, key, a, template)
	c.Certificate = append(c.Certificate, a.Certificate.Certificate[0])
	return c
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is made once, as it takes a while.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// sign makes a certificate that holds for a year; by nil signs itself.
func sign(t *testing.T, key crypto.Signer, by *authority, template *x509.Certificate) *tls.Certificate {
	t.Helper()
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<62))
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	issuer, issuerKey := template, crypto.PrivateKey(key)
	if by != nil {
		issuer, issuerKey = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// listening is an https listener with its certificates named c0, c1 and so on.
func listening(change func(*lb.Listener), certificates ...*tls.Certificate) (*lb.Listener, []*tls.Certificate) {
	config := lb.NewListener()
	config.Protocol = lb.ListenerHTTPS
	for i := range certificates {
		config.Certificates = append(config.Certificates, "c"+string(rune('0'+i)))
	}
	if change != nil {
		change(config)
	}
	return config, certificates
}

// trusting is a client that trusts the authority.
func trusting(a *authority, name string, present ...*tls.Certificate) *tls.Config {
	c := &tls.Config{ServerName: name, RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.Leaf)
	for _, p := range present {
		c.Certificates = append(c.Certificates, *p)
	}
	return c
}

// handshake connects the two and lets the server say hello. It returns what the
// client has of the connection, and each side's error.
func handshake(server, client *tls.Config) (state tls.ConnectionState, clientErr, serverErr error) {
	near, far, err := loopback()
	if err != nil {
		return state, err, err
	}
	done := make(chan error, 1)
	go func() {
		defer far.Close()
		_, err := io.WriteString(tls.Server(far, server), "hello")
		io.Copy(io.Discard, far) // closing with data unread would take the alert back
		done <- err
	}()
	conn := tls.Client(near, client)
	// Reading takes in the server's tickets, and its refusal of a certificate.
	_, clientErr = io.ReadFull(conn, make([]byte, len("hello")))
	near.Close()
	return conn.ConnectionState(), clientErr, <-done
}

// loopback returns both ends of a connection.
func loopback() (near, far net.Conn, err error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer socket.Close()
	if near, err = net.Dial("tcp", socket.Addr().String()); err != nil {
		return nil, nil, err
	}
	if far, err = socket.Accept(); err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}
