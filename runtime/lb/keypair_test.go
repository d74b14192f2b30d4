package lb

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestKeysOfEveryFormServe(t *testing.T) {
	ec, rsaKey, ed := newKey(t, elliptic.P256()), newRSA(t, 2048), newEd25519(t)
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	ecCert, rsaCert, edCert := issue(t, ec, nil, "ec"), issue(t, rsaKey, nil, "rsa"), issue(t, ed, nil, "ed")
	for name, pair := range map[string][2]string{
		"ECDSA in PKCS #8":          {ecCert.chain, ecCert.pem},
		"ECDSA in SEC 1":            {ecCert.chain, block("EC PRIVATE KEY", sec1)},
		"RSA in PKCS #8":            {rsaCert.chain, rsaCert.pem},
		"RSA in PKCS #1":            {rsaCert.chain, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))},
		"Ed25519 in PKCS #8":        {edCert.chain, edCert.pem},
		"with carriage returns":     {ecCert.chain, strings.ReplaceAll(ecCert.pem, "\n", "\r\n")},
		"with text around it":       {ecCert.chain, "Bag Attributes\n" + ecCert.pem + "\n"},
		"without a line at its end": {ecCert.chain, strings.TrimSpace(ecCert.pem)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := KeyPair(pair[0], pair[1])
			if err != nil || len(got.Certificate) != 1 || got.PrivateKey == nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestKeysThatWillNotDo(t *testing.T) {
	mine, other := newIssued(t, "mine"), newIssued(t, "other")
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	noSigner, err := x509.MarshalPKCS8PrivateKey(x25519)
	if err != nil {
		t.Fatal(err)
	}
	legacy := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: mustPKCS8(t, mine)}))
	tests := []struct{ name, chain, key, says string }{
		{"nothing", mine.chain, "", "is required"},
		{"another key", mine.chain, other.pem, "does not match the chain's leaf"},
		{"encrypted in PKCS #8", mine.chain, block("ENCRYPTED PRIVATE KEY", mustPKCS8(t, mine)), "is encrypted"},
		{"encrypted as OpenSSL used to", mine.chain, legacy, "is encrypted"},
		{"two keys", mine.chain, mine.pem + other.pem, "more than one PEM block"},
		{"key and chain", mine.chain, mine.pem + mine.chain, "more than one PEM block"},
		{"chain in place of the key", mine.chain, mine.chain, "is not a private key"},
		{"public key", mine.chain, block("PUBLIC KEY", []byte("x")), "is not a private key"},
		{"garbage", mine.chain, "hunter2-hunter2-hunter2", "is not a private key"},
		{"bare base64", mine.chain, strings.Split(mine.pem, "\n")[1], "is not a private key"},
		{"cut off", mine.chain, mine.pem[:len(mine.pem)-40], "is not a private key"},
		{"garbage in a block", mine.chain, block("PRIVATE KEY", []byte("hunter2")), "does not parse"},
		{"key that can't sign", mine.chain, block("PRIVATE KEY", noSigner), "can't sign"},
		{"too large", mine.chain, strings.Repeat("x", MaxPrivateKeyBytes+1), "at most"},
		{"no chain", "", mine.pem, "the chain is required"},
		{"chain that does not parse", "x", mine.pem, "the chain is not a certificate in PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := KeyPair(tt.chain, tt.key)
			if pair != nil || err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error is %v, want … %s …", err, tt.says)
			}
			assertRepeatsNothing(t, err, tt.chain, tt.key)
		})
	}
}
