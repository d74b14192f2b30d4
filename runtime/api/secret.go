package api

import "log/slog"

// Redacted stands wherever a secret would have been printed.
const Redacted = "[redacted]"

// Secret is text that must not be seen. Every way of printing it shows
// [Redacted]; only [Secret.Reveal] returns the text. Client code that sends one
// marshals the revealed text on purpose.
type Secret string

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (Secret) String() string { return Redacted }

// GoString implements fmt.GoStringer, so that %#v is safe too.
func (Secret) GoString() string { return Redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = Secret(b)
	return nil
}
