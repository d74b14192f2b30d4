package lb

import (
	"bytes"
	"encoding/asn1"
	"strings"
	"testing"
)

func TestAuthorities(t *testing.T) {
	a, b := newIssued(t), newIssued(t)
	tests := []struct {
		name, text string
		certs      int
		says       string
	}{
		{"one", a.chain, 1, ""},
		{"several, not in any order", b.chain + a.chain, 2, ""},
		{"nothing", "", 0, "is required"},
		{"garbage", "hello", 0, "is not a certificate in PEM"},
		{"key after the certificates", a.chain + a.pem, 0, "contains a private key"},
		{"another block", a.chain + block("OCSP RESPONSE", []byte("x")), 0, "contains a PEM block that is not a CERTIFICATE"},
		{"text before", "My CA\n" + a.chain, 0, "text around block 1"},
		{"text between", a.chain + "hello\n" + b.chain, 0, "text around block 2"},
		{"text after", a.chain + "hello", 0, "text after the last"},
		{"block that is no certificate", a.chain + block("CERTIFICATE", []byte("x")), 0, "certificate 2 does not parse"},
		{"too large", strings.Repeat("x", MaxPEMBytes+1), 0, "at most 262144"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseAuthorities(tt.text)
			if tt.says == "" {
				if err != nil || len(got) != tt.certs {
					t.Fatalf("%d certificates, %v", len(got), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("error is %v, want … %s …", err, tt.says)
			}
			assertRepeatsNothing(t, err, tt.text)
		})
	}
}

// ocspResponse is an OCSPResponse (RFC 6960 §4.2.1) with a status and, if there is
// one, an answer.
func ocspResponse(t testing.TB, status int, answer []byte) []byte {
	t.Helper()
	type responseBytes struct {
		Type     asn1.ObjectIdentifier
		Response []byte
	}
	var response any = struct{ Status asn1.Enumerated }{asn1.Enumerated(status)}
	if answer != nil {
		response = struct {
			Status asn1.Enumerated
			Bytes  responseBytes `asn1:"explicit,tag:0"`
		}{asn1.Enumerated(status), responseBytes{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}, answer}}
	}
	der, err := asn1.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestAnOCSPResponseMayFollowTheChain(t *testing.T) {
	leaf := newIssued(t, "a.example.com")
	good := ocspResponse(t, 0, []byte("answer"))
	tests := []struct {
		name, chain string
		staple      []byte
		says        string
	}{
		{"none", leaf.chain, nil, ""},
		{"one", leaf.chain + block("OCSP RESPONSE", good), good, ""},
		{"one and blank lines", leaf.chain + "\n" + block("OCSP RESPONSE", good) + "\n\n", good, ""},
		{"before the chain", block("OCSP RESPONSE", good) + leaf.chain, nil, "must begin with a CERTIFICATE"},
		{"alone", block("OCSP RESPONSE", good), nil, "must begin with a CERTIFICATE"},
		{"two", leaf.chain + block("OCSP RESPONSE", good) + block("OCSP RESPONSE", good), nil, "around or after"},
		{"a certificate after it", leaf.chain + block("OCSP RESPONSE", good) + leaf.chain, nil, "around or after"},
		{"text after it", leaf.chain + block("OCSP RESPONSE", good) + "hello", nil, "around or after"},
		{"text before it", leaf.chain + "hello\n" + block("OCSP RESPONSE", good), nil, "text around block 2"},
		{"not DER", leaf.chain + block("OCSP RESPONSE", []byte("hello")), nil, "does not parse"},
		{"more than one value", leaf.chain + block("OCSP RESPONSE", append(bytes.Clone(good), 0, 0)), nil, "does not parse"},
		{"responder that was busy", leaf.chain + block("OCSP RESPONSE", ocspResponse(t, 3, nil)), nil, "gave no answer"},
		{"success without an answer", leaf.chain + block("OCSP RESPONSE", ocspResponse(t, 0, nil)), nil, "gave no answer"},
		{"too large", leaf.chain + block("OCSP RESPONSE", ocspResponse(t, 0, make([]byte, MaxStapleBytes))), nil, "at most 16384"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := KeyPair(tt.chain, leaf.pem)
			if tt.says == "" {
				if err != nil || !bytes.Equal(pair.OCSPStaple, tt.staple) || len(pair.Certificate) != 1 {
					t.Fatalf("%+v, %v", pair, err)
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
