package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/go-jose/go-jose/v4"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

func TestEveryAttackIsRejectedWithItsCode(t *testing.T) {
	f := newFixture(t, nil)
	other := oidctest.Start(t)
	now := time.Now().Unix()
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	good := f.token(nil)
	parts := strings.Split(good, ".")
	claims := f.Claims(audience, nil)
	var stranger jose.JSONWebKeySet
	if err := json.Unmarshal(other.Published(), &stranger); err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, token, code string
	}{
		{"empty", "", oidc.CodeMalformed},
		{"words", "let me in", oidc.CodeMalformed},
		{"two parts", parts[0] + "." + parts[1], oidc.CodeMalformed},
		{"four parts", good + "." + parts[2], oidc.CodeMalformed},
		{"JSON serialization", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2]), oidc.CodeMalformed},
		{"header that is no JSON", encode("alg=ES256") + "." + parts[1] + "." + parts[2], oidc.CodeMalformed},
		{"claims that are no object", f.Sign(nil, oidctest.Payload([]byte(`["iss"]`))), oidc.CodeMalformed},
		{"claims that are no JSON", f.Sign(nil, oidctest.Payload([]byte(`iss`))), oidc.CodeMalformed},
		{"padded", parts[0] + "=." + parts[1] + "." + parts[2], oidc.CodeMalformed},
		{"line end within", parts[0] + "." + parts[1][:4] + "\n" + parts[1][4:] + "." + parts[2], oidc.CodeMalformed},
		{"line end at the end", good + "\n", oidc.CodeMalformed},
		{"a signature with bits that don't count", good[:len(good)-1] + string(base64Alphabet[strings.IndexByte(base64Alphabet, good[len(good)-1])+1]), oidc.CodeMalformed},
		{"too long", f.token(map[string]any{"more": strings.Repeat("a", 1<<20)}), oidc.CodeMalformed},
		{"a claim twice", f.Sign(nil, oidctest.Payload([]byte(`{"iss":"`+f.URL+`","aud":"`+audience+`","sub":"a","sub":"b"}`))), oidc.CodeMalformed},
		{"a header member twice", encode(`{"alg":"ES256","alg":"none","kid":"key-1"}`) + "." + parts[1] + "." + parts[2], oidc.CodeMalformed},
		{"invalid UTF-8", f.Sign(nil, oidctest.Payload([]byte("{\"iss\":\""+f.URL+"\",\"aud\":\""+audience+"\",\"sub\":\"\xff\"}"))), oidc.CodeMalformed},
		{"critical extension", f.token(nil, oidctest.Header("crit", []string{"b64"}), oidctest.Header("b64", true)), oidc.CodeMalformed},
		{"access token", f.token(nil, oidctest.Header("typ", "at+jwt")), oidc.CodeMalformed},
		{"logout token", f.token(nil, oidctest.Header("typ", "logout+jwt")), oidc.CodeMalformed},

		{"another issuer", other.Sign(other.Claims(audience, nil)), oidc.CodeIssuer},
		{"no issuer", f.token(map[string]any{"iss": nil}), oidc.CodeIssuer},
		{"our issuer with a slash", f.token(map[string]any{"iss": f.URL + "/"}), oidc.CodeIssuer},

		{"alg none", f.token(nil, oidctest.Unsigned()), oidc.CodeAlgorithm},
		{"alg None", encode(`{"alg":"None","kid":"key-1"}`) + "." + parts[1] + ".", oidc.CodeAlgorithm},
		{"no alg", encode(`{"kid":"key-1"}`) + "." + parts[1] + "." + parts[2], oidc.CodeAlgorithm},
		{"HS256 with the public key", f.token(nil, oidctest.WithPublicKeyAsSecret()), oidc.CodeAlgorithm},

		{"another issuer's key under our issuer's name", other.Sign(claims), oidc.CodeSignature},
		{"a stranger's key", f.token(nil, oidctest.ByStranger(t)), oidc.CodeSignature},
		{"a key that the token brings along", other.Sign(claims, oidctest.KeyID("mine"), oidctest.Header("jwk", stranger.Keys[0])), oidc.CodeSignature},
		{"an unknown key", f.token(nil, oidctest.KeyID("key-0")), oidc.CodeSignature},
		{"no key", f.token(nil, oidctest.KeyID("")), oidc.CodeSignature},
		{"no signature", parts[0] + "." + parts[1] + ".", oidc.CodeSignature},
		{"another token's signature", parts[0] + "." + parts[1] + "." + strings.Split(f.token(map[string]any{"sub": "x"}), ".")[2], oidc.CodeSignature},
		{"another algorithm than the key's", encode(`{"alg":"RS256","kid":"key-1"}`) + "." + parts[1] + "." + parts[2], oidc.CodeSignature},

		{"another audience", f.token(map[string]any{"aud": "sts.amazonaws.com"}), oidc.CodeAudience},
		{"no audience", f.token(map[string]any{"aud": nil}), oidc.CodeAudience},
		{"an audience that begins as ours", f.token(map[string]any{"aud": audience + ".evil.example"}), oidc.CodeAudience},

		{"expired", f.token(map[string]any{"exp": now - 31}), oidc.CodeExpired},
		{"expired long ago", f.token(map[string]any{"exp": 0}), oidc.CodeExpired},
		{"not valid yet", f.token(map[string]any{"nbf": now + 60}), oidc.CodeNotYetValid},
		{"issued in the future", f.token(map[string]any{"iat": now + 60, "nbf": nil}), oidc.CodeNotYetValid},

		{"no end", f.token(map[string]any{"exp": nil}), oidc.CodeClaims},
		{"no time of issue", f.token(map[string]any{"iat": nil}), oidc.CodeClaims},
		{"no subject", f.token(map[string]any{"sub": nil}), oidc.CodeClaims},
		{"an end beyond all time", f.token(map[string]any{"exp": 1e300}), oidc.CodeClaims},
		{"a line end in the subject", f.token(map[string]any{"sub": "alice\nadmin"}), oidc.CodeClaims},
		{"a subject that turns the text around", f.token(map[string]any{"sub": "alice\u202egnp"}), oidc.CodeClaims},
		{"a subject without end", f.token(map[string]any{"sub": strings.Repeat("a", 2000)}), oidc.CodeClaims},
		{"a subject that is no actor", f.token(map[string]any{"sub": "the/runtime"}), oidc.CodeClaims},
	}
	f.accepts(good)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			rejected := f.rejects(tt.token, tt.code)

			if len(rejected.Detail) < 20 || len(rejected.Detail) > 600 || strings.ContainsFunc(rejected.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("detail %q is not one printable sentence", rejected.Detail)
			}
			for _, part := range strings.Split(tt.token, ".") {
				if len(part) > 20 && strings.Contains(rejected.Detail, part) {
					t.Errorf("detail %q repeats the token", rejected.Detail)
				}
			}
			known := tt.code != oidc.CodeMalformed && tt.code != oidc.CodeIssuer
			if known && (rejected.Provider != "main" || rejected.Issuer != f.URL) {
				t.Errorf("provider %q and issuer %q are not told", rejected.Provider, rejected.Issuer)
			}
			vouched := tt.code == oidc.CodeAudience || tt.code == oidc.CodeExpired || tt.code == oidc.CodeNotYetValid || tt.name == "a subject that is no actor"
			if (rejected.Subject != "") != vouched {
				t.Errorf("subject %q; whether it is told should be %t", rejected.Subject, vouched)
			}
		})
	}
	f.accepts(f.token(nil))
}

// The last character of an ES256 signature carries two bits, and four that are
// zero.
const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestEveryAsymmetricAlgorithmIsAccepted(t *testing.T) {
	for _, a := range []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA} {
		t.Run(string(a), func(t *testing.T) {
			f := newFixture(t, nil, oidctest.Algorithm(a))
			f.accepts(f.token(nil))
			f.rejects(f.token(nil, oidctest.WithPublicKeyAsSecret()), oidc.CodeAlgorithm)
		})
	}
}

func TestTheSkewIsAllowedAndNoMore(t *testing.T) {
	const skew = 2 * time.Minute
	f := newFixture(t, func(c *oidc.Config) { c.Skew = skew })
	at := time.Now().Truncate(time.Second)
	// The clock stands still at a whole second, so that edges are exact.
	still := at
	v, err := oidc.New([]oidc.Config{func() oidc.Config { c := anyone(f.Issuer); c.Skew = skew; return c }()}, oidc.Options{Now: func() time.Time { return still }})
	if err != nil {
		t.Fatal(err)
	}
	f.verifier = v
	unix := func(d time.Duration) int64 { return at.Add(d).Unix() }
	tests := []struct {
		name   string
		claims map[string]any
		code   string // "": accepted
	}{
		{"ended a second less than the skew ago", map[string]any{"exp": unix(-skew + time.Second)}, ""},
		{"ended as long ago as the skew", map[string]any{"exp": unix(-skew)}, oidc.CodeExpired},
		{"begins after the skew", map[string]any{"nbf": unix(skew), "iat": unix(0)}, ""},
		{"begins a second later", map[string]any{"nbf": unix(skew + time.Second), "iat": unix(0)}, oidc.CodeNotYetValid},
		{"issued ahead by the skew", map[string]any{"iat": unix(skew), "nbf": nil}, ""},
		{"issued a second later", map[string]any{"iat": unix(skew + time.Second), "nbf": nil}, oidc.CodeNotYetValid},
		{"a fraction of a second", map[string]any{"exp": float64(unix(-skew)) + 0.5}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			if tt.code == "" {
				f.accepts(f.token(tt.claims))
			} else {
				f.rejects(f.token(tt.claims), tt.code)
			}
		})
	}
}

func TestATokenHasOneIDHoweverItIsWritten(t *testing.T) {
	f := newFixture(t, nil)
	withID, without := map[string]any{"jti": "7"}, map[string]any{"jti": nil}
	if a, b := f.accepts(f.token(withID)).TokenID, f.accepts(f.token(withID)).TokenID; a != b {
		t.Error("the same jti gives two ids")
	}
	if a, b := f.accepts(f.token(withID)).TokenID, f.accepts(f.token(map[string]any{"jti": "8"})).TokenID; a == b {
		t.Error("two jtis give one id")
	}
	// Whoever has an ECDSA signature can make another of it.
	token := f.token(without)
	twin := mirrored(t, token)
	if twin == token {
		t.Fatal("the twin is the token itself")
	}
	if a, b := f.accepts(token).TokenID, f.accepts(twin).TokenID; a != b {
		t.Error("a rewritten signature makes another token of it")
	}
}
