package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

// TestWhoFailsToSignInAtAProviderHasToWait: anybody can begin a login and come back with a
// code of their own, which the provider is asked about.
func TestWhoFailsToSignInAtAProviderHasToWait(t *testing.T) {
	r, p, b := loginRig(t)
	p.change(func() {
		p.token = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }
	})
	said := ""
	for range 2 * console.LoginFailures {
		said = text(t, b.get("/console/sign-in/at/corp"))
	}
	if !strings.Contains(said, "too many") || p.redeemed != console.LoginFailures {
		t.Errorf("the provider was asked %d times, and said is %s", p.redeemed, said)
	}
	p.change(func() { p.token = nil })
	r.pass(time.Minute)
	if b.get("/console/sign-in/at/corp"); !b.signedIn() {
		t.Error("a minute later nobody can sign in")
	}
	for range 2 * console.LoginFailures {
		b.get("/console/sign-in/at/corp")
	}
	if b.post("/console/sign-out"); !strings.Contains(b.get("/console/sign-in/at/corp").body, ">ida<") {
		t.Error("those who do sign in are held up, too")
	}
}

func TestAProviderThatTakesItsTimeHoldsFewUp(t *testing.T) {
	r, p, b := loginRig(t)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	var waiting sync.WaitGroup
	for range console.MaxExchanges {
		other := newBrowser(t, r.URL, nil)
		back := callback(t, other)
		p.change(func() {
			p.token = func(w http.ResponseWriter, _ *http.Request) {
				asked <- struct{}{}
				<-answer
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		waiting.Go(func() { other.get(back) })
		<-asked
	}
	if said := text(t, b.get(callback(t, b))); !strings.Contains(said, "too many people are signing in at corp") {
		t.Errorf("one more is told %s", said)
	}
	close(answer)
	waiting.Wait()
	p.change(func() { p.token = nil })
	if b.get("/console/sign-in/at/corp"); !b.signedIn() {
		t.Error("nobody can sign in afterwards")
	}
}

func TestAProviderThatMisbehavesIsNotBelieved(t *testing.T) {
	const secret = "internal-detail"
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, secret) },
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusInternalServerError) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"no end": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"x":"`, strings.Repeat(secret, 50_000), `"}`)
		},
		"nothing": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) },
		"another one": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"issuer":"https://evil.example","authorization_endpoint":"https://evil.example/","token_endpoint":"https://evil.example/"}`)
		},
	} {
		for _, where := range []string{"discovery", "token"} {
			t.Run(name+" at "+where, func(t *testing.T) {
				r, p, b := loginRig(t)
				p.change(func() {
					if where == "token" {
						p.token = answer
					} else {
						p.discovery = answer
					}
				})
				got := b.get("/console/sign-in/at/corp")
				if got.Request.URL.Path != "/console/sign-in" || !strings.Contains(text(t, got), "nobody can sign in at corp just now") || strings.Contains(got.body, secret) || b.signedIn() {
					t.Errorf("led to %s: %s", got.Request.URL, text(t, got))
				}
				if p.elsewhere > 0 {
					t.Error("a redirect is followed")
				}
				if !strings.Contains(r.logs.String(), "identity provider failed") || strings.Contains(r.logs.String(), secret) {
					t.Error("the operator is not told, or told too much")
				}
			})
		}
	}
	t.Run("endpoints in the clear", func(t *testing.T) {
		_, p, b := loginRig(t)
		p.change(func() {
			p.discovery = func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"https://a.example/","token_endpoint":"http://a.example/"}`, p.URL)
			}
		})
		if got := b.get("/console/sign-in/at/corp"); got.Request.URL.Path != "/console/sign-in" {
			t.Errorf("led to %s", got.Request.URL)
		}
	})
}
