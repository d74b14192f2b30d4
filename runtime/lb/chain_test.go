package lb

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

func TestChains(t *testing.T) {
	root := issue(t, newKey(t, elliptic.P256()), nil)
	middle := issue(t, newKey(t, elliptic.P256()), &root)
	leaf := issue(t, newKey(t, elliptic.P256()), &middle, "a.example.com")
	weak, p224 := issue(t, newRSA(t, 1024), nil, "weak"), issue(t, newKey(t, elliptic.P224()), nil, "p224")
	withHeaders := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Key": leaf.pem[30:60]}, Bytes: leaf.cert.Raw}))
	broken := strings.Replace(leaf.pem, "-----END", "----END", 1)
	body := strings.Join(strings.Split(strings.TrimSpace(leaf.pem), "\n")[1:3], "\n")

	tests := []struct {
		name, chain string
		certs       int
		says        string
	}{
		{"leaf alone", leaf.chain, 1, ""},
		{"leaf and its issuers", leaf.chain + middle.chain + root.chain, 3, ""},
		{"carriage returns and blank lines", "\r\n" + strings.ReplaceAll(leaf.chain, "\n", "\r\n") + "\n\n" + middle.chain + "\n", 2, ""},
		{"RSA", issue(t, newRSA(t, 2048), nil, "rsa").chain, 1, ""},
		{"Ed25519", issue(t, newEd25519(t), nil, "ed").chain, 1, ""},
		{"P-521", issue(t, newKey(t, elliptic.P521()), nil, "p521").chain, 1, ""},
		{"nothing", "", 0, "is required"},
		{"white space", " \n", 0, "is not a certificate in PEM"},
		{"garbage", "hello", 0, "is not a certificate in PEM"},
		{"DER", string(leaf.cert.Raw), 0, "is not a certificate in PEM"},
		{"wrong order", middle.chain + leaf.chain, 0, "certificate 1 of the chain is not signed by certificate 2"},
		{"issuer left out", leaf.chain + root.chain, 0, "certificate 1 of the chain is not signed"},
		{"the same twice", leaf.chain + leaf.chain, 0, "is not signed"},
		{"RSA of 1024 bits", weak.chain, 0, "RSA key of 1024 bits; it must have between 2048 and 8192"},
		{"a curve that TLS does not use", p224.chain, 0, "P-256, P-384 and P-521"},
		{"key after the chain", leaf.chain + leaf.pem, 0, "contains a private key"},
		{"key before the chain", leaf.pem + leaf.chain, 0, "contains a private key"},
		{"key whose block is broken", broken + leaf.chain, 0, "contains a private key"},
		{"bare lines of a key before the chain", body + "\n" + leaf.chain, 0, "text around block 1"},
		{"bare lines of a key between certificates", leaf.chain + body + "\n" + middle.chain, 0, "text around block 2"},
		{"bare lines of a key after the chain", leaf.chain + body, 0, "text after the last"},
		{"key in a header of the block", withHeaders, 0, "text around block 1"},
		{"another block", leaf.chain + block("PUBLIC KEY", []byte("x")), 0, "is neither a CERTIFICATE nor"},
		{"block that is no certificate", block("CERTIFICATE", []byte("x")), 0, "certificate 1 does not parse"},
		{"key in a certificate's block", block("CERTIFICATE", mustPKCS8(t, leaf)), 0, "does not parse"},
		{"21 certificates", strings.Repeat(root.chain, 21), 0, "has 21 certificates; at most 20"},
		{"too large", strings.Repeat("x", MaxPEMBytes+1), 0, "at most 262144"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chain, err := ParseChain(tt.chain)
			if tt.says == "" {
				if err != nil || len(chain) != tt.certs {
					t.Fatalf("%d certificates, %v", len(chain), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error is %v, want … %s …", err, tt.says)
			}
			assertRepeatsNothing(t, err, tt.chain)
		})
	}
}

func TestDerivedAttributesAreTheLeafs(t *testing.T) {
	leaf := newIssued(t, "b.example.com", "A.example.com")
	c := &Certificate{ChainPEM: leaf.chain, Fingerprint: "mine", DNSNames: []string{"mine"}, Issuer: "mine"}
	c.Normalize()
	spki, err := x509.MarshalPKIXPublicKey(leaf.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if c.Fingerprint != spkiFingerprint(spki) || c.Issuer != "CN=test" || !c.NotAfter.Equal(leaf.cert.NotAfter) || !c.NotBefore.Equal(leaf.cert.NotBefore) ||
		strings.Join(c.DNSNames, " ") != "a.example.com b.example.com" {
		t.Errorf("%+v", c)
	}
	if renewed := issue(t, leaf.key, nil, "c.example.com"); Fingerprint(renewed.cert) != c.Fingerprint {
		t.Error("a renewed certificate of the same key has another fingerprint")
	}
}

// assertRepeatsNothing fails when an error has a line of the input in it, or a
// good part of one.
func assertRepeatsNothing(t testing.TB, err error, inputs ...string) {
	t.Helper()
	for _, input := range inputs {
		for line := range strings.Lines(input) {
			line = strings.TrimSpace(line)
			for i := 0; i+12 <= len(line); i += 6 {
				if part := line[i : i+12]; !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), part) {
					t.Errorf("the error repeats %q: %v", part, err)
				}
			}
		}
	}
}

func mustPKCS8(t testing.TB, i issued) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
