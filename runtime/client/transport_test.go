package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestATransportCarriesTheCallsInPlaceOfTheNetwork(t *testing.T) {
	var seen []string
	answers := transport(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"name":"vera","secret":"s"}`))}, nil
	})
	for _, tt := range []struct {
		token api.Secret
		want  string
	}{
		{"t0ken", "GET /v1/whoami Bearer t0ken"},
		{"", "GET /v1/whoami "}, // what the transport adds speaks
	} {
		c, err := client.New(client.Config{Endpoint: "https://nowhere.invalid", Token: tt.token, Transport: answers, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		who, err := c.Whoami(t.Context())
		if err != nil || who.Name != "vera" || seen[len(seen)-1] != tt.want {
			t.Errorf("%+v, %v, %q", who, err, seen)
		}
		session, err := c.OpenSession(t.Context(), "head.claims.signature")
		if err != nil || session.Secret != "s" || !strings.HasPrefix(seen[len(seen)-1], "POST /v1/sessions ") {
			t.Errorf("%+v, %v, %q", session, err, seen)
		}
	}
	if _, err := client.New(client.Config{Endpoint: "https://nowhere.invalid", Token: "two words", Transport: answers}); !errors.Is(err, client.ErrToken) {
		t.Errorf("a token that is none: %v", err)
	}
	if _, err := client.New(client.Config{Endpoint: "https://nowhere.invalid"}); !errors.Is(err, client.ErrToken) {
		t.Errorf("neither a token nor a transport: %v", err)
	}
}

func TestOneAttemptIsOne(t *testing.T) {
	calls := 0
	c, err := client.New(client.Config{Endpoint: "https://nowhere.invalid", Attempts: 1, Transport: transport(func(*http.Request) (*http.Response, error) {
		calls++
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: http.NoBody}, nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Whoami(t.Context()); err == nil || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}
