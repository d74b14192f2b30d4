package client

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// MaxIDTokenBytes bounds an ID token, wherever it comes from.
const MaxIDTokenBytes = 64 << 10

// idTokenClaims is what an ID token says of itself. Nobody has verified it: it
// explains refusals, and keeps tokens made for others from being sent.
type idTokenClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	// Expires is in seconds since 1970, 0 when the token doesn't tell.
	Expires float64 `json:"exp"`
}

// audience is one text or a list of them.
type audience []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (a *audience) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		*a = make(audience, 1)
		return json.UnmarshalDecode(dec, &(*a)[0])
	}
	return json.UnmarshalDecode(dec, (*[]string)(a))
}

// readIDToken returns what a token says of itself. Its errors never repeat it.
func readIDToken(token api.Secret) (idTokenClaims, error) {
	text := token.Reveal()
	if text == "" {
		return idTokenClaims{}, errors.New("it is empty")
	}
	if len(text) > MaxIDTokenBytes {
		return idTokenClaims{}, fmt.Errorf("it is larger than %d bytes", MaxIDTokenBytes)
	}
	errForm := errors.New("it is not a signed JWT, three parts of base64 with dots between them")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return idTokenClaims{}, errForm
	}
	var payload []byte
	for i, part := range parts {
		decoded, err := base64.RawURLEncoding.Strict().DecodeString(part)
		// The decoder passes over line breaks, a header field can't.
		if err != nil || len(decoded) == 0 || strings.ContainsAny(part, "\r\n") {
			return idTokenClaims{}, errForm
		}
		if i == 1 {
			payload = decoded
		}
	}
	var claims idTokenClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return idTokenClaims{}, errors.New("its claims are not the JSON of a JWT")
	}
	return claims, nil
}

// describe says which token it was, at a time now, as far as it tells.
func (c idTokenClaims) describe(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "issuer %.200q, subject %.200q, audience %s", c.Issuer, c.Subject, c.Audience)
	if c.Expires > 0 && c.Expires < 1<<40 {
		end, verb := time.Unix(int64(c.Expires), 0).UTC(), "ends"
		if !now.Before(end) {
			verb = "it ended"
		}
		fmt.Fprintf(&b, ", %s at %s", verb, end.Format(time.RFC3339))
	}
	return b.String()
}

// String quotes the audience, shortened.
func (a audience) String() string {
	quoted := make([]string, 0, 4)
	for i, text := range a {
		if i == 4 {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, fmt.Sprintf("%.200q", text))
	}
	if len(quoted) == 0 {
		return "none"
	}
	return strings.Join(quoted, ", ")
}
