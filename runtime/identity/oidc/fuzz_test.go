package oidc_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

// Whatever is not a token that the issuer signed is rejected, in a sentence.
func FuzzVerify(f *testing.F) {
	issuer := oidctest.Start(f, oidctest.Plain())
	v, err := oidc.New([]oidc.Config{anyone(issuer)}, oidc.Options{})
	if err != nil {
		f.Fatal(err)
	}
	good := issuer.Sign(issuer.Claims(audience, nil))
	parts := strings.Split(good, ".")
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, seed := range []string{
		"", "..", "a.b.c", good[:len(good)-1], strings.ToUpper(good), "{}",
		encode(`{"alg":"none"}`) + "." + parts[1] + ".",
		encode(`{"alg":"ES256","kid":"key-1"}`) + "." + encode(`{"iss":"`+issuer.URL+`","aud":["`+audience+`"]}`) + "." + parts[2],
		parts[0] + "." + encode(`{"iss":{},"aud":7}`) + "." + parts[2],
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		login, err := v.Verify(t.Context(), token)
		if err == nil {
			if token != good && token != mirrored(t, good) {
				t.Fatalf("accepted %q as %+v", token, login)
			}
			return
		}
		if _, ok := errors.AsType[*oidc.Rejected](err); !ok {
			t.Fatalf("error %T: %v", err, err)
		}
	})
}
