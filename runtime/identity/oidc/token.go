package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxTokenLength bounds a token, in bytes.
const MaxTokenLength = 16 << 10

// algorithms are the signatures that are accepted (RFC 7518, §3.1 and RFC 8037,
// §3.1): those whose verifying key can't sign.
var algorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// unverified is what a token says before anybody vouches for it: good for
// finding out who could.
type unverified struct {
	header    header
	issuer    string
	audiences []string
	// signed is the part of the token that its signature covers.
	signed string
}

// header is a token's JOSE header (RFC 7515, §4.1), as far as it is heeded. A
// key or the address of one that a token brings along is not.
type header struct {
	Algorithm string         `json:"alg"`
	KeyID     string         `json:"kid"`
	Type      string         `json:"typ"`
	Critical  jsontext.Value `json:"crit"`
}

// parse reads a token in JWS compact serialization (RFC 7515, §7.1) without
// verifying anything. Both JSON objects must be free of duplicate names and
// invalid UTF-8, so that they have one reading only.
func parse(raw string) (unverified, *Rejected) {
	if len(raw) > MaxTokenLength {
		return unverified{}, reject(CodeMalformed, "the token has %d bytes; at most %d are accepted", len(raw), MaxTokenLength)
	}
	// Base64 decoders skip line ends.
	if strings.ContainsAny(raw, "\r\n") {
		return unverified{}, reject(CodeMalformed, "the token has line ends in it; send it as the identity provider gave it")
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return unverified{}, reject(CodeMalformed, "the token is not a JWT of three parts; send the ID token as the identity provider gave it")
	}
	var (
		u      = unverified{signed: parts[0] + "." + parts[1]}
		claims struct {
			Issuer   string   `json:"iss"`
			Audience audience `json:"aud"`
		}
	)
	if err := decodePart(parts[0], &u.header); err != nil {
		return unverified{}, reject(CodeMalformed, "the token's header can't be read: %s", shown(err.Error()))
	}
	if err := decodePart(parts[1], &claims); err != nil {
		return unverified{}, reject(CodeMalformed, "the token's claims can't be read: %s", shown(err.Error()))
	}
	if _, err := strictBase64.DecodeString(parts[2]); err != nil {
		return unverified{}, reject(CodeMalformed, "the token's signature is not base64url without padding")
	}
	u.issuer, u.audiences = claims.Issuer, claims.Audience
	return u, nil
}

// check returns why a header can't be that of an ID token, or nil.
func (h header) check() *Rejected {
	switch {
	case !slices.Contains(algorithms, h.Algorithm):
		return reject(CodeAlgorithm, "the token is signed with %q; accepted are %s", shown(h.Algorithm), strings.Join(algorithms, ", "))
	case len(h.Critical) > 0:
		return reject(CodeMalformed, "the token has critical extensions, and none is supported")
	case h.KeyID == "":
		return reject(CodeSignature, "the token does not name the key that signed it (kid)")
	case h.Type != "" && !strings.EqualFold(strings.TrimPrefix(strings.ToLower(h.Type), "application/"), "jwt"):
		// RFC 8725, §3.11: access and logout tokens of the same issuer are none.
		return reject(CodeMalformed, "the token is of type %q and no ID token", shown(h.Type))
	}
	return nil
}

// claims are those of a verified token: the ones that OpenID Connect Core 1.0,
// §2 and RFC 7519, §4.1 define, and all of them.
type claims struct {
	subject   string
	audiences []string
	expires   time.Time
	issued    time.Time
	notBefore time.Time // zero: none
	id        string
	all       map[string]any
}

// readClaims decodes a verified payload.
func readClaims(payload []byte) (claims, error) {
	var registered struct {
		Subject   string       `json:"sub"`
		Audience  audience     `json:"aud"`
		Expires   *numericDate `json:"exp"`
		Issued    *numericDate `json:"iat"`
		NotBefore *numericDate `json:"nbf"`
		ID        string       `json:"jti"`
	}
	if err := json.Unmarshal(payload, &registered); err != nil {
		return claims{}, err
	}
	for name, absent := range map[string]bool{"sub": registered.Subject == "", "exp": registered.Expires == nil, "iat": registered.Issued == nil} {
		if absent {
			return claims{}, fmt.Errorf("%s is required", name)
		}
	}
	if len(registered.Subject) > maxValueLength || !printable(registered.Subject) {
		return claims{}, fmt.Errorf("sub must be printable and at most %d bytes long", maxValueLength)
	}
	c := claims{
		subject:   registered.Subject,
		audiences: registered.Audience,
		expires:   time.Time(*registered.Expires),
		issued:    time.Time(*registered.Issued),
		id:        registered.ID,
	}
	if registered.NotBefore != nil {
		c.notBefore = time.Time(*registered.NotBefore)
	}
	err := json.Unmarshal(payload, &c.all, json.WithUnmarshalers(json.UnmarshalFromFunc(decodeInteger)))
	return c, err
}

// checkTimes returns why a token is not valid at a time, or nil (RFC 7519,
// §4.1.4 to §4.1.6).
func (c claims) checkTimes(now time.Time, skew time.Duration) *Rejected {
	switch {
	case !now.Before(c.expires.Add(skew)):
		return reject(CodeExpired, "the token expired at %s, and it is %s; request a new one", c.expires.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.Before(c.notBefore.Add(-skew)):
		return reject(CodeNotYetValid, "the token is valid from %s on, and it is %s; compare the clocks", c.notBefore.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	case now.Before(c.issued.Add(-skew)):
		return reject(CodeNotYetValid, "the token was issued at %s, and it is only %s; compare the clocks", c.issued.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

// tokenID names a token without giving it away. Of a token without jti it is
// the signed part that counts: some signatures can be rewritten into another
// valid one, and that would be the same token.
func tokenID(issuer, jti, signed string) string {
	of := "jti\x00" + issuer + "\x00" + jti
	if jti == "" {
		of = "token\x00" + signed
	}
	sum := sha256.Sum256([]byte(of))
	return hex.EncodeToString(sum[:])
}

// strictBase64 takes one encoding of any bytes only (RFC 7515, §2).
var strictBase64 = base64.RawURLEncoding.Strict()

func decodePart(part string, into any) error {
	text, err := strictBase64.DecodeString(part)
	if err != nil {
		return errors.New("it is not base64url without padding")
	}
	return json.Unmarshal(text, into)
}

// audience is one string or several (RFC 7519, §4.1.3).
type audience []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (a *audience) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]string)(a))
	}
	var one string
	if err := json.UnmarshalDecode(dec, &one); err != nil {
		return err
	}
	*a = audience{one}
	return nil
}

// numericDate is a number of seconds since 1970 (RFC 7519, §2), up to the year
// 9999.
type numericDate time.Time

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (d *numericDate) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	const year9999 = 253402300799
	var seconds float64
	if err := json.UnmarshalDecode(dec, &seconds); err != nil {
		return err
	}
	if seconds < 0 || seconds > year9999 {
		return errors.New("time out of range")
	}
	whole, fraction := math.Modf(seconds)
	*d = numericDate(time.Unix(int64(whole), int64(fraction*1e9)).UTC())
	return nil
}

// decodeInteger lets CEL see whole numbers as such: string(claims.build_number)
// is to be "42", also for numbers that a float can't hold.
func decodeInteger(dec *jsontext.Decoder, into *any) error {
	if dec.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	text, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		*into = n
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	*into = f
	return err
}
