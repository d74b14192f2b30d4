package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// sealedKey is a private key as it is sealed. The fingerprint inside binds the
// sealed bytes to the place where they are kept.
type sealedKey struct {
	Fingerprint string `json:"fingerprint"`
	KeyPEM      string `json:"key_pem"`
}

// keySecret is where the key of a public-key fingerprint is kept. Keys are
// kept by fingerprint, so an older certificate finds its own key again.
func keySecret(fingerprint string) string { return "key/" + fingerprint }

// privateKey checks the key that comes with a certificate and seals it. Without
// one the stored key must fit the chain.
func (c *Controller) privateKey(put Put, current *Object) ([]Secret, error) {
	cert, ok := put.Object.(*lb.Certificate)
	if !ok {
		return nil, nil
	}
	refuseKey := func(detail string) error {
		return refuseFields(CodeInvalid, put.Address.String()+" is not valid", lb.Violations{{Pointer: "/private_key_pem", Detail: detail}})
	}
	if put.PrivateKey == "" {
		if current == nil {
			return nil, refuseKey("is required: the private key of the chain's leaf certificate, in PEM")
		}
		if held, ok := current.Object.(*lb.Certificate); !ok || held.Fingerprint != cert.Fingerprint {
			return nil, refuseKey("is required: the chain's leaf has another public key than the stored private key")
		}
		return nil, nil
	}
	if _, err := lb.KeyPair(cert.ChainPEM, put.PrivateKey); err != nil {
		return nil, refuseKey(err.Error())
	}
	if current != nil {
		if held, ok := current.Object.(*lb.Certificate); ok && held.Fingerprint == cert.Fingerprint {
			return nil, nil // the key that matches is stored already
		}
	}
	plain, err := json.Marshal(sealedKey{cert.Fingerprint, put.PrivateKey})
	if err != nil {
		return nil, errors.New("private key not encoded")
	}
	sealed, err := c.opts.Sealer.Seal(plain)
	if err != nil {
		return nil, fmt.Errorf("seal private key: %w", err)
	}
	return []Secret{{ID: keySecret(cert.Fingerprint), Sealed: sealed}}, nil
}

// Keys opens the private keys that a store holds.
type Keys struct {
	Reader Reader
	Sealer Sealer
}

// PrivateKey returns the PEM of the private key with a public-key fingerprint.
func (k Keys) PrivateKey(ctx context.Context, fingerprint string) (string, error) {
	sealed, err := k.Reader.Secret(ctx, keySecret(fingerprint))
	if err != nil {
		return "", fmt.Errorf("read private key %s: %w", fingerprint, err)
	}
	if sealed == nil {
		return "", fmt.Errorf("private key %s is not stored", fingerprint)
	}
	plain, err := k.Sealer.Open(sealed)
	if err != nil {
		return "", fmt.Errorf("private key %s can't be opened: %w", fingerprint, err)
	}
	var key sealedKey
	if err := json.Unmarshal(plain, &key); err != nil || key.Fingerprint != fingerprint {
		return "", fmt.Errorf("private key %s: what is stored is another key", fingerprint)
	}
	return key.KeyPEM, nil
}
