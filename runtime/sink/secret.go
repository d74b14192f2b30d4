package sink

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/net/http/httpguts"
)

// Secret returns a secret each time it is used, so that it can be changed while the
// program runs. There is nothing in it that could be printed.
type Secret func() (string, error)

// SecretText is a secret that stays.
func SecretText(text string) Secret {
	return func() (string, error) { return text, nil }
}

// SecretFile is a secret in a file. White space around it is cut off.
func SecretFile(path string) Secret {
	return func() (string, error) {
		b, err := os.ReadFile(path)
		var cause *fs.PathError
		if errors.As(err, &cause) {
			return "", fmt.Errorf("%s: %w", path, cause.Err)
		}
		return strings.TrimSpace(string(b)), err
	}
}

var errNoHeader = errors.New("is empty or not fit to be sent as a field of HTTP")

// header is the secret as the value of a field of HTTP.
func (s Secret) header() (string, error) {
	text, err := s()
	if err == nil && (text == "" || !httpguts.ValidHeaderFieldValue(text)) {
		err = errNoHeader
	}
	return text, err
}

// Bounds of a secret that signs, in bytes (Standard Webhooks, "Signature scheme").
const (
	minSecretBytes = 24
	maxSecretBytes = 64
	maxSecrets     = 4
)

// ParseSecrets reads the secrets that sign a webhook: whsec_ and 24 to 64 random bytes
// in base64. Of several, one a line, each signs, so that a receiver can be moved from
// one to the next without a gap. Errors repeat nothing of them.
func ParseSecrets(text string) ([]*standardwebhooks.Webhook, error) {
	var signers []*standardwebhooks.Webhook
	for line := range strings.FieldsSeq(text) {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_"))
		if err != nil || len(raw) < minSecretBytes || len(raw) > maxSecretBytes {
			return nil, fmt.Errorf("must hold whsec_ and %d to %d random bytes in base64, such as of: echo whsec_$(openssl rand -base64 32)", minSecretBytes, maxSecretBytes)
		}
		signer, err := standardwebhooks.NewWebhookRaw(raw)
		if err != nil {
			return nil, errors.New("can't be used to sign")
		}
		signers = append(signers, signer)
	}
	if len(signers) == 0 || len(signers) > maxSecrets {
		return nil, fmt.Errorf("must hold 1 to %d secrets, one a line", maxSecrets)
	}
	return signers, nil
}
