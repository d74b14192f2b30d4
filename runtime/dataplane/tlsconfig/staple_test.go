package tlsconfig

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"
)

// respond makes a response about a certificate that ends to hold after a while.
func (a *authority) respond(t *testing.T, about *tls.Certificate, status int, holds time.Duration) []byte {
	t.Helper()
	template := ocsp.Response{Status: status, SerialNumber: about.Leaf.SerialNumber, ThisUpdate: time.Now().Add(-time.Hour)}
	if holds != 0 {
		template.NextUpdate = time.Now().Add(holds)
	}
	if status == ocsp.Revoked {
		template.RevokedAt = time.Now().Add(-time.Hour)
	}
	der, err := ocsp.CreateResponse(a.Leaf, a.Leaf, template, a.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestAnOCSPResponseIsStapledWhileItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newAuthority(t, "ca")
		app := ca.issue(t, "app", "app.test")
		app.OCSPStaple = ca.respond(t, app, ocsp.Good, time.Hour)
		server := new(Listener).Config(listening(nil, app))
		served := func() []byte {
			state, err, _ := handshake(server, trusting(ca, "app.test"))
			if err != nil {
				t.Fatal(err)
			}
			return state.OCSPResponse
		}
		if !bytes.Equal(served(), app.OCSPStaple) {
			t.Error("the response was not stapled")
		}
		time.Sleep(time.Hour)
		if served() != nil {
			t.Error("a response that no longer holds was stapled")
		}
	})
}

func TestAnOCSPResponseThatSaysNothingGoodIsNotStapled(t *testing.T) {
	ca, stranger := newAuthority(t, "ca"), newAuthority(t, "stranger")
	app, other := ca.issue(t, "app", "app.test"), ca.issue(t, "other", "other.test")
	for _, tc := range []struct {
		name     string
		response []byte
	}{
		{"garbage", []byte("garbage")},
		{"expired", ca.respond(t, app, ocsp.Good, -time.Minute)},
		{"without an end", ca.respond(t, app, ocsp.Good, 0)},
		{"revoked", ca.respond(t, app, ocsp.Revoked, time.Hour)},
		{"unknown", ca.respond(t, app, ocsp.Unknown, time.Hour)},
		{"about another certificate", ca.respond(t, other, ocsp.Good, time.Hour)},
		{"signed by another authority", stranger.respond(t, app, ocsp.Good, time.Hour)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := *app
			c.OCSPStaple = tc.response
			state, err, _ := handshake(new(Listener).Config(listening(nil, &c)), trusting(ca, "app.test"))
			if err != nil {
				t.Fatal(err)
			}
			if state.OCSPResponse != nil {
				t.Error("it was stapled")
			}
		})
	}
}
