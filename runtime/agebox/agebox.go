// Package agebox seals secrets for keeping, with age (age-encryption.org/v1).
// Every sealed secret has a file key of its own, wrapped by the box's identity.
package agebox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Box seals to one age X25519 identity and opens what was sealed to it.
type Box struct {
	identity *age.X25519Identity
}

// maxOpened bounds an opened secret: far above any private key.
const maxOpened = 1 << 20

// Generate makes the text of a new identity: "AGE-SECRET-KEY-1…".
func Generate() (string, error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("generate age identity: %w", err)
	}
	return identity.String(), nil
}

// New makes a box of an identity in age's text form. Blank lines and lines
// beginning with # are passed over, as in age's key files.
func New(text string) (*Box, error) {
	var found string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if found != "" {
			return nil, errors.New("the secrets key must be a single age identity")
		}
		found = line
	}
	identity, err := age.ParseX25519Identity(found)
	if err != nil {
		return nil, errors.New("the secrets key is not an age identity (AGE-SECRET-KEY-1…)")
	}
	return &Box{identity}, nil
}

// Seal encrypts a secret.
func (b *Box) Seal(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, b.identity.Recipient())
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return out.Bytes(), nil
}

// Open decrypts a sealed secret.
func (b *Box) Open(sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), b.identity)
	if err != nil {
		return nil, errors.New("it was sealed with another key, or is damaged")
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxOpened))
	if err != nil {
		return nil, errors.New("it is damaged")
	}
	return plain, nil
}
