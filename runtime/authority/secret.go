package authority

import (
	"log/slog"
	"strings"
)

// redacted stands wherever a secret would have been printed.
const redacted = "[redacted]"

// Secret is a password or token that every way of printing hides. The zero Secret
// is none.
type Secret struct{ reveal func() string }

// NewSecret keeps a text. An empty one is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{func() string { return text }}
}

// SecretFrom asks for the text each time it is used, so that it can be changed
// while the program runs, in a file for instance. White space around it is cut off.
// The function may be called by several goroutines at once.
func SecretFrom(reveal func() string) Secret { return Secret{reveal} }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.reveal == nil }

// text returns the secret and whether it can be sent in a field of HTTP.
func (s Secret) text() (string, bool) {
	text := strings.TrimSpace(s.reveal())
	sendable := text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
	return text, sendable
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer, so that %#v is safe too.
func (Secret) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
