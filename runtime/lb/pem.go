package lb

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Bounds of PEM texts.
const (
	// MaxPEMBytes bounds a chain, and a list of authorities.
	MaxPEMBytes = 256 << 10
	// MaxStapleBytes bounds an OCSP response, in DER.
	MaxStapleBytes = 16 << 10

	pemTypeCertificate    = "CERTIFICATE"
	pemTypeStaple         = "OCSP RESPONSE"
	pemTypePrivateKeyWord = "PRIVATE KEY"
)

// HoldsPrivateKey reports whether a text has a private key in PEM in it, or the
// beginning or end of one.
func HoldsPrivateKey(text string) bool { return strings.Contains(text, pemTypePrivateKeyWord+"-----") }

// ParseAuthorities reads certificates in PEM, in any order, that others are
// verified by. Its errors never repeat the input.
func ParseAuthorities(text string) ([]*x509.Certificate, error) {
	if text == "" {
		return nil, errors.New("is required: the certificates of the authorities, in PEM")
	}
	authorities, rest, err := cutCertificates(text)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("contains a PEM block that is not a %s", pemTypeCertificate)
	}
	return authorities, nil
}

// cutCertificates reads the certificates that a text begins with, at least one.
// Rest is what follows them: nothing, or a PEM block of another type.
func cutCertificates(text string) (certs []*x509.Certificate, rest []byte, err error) {
	if len(text) > MaxPEMBytes {
		return nil, nil, fmt.Errorf("is %d bytes; at most %d are allowed", len(text), MaxPEMBytes)
	}
	if strings.Contains(text, pemTypePrivateKeyWord) {
		return nil, nil, errors.New("contains a private key; the key belongs in the write-only private key attribute of a certificate")
	}
	rest = []byte(text)
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			break
		}
		if !alone(block, rest[:len(rest)-len(after)]) {
			return nil, nil, fmt.Errorf("has text around block %d; nothing but PEM blocks is allowed", len(certs)+1)
		}
		if block.Type != pemTypeCertificate {
			return certs, rest, certificateMissing(certs)
		}
		rest = after
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("certificate %d does not parse", len(certs)+1)
		}
		certs = append(certs, cert)
	}
	if len(bytes.TrimSpace(rest)) > 0 && len(certs) > 0 {
		return nil, nil, errors.New("has text after the last PEM block")
	}
	return certs, nil, certificateMissing(certs)
}

func certificateMissing(certs []*x509.Certificate) error {
	if len(certs) == 0 {
		return fmt.Errorf("is not a certificate in PEM: it must begin with a %s block", pemTypeCertificate)
	}
	return nil
}

// alone reports whether text is the PEM block and nothing else. What pem.Decode
// skips (a preamble, headers, a block that is cut off) would be kept and logged
// with the rest, and nobody has looked at it.
func alone(block *pem.Block, text []byte) bool {
	bare := pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})
	return bytes.Equal(withoutSpace(bare), withoutSpace(text))
}

func withoutSpace(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }

// parseStaple reads what may follow a chain: one OCSP response (RFC 6960
// §4.2.1) that says something. Whom it is about and until when is for those
// who serve it to look at.
func parseStaple(text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemTypeStaple {
		return nil, fmt.Errorf("contains a PEM block that is neither a %s nor, at its end, an %s", pemTypeCertificate, pemTypeStaple)
	}
	if !alone(block, text[:len(text)-len(rest)]) || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("has text around or after the %s", pemTypeStaple)
	}
	if len(block.Bytes) > MaxStapleBytes {
		return nil, fmt.Errorf("has an %s of %d bytes; at most %d are allowed", pemTypeStaple, len(block.Bytes), MaxStapleBytes)
	}
	var response struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type     asn1.ObjectIdentifier
			Response []byte
		} `asn1:"explicit,tag:0,optional"`
	}
	if after, err := asn1.Unmarshal(block.Bytes, &response); err != nil || len(after) > 0 {
		return nil, fmt.Errorf("has an %s that does not parse", pemTypeStaple)
	}
	if response.Status != 0 || len(response.Bytes.Response) == 0 {
		return nil, fmt.Errorf("has an %s by which the responder gave no answer", pemTypeStaple)
	}
	return block.Bytes, nil
}
