package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

func TestATokenIsTakenApartOnlyWhenItIsOne(t *testing.T) {
	id, text, hash := identity.Generate()
	gotID, gotHash, err := identity.Split(text)
	if err != nil || gotID != id || !identity.Matches(hash, gotHash) {
		t.Fatalf("%s, %v, want %s", gotID, err, id)
	}
	secret := strings.SplitN(text, "_", 3)[2]
	for name, wrong := range map[string]string{
		"nothing":                     "",
		"another prefix":              "github" + strings.TrimPrefix(text, identity.Prefix),
		"no id":                       identity.Prefix + "__" + secret,
		"an id in capitals":           identity.Prefix + "_" + "ABCDEF012345" + "_" + secret,
		"an id that is no number":     identity.Prefix + "_" + "olivia: fine" + "_" + secret,
		"an id of bytes that are not": identity.Prefix + "_" + strings.Repeat("\xff", 12) + "_" + secret,
		"a short secret":              text[:len(text)-1],
		"a long secret":               text + "A",
		"a secret that is not base64": text[:len(text)-1] + "!",
		"something before":            " " + text,
		"something after":             text + " ",
		"two of them":                 text + text,
	} {
		if gotID, gotHash, err := identity.Split(wrong); err == nil || gotID != "" || gotHash != nil {
			t.Errorf("%s: taken for the token %q", name, gotID)
		}
	}
	if other, _, otherHash := identity.Generate(); other == id || identity.Matches(hash, otherHash) {
		t.Error("two tokens are the same")
	}
}

func TestATokenIsFoundWhereverItStands(t *testing.T) {
	_, text, _ := identity.Generate()
	for name, in := range map[string]string{"alone": text, "in a sentence": "use " + text + ", please", "in JSON": `{"token":"` + text + `"}`, "in a URL": "https://x/?t=" + text + "&x"} {
		if !identity.HoldsToken(in) {
			t.Errorf("%s: not found in %q", name, in)
		}
	}
	for name, in := range map[string]string{"an id": text[:20], "a token cut short": text[:len(text)-1], "a name": "auditlb_pool_web"} {
		if identity.HoldsToken(in) {
			t.Errorf("%s: found in %q", name, in)
		}
	}
}

func TestATokenLivesUntilItEndsOrIsRevoked(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name  string
		token identity.Token
		live  bool
	}{
		{"without an end", identity.Token{}, true},
		{"before its end", identity.Token{NotAfter: now.Add(1)}, true},
		{"at its end", identity.Token{NotAfter: now}, false},
		{"after its end", identity.Token{NotAfter: now.Add(-1)}, false},
		{"revoked", identity.Token{Revoked: true}, false},
		{"revoked before its end", identity.Token{Revoked: true, NotAfter: now.Add(time.Hour)}, false},
	} {
		if err := tt.token.Live(now); (err == nil) != tt.live {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestASessionIsToldFromAToken(t *testing.T) {
	token := identity.Token{ID: "0b5e9c3f7a12", Actor: "olivia", Role: identity.Operator, Scopes: []string{"pool/*"}}
	if a := token.AsActor(); a.Credential != "token/0b5e9c3f7a12" || a.Verified != nil || a.Name != "olivia" || a.Role != identity.Operator || len(a.Scopes) != 1 {
		t.Errorf("a token is %+v", a)
	}
	token.Login = &identity.TokenLogin{Verified: identity.Verified{Provider: "github", Run: identity.VerifiedRun{ID: "github/a/b/1/1", Phase: "plan"}}}
	a := token.AsActor()
	if a.Credential != "session/0b5e9c3f7a12" || a.Verified == nil || a.Verified.Run.ID != "github/a/b/1/1" {
		t.Errorf("a session is %+v", a)
	}
	if facts := a.Verified.Run.Facts(); len(facts) != 1 || facts["phase"] != "plan" {
		t.Errorf("facts of its run: %v", facts)
	}
	if facts := (&identity.VerifiedRun{ID: "x"}).Facts(); facts != nil {
		t.Errorf("facts of a run without any: %v", facts)
	}
}

func TestAnActorsNameCanNotBeMistaken(t *testing.T) {
	for name, ok := range map[string]bool{
		"alice": true, "bob@example.com": true, "ci-main": true, "github.acme.infra": true, "a": true, "acme+platform": true,
		"": false, "system/test": false, "a b": false, "-a": false, "a.": false, "ä": false, "a\n": false, "a\x00b": false,
		strings.Repeat("a", identity.MaxActorLength): true, strings.Repeat("a", identity.MaxActorLength+1): false,
	} {
		if msg := identity.CheckActor(name); (msg == "") != ok {
			t.Errorf("%q: %q", name, msg)
		}
	}
}

func TestScopesLimitAnActorToWhatTheyMatch(t *testing.T) {
	for _, tt := range []struct {
		scopes  []string
		address string
		may     bool
	}{
		{nil, "pool/web", true},
		{[]string{}, "policy/x", true},
		{[]string{"*"}, "pool/web", true},
		{[]string{"pool/web"}, "pool/web", true},
		{[]string{"pool/web"}, "pool/web2", false},
		{[]string{"pool/*"}, "route/web", false},
		{[]string{"route/x", "pool/shop-*"}, "pool/shop-1", true},
		{[]string{"route/x", "pool/shop-*"}, "pool/shop", false},
		{[]string{"*/web"}, "listener/web", true},
		{[]string{"[", "pool/web"}, "pool/web", true},
		{[]string{"["}, "pool/web", false},
		{[]string{""}, "pool/web", false},
	} {
		a := identity.Actor{Scopes: tt.scopes}
		if got := a.May(tt.address); got != tt.may {
			t.Errorf("%q on %s: %t, want %t", tt.scopes, tt.address, got, tt.may)
		}
	}
}

// TestScopesCoverOnlyWhatTheyCoverForSure: whoever approves or hands on a right must
// have all of it.
func TestScopesCoverOnlyWhatTheyCoverForSure(t *testing.T) {
	for _, tt := range []struct {
		scopes []string
		glob   string
		covers bool
	}{
		{nil, "*", true},
		{[]string{"*"}, "*", true},
		{[]string{"pool/*"}, "*", false},
		{[]string{"pool/*"}, "pool/*", true},
		{[]string{"pool/*"}, "pool/web", true},
		{[]string{"pool/*"}, "pool/shop-*", true},
		{[]string{"pool/*"}, "pool/[ab]*", true},
		{[]string{"pool/*"}, "*/web", false},
		{[]string{"pool/*"}, "pool*", false},
		{[]string{"pool/shop-*"}, "pool/*", false},
		{[]string{"pool/shop-*"}, "pool/shop*", false},
		{[]string{"pool/?"}, "pool/[ab]", false},
		{[]string{"pool/a", "pool/b"}, "pool/?", false},
		{[]string{"pool/a", "route/*"}, "route/shop", true},
	} {
		a := identity.Actor{Scopes: tt.scopes}
		if got := a.Covers(tt.glob); got != tt.covers {
			t.Errorf("%q cover %s: %t, want %t", tt.scopes, tt.glob, got, tt.covers)
		}
	}
}
