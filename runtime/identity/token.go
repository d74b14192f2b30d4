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
	"strings"
	"time"
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
	Revoked  bool      `json:"revoked"`
	// HashDigest binds the hash that is kept apart from the log to the token's
	// entry, see [HashDigest].
	HashDigest string `json:"hash_digest"`
}

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
	parts := strings.SplitN(text, "_", 3)
	if len(parts) != 3 || parts[0] != Prefix || len(parts[1]) != 2*idBytes || len(parts[2]) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return "", nil, ErrMalformed
	}
	return parts[1], hashSecret(parts[2]), nil
}

var tokenPattern = regexp.MustCompile(fmt.Sprintf(`%s_[0-9a-f]{%d}_[A-Za-z0-9_-]{%d}`, Prefix, 2*idBytes, base64.RawURLEncoding.EncodedLen(secretBytes)))

// HoldsToken reports whether a text has something in it that looks like a token.
func HoldsToken(text string) bool { return tokenPattern.MatchString(text) }

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
	// Credential identifies what was shown: "token/<id>".
	Credential string
	Role       Role
}

// AsActor is the caller that the token's holder is.
func (t *Token) AsActor() Actor {
	return Actor{Name: t.Actor, Credential: "token/" + t.ID, Role: t.Role}
}
