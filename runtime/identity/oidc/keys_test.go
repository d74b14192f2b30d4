package oidc_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc/oidctest"
)

// fetched fails the test unless keys were asked for so often.
func (f *fixture) fetched(want int) {
	f.t.Helper()
	if got := f.Requests(oidctest.KeysPath); got != want {
		f.t.Errorf("keys were asked for %d times, want %d", got, want)
	}
}

func TestNothingIsFetchedBeforeATokenAsksForIt(t *testing.T) {
	f := newFixture(t, nil)
	f.rejects("not a token", oidc.CodeMalformed)
	f.rejects(f.token(nil, oidctest.Unsigned()), oidc.CodeAlgorithm)
	f.fetched(0)
	f.accepts(f.token(nil))
	f.accepts(f.token(nil))
	f.fetched(1)
}

func TestManyAtOnceFetchKeysOnce(t *testing.T) {
	f := newFixture(t, nil)
	f.Delay(20 * time.Millisecond)
	together := func() {
		token := f.token(nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := f.verifier.Verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	together()
	f.fetched(1)
	// Also when all of them come with a key that is new.
	f.Rotate()
	together()
	f.fetched(2)
}

func TestANewKeyIsFoundAndAnOldOneForgotten(t *testing.T) {
	f := newFixture(t, nil)
	old := f.token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
	f.accepts(old)
	f.Rotate()
	f.accepts(f.token(nil))
	f.fetched(2)
	f.accepts(old)

	f.Withdraw()
	f.clock.Advance(59 * time.Second)
	f.accepts(old) // max-age is a minute
	f.fetched(2)
	f.clock.Advance(2 * time.Second)
	f.rejects(old, oidc.CodeSignature)
	f.fetched(3)
}

func TestUnknownKeysFetchOnceInTenSeconds(t *testing.T) {
	f := newFixture(t, nil)
	f.accepts(f.token(nil))
	hammer := func() {
		for n := range 20 {
			f.rejects(f.token(nil, oidctest.KeyID(fmt.Sprint("made-up-", n))), oidc.CodeSignature)
		}
	}
	hammer()
	f.fetched(2)
	f.clock.Advance(9 * time.Second)
	hammer()
	f.fetched(2)
	f.clock.Advance(2 * time.Second)
	hammer()
	f.fetched(3)
	f.accepts(f.token(nil))
}

func TestFreshnessIsTheIssuersWithinBounds(t *testing.T) {
	tests := []struct {
		name, cacheControl string
		fresh              time.Duration
	}{
		{"within", "public, max-age=300", 5 * time.Minute},
		{"too long", "max-age=86400", 10 * time.Minute},
		{"absurd", "max-age=99999999999999999999", 10 * time.Minute},
		{"none", "max-age=0", 10 * time.Second},
		{"not to be stored", "no-store, max-age=300", 10 * time.Second},
		{"unsaid", "", 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			keys := f.Published()
			f.Stand(oidctest.KeysPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", tt.cacheControl)
				w.Write(keys)
			})
			long := f.token(map[string]any{"exp": time.Now().Add(time.Hour).Unix()})
			f.accepts(long)
			f.clock.Advance(tt.fresh - time.Second)
			f.accepts(long)
			f.fetched(1)
			f.clock.Advance(2 * time.Second)
			f.accepts(long)
			f.fetched(2)
		})
	}
}

func TestAnIssuerThatIsDownAtTheStartIsFoundLater(t *testing.T) {
	f := newFixture(t, nil)
	f.Down()
	if u := f.unavailable(f.token(nil)); u.Provider != "main" || u.Reason == "" {
		t.Errorf("unavailable without provider or reason: %+v", u)
	}
	asked := f.Requests(oidctest.DiscoveryPath)
	f.unavailable(f.token(nil)) // it is left alone for a while
	if got := f.Requests(oidctest.DiscoveryPath); got != asked {
		t.Errorf("asked %d more times at once", got-asked)
	}
	f.Up()
	f.clock.Advance(6 * time.Second)
	f.accepts(f.token(nil))
}

func TestAnOutageIsSurvivedForAnHourWithKnownKeysOnly(t *testing.T) {
	f := newFixture(t, nil)
	long := f.token(map[string]any{"exp": time.Now().Add(6 * time.Hour).Unix()})
	f.accepts(long)
	f.Down()
	f.unavailable(f.token(nil, oidctest.KeyID("key-0"))) // nobody can tell
	f.clock.Advance(11 * time.Second)
	f.unavailable(f.token(nil, oidctest.KeyID("key-0")))
	f.clock.Advance(58 * time.Minute)
	f.accepts(long)
	f.rejects(f.token(nil, oidctest.ByStranger(t)), oidc.CodeSignature)
	f.clock.Advance(3 * time.Minute)
	f.unavailable(long)
	f.Up()
	f.clock.Advance(6 * time.Second)
	f.accepts(long)
}

func TestASlowIssuerHoldsNobodyLongerThanTheyWish(t *testing.T) {
	f := newFixture(t, nil)
	f.Delay(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := f.verifier.Verify(ctx, f.token(nil))
	if _, ok := errors.AsType[*oidc.Unavailable](err); !ok {
		t.Fatalf("error %v, want the issuer to be unavailable", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if testing.Short() {
		return
	}
	began = time.Now()
	f.unavailable(f.token(nil))
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("without a deadline of its own a call took %s", took)
	}
}

func TestAHostileIssuerIsNotBelieved(t *testing.T) {
	discovery := func(issuer, keys string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, issuer, keys)
		}
	}
	tests := []struct {
		name   string
		path   string
		answer func(*oidctest.Issuer) http.HandlerFunc
		reason string
	}{
		{"another issuer's document", oidctest.DiscoveryPath, func(i *oidctest.Issuer) http.HandlerFunc {
			return discovery("https://evil.example", i.URL+oidctest.KeysPath)
		}, "another issuer"},
		{"keys over plain HTTP", oidctest.DiscoveryPath, func(i *oidctest.Issuer) http.HandlerFunc {
			return discovery(i.URL, "http://keys.example.com/")
		}, "https"},
		{"no keys", oidctest.DiscoveryPath, func(i *oidctest.Issuer) http.HandlerFunc { return discovery(i.URL, "") }, "jwks_uri"},
		{"a redirect", oidctest.DiscoveryPath, func(*oidctest.Issuer) http.HandlerFunc {
			return http.RedirectHandler("https://elsewhere.example/", http.StatusFound).ServeHTTP
		}, "redirects"},
		{"an error with a text", oidctest.KeysPath, func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "s3cret", http.StatusTeapot) }
		}, "answers 418"},
		{"no JSON", oidctest.KeysPath, func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "s3cret") }
		}, "no JSON"},
		{"JSON of no keys", oidctest.KeysPath, func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"s3cret":1}`) }
		}, "no JWK set"},
		{"an endless answer", oidctest.KeysPath, func(*oidctest.Issuer) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Write([]byte(`{"keys":["`))
				for r.Context().Err() == nil {
					if _, err := w.Write([]byte(strings.Repeat("a", 1<<16))); err != nil {
						return
					}
				}
			}
		}, "more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.Stand(tt.path, tt.answer(f.Issuer))
			u := f.unavailable(f.token(nil))
			if !strings.Contains(u.Error(), tt.reason) || strings.Contains(u.Error(), "s3cret") {
				t.Errorf("reason %q, want one about %q and nothing of the answer", u.Error(), tt.reason)
			}
			f.Stand(tt.path, nil)
			f.clock.Advance(6 * time.Second)
			f.accepts(f.token(nil))
		})
	}
}

func TestOnlyKeysThatAreFitAreTaken(t *testing.T) {
	tests := []struct {
		name   string
		change func(key map[string]any)
		sign   []oidctest.SignOption
		code   string // "": accepted
	}{
		{"as published", func(map[string]any) {}, nil, ""},
		{"bare", func(key map[string]any) { delete(key, "use"); delete(key, "alg") }, nil, ""},
		{"for encryption", func(key map[string]any) { key["use"] = "enc" }, nil, oidc.CodeSignature},
		{"for another algorithm", func(key map[string]any) { key["alg"] = "PS256" }, nil, oidc.CodeSignature},
		{"of an unknown type", func(key map[string]any) { key["kty"] = "NEW" }, nil, oidc.CodeSignature},
		{"symmetric", func(key map[string]any) { key["kty"], key["k"], key["alg"] = "oct", "c2VjcmV0", "HS256" }, nil, oidc.CodeSignature},
		{"without id, for a token without", func(key map[string]any) { delete(key, "kid") }, []oidctest.SignOption{oidctest.KeyID("")}, oidc.CodeSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, nil, oidctest.Algorithm(jose.RS256))
			f.publish(tt.change)
			if tt.code == "" {
				f.accepts(f.token(nil, tt.sign...))
			} else {
				f.rejects(f.token(nil, tt.sign...), tt.code)
			}
		})
	}
}

func TestAWeakKeyIsNotTaken(t *testing.T) {
	for _, bits := range []int{1024, 2048} {
		f := newFixture(t, nil, oidctest.Algorithm(jose.RS256))
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		f.publish(func(published map[string]any) {
			published["n"] = base64.RawURLEncoding.EncodeToString(key.N.Bytes())
		})
		token := f.token(nil, oidctest.By(key, jose.RS256))
		if bits == 2048 {
			f.accepts(token)
		} else {
			f.rejects(token, oidc.CodeSignature)
		}
	}
}

func TestAFetchOutlivesWhoeverBeganIt(t *testing.T) {
	f := newFixture(t, nil)
	f.Delay(200 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.verifier.Verify(ctx, f.token(nil)); err == nil {
		t.Fatal("the keys came before the call ended")
	}
	f.accepts(f.token(nil))
	f.fetched(1)
}
