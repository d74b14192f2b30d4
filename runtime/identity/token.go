package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Token is a credential as it is kept: everything but its secret.
type Token struct {
	// ID is public and finds the token.
	ID        string    `json:"id"`
	Actor     string    `json:"actor"`
	Role      Role      `json:"role"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	// NotAfter ends the token's life; zero means it has no end.
	NotAfter time.Time `json:"not_after,omitzero"`
	// Scopes are globs over what the role is good for; none: everything.
	Scopes []string `json:"scopes,omitzero"`
	// Login is what a session was exchanged for; nil for tokens that people make.
	Login   *TokenLogin `json:"login,omitzero"`
	Revoked bool        `json:"revoked"`
	// HashDigest binds the hash that is kept apart from the log to the token's
	// entry, see [HashDigest].
	HashDigest string `json:"hash_digest"`
}

// TokenLogin is the identity provider's token that a session stands for.
type TokenLogin struct {
	// TokenID tells one token from another, see [Login].
	TokenID string `json:"token_id"`
	// ExpiresAt is when the provider's token itself ends.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Verified  Verified  `json:"verified"`
}

// MaxScopes bounds the scopes of a credential.
const MaxScopes = 50

// HashDigest is the hex SHA-256 of a token's kept hash.
func HashDigest(hash []byte) string {
	sum := sha256.Sum256(hash)
	return hex.EncodeToString(sum[:])
}

// Prefix begins every token, so that secret scanners can find leaked ones.
const Prefix = "auditlb"

const (
	idBytes     = 6
	secretBytes = 32
)

// MaxActorLength bounds an actor's name, in bytes.
const MaxActorLength = 128

var actorPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._@+-]*[A-Za-z0-9])?$`)

// CheckActor returns what is wrong with an actor's name, or "". The names of
// the runtime itself, which contain a slash, can't be taken by people.
func CheckActor(name string) string {
	if len(name) > MaxActorLength || !actorPattern.MatchString(name) {
		return fmt.Sprintf("must be 1 to %d letters, digits, '.', '_', '@', '+' or '-', such as alice, ci-main or bob@example.com", MaxActorLength)
	}
	return ""
}

// ErrMalformed means that a text is not a token.
var ErrMalformed = errors.New("not a token")

// Generate makes a new token's id, the text that its holder is given once, and
// the hash that is kept. The secret has 256 random bits, so a plain SHA-256 of
// it cannot be searched and needs no slow hash.
func Generate() (id, text string, hash []byte) {
	raw := make([]byte, idBytes+secretBytes)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails
	id = hex.EncodeToString(raw[:idBytes])
	secret := base64.RawURLEncoding.EncodeToString(raw[idBytes:])
	return id, strings.Join([]string{Prefix, id, secret}, "_"), hashSecret(secret)
}

// Split takes a presented token apart into its id and its secret's hash.
func Split(text string) (id string, hash []byte, err error) {
	if tokenPattern.FindString(text) != text || text == "" {
		return "", nil, ErrMalformed
	}
	parts := strings.SplitN(text, "_", 3)
	return parts[1], hashSecret(parts[2]), nil
}

var tokenPattern = regexp.MustCompile(fmt.Sprintf(`%s_[0-9a-f]{%d}_[A-Za-z0-9_-]{%d}`, Prefix, 2*idBytes, base64.RawURLEncoding.EncodedLen(secretBytes)))

// idTokenPattern is a signed JWT (RFC 7515 §7.1) as identity providers issue them:
// its header begins with {" in base64url.
var idTokenPattern = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{16,}`)

// HoldsToken reports whether a text has something in it that looks like a token,
// of ours or of an identity provider.
func HoldsToken(text string) bool {
	return tokenPattern.MatchString(text) || idTokenPattern.MatchString(text)
}

// Matches compares a presented hash with the kept one in constant time.
func Matches(kept, presented []byte) bool { return subtle.ConstantTimeCompare(kept, presented) == 1 }

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// Live returns nil when the token can be used at a time, or why not.
func (t *Token) Live(now time.Time) error {
	if t.Revoked {
		return errors.New("the token was revoked")
	}
	if !t.NotAfter.IsZero() && !now.Before(t.NotAfter) {
		return fmt.Errorf("the token expired at %s", t.NotAfter.Format(time.RFC3339))
	}
	return nil
}

// Actor is an authenticated caller.
type Actor struct {
	Name string
	// Credential identifies what was shown: "token/<id>", "session/<id>" or
	// "certificate/<fingerprint>".
	Credential string
	Role       Role
	// Scopes are globs over what the role is good for; empty: everything.
	Scopes []string
	// Verified is what an identity provider proved; nil for other credentials.
	Verified *Verified
}

// Covers reports whether the actor's scopes cover all that a glob matches.
func (a *Actor) Covers(glob string) bool {
	return len(a.Scopes) == 0 || slices.ContainsFunc(a.Scopes, func(scope string) bool { return lb.GlobCovers(scope, glob) })
}

// May reports whether the actor's scopes cover an address.
func (a *Actor) May(address string) bool {
	return len(a.Scopes) == 0 || lb.AnyGlobMatches(a.Scopes, address)
}

// Resource is what the token is in the log: a session when it stands for a login.
func (t *Token) Resource() string {
	if t.Login != nil {
		return "session/" + t.ID
	}
	return "token/" + t.ID
}

// AsActor is the caller that the token's holder is.
func (t *Token) AsActor() Actor {
	a := Actor{Name: t.Actor, Credential: t.Resource(), Role: t.Role, Scopes: t.Scopes}
	if t.Login != nil {
		a.Verified = &t.Login.Verified
	}
	return a
}
