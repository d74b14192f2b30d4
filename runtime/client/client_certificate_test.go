package client_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// mutual is an API that asks for the client certificates of an authority, and
// keeps who showed which and what they sent as their credential.
type mutual struct {
	url, caPEM string

	mu sync.Mutex // guards shown and bearers
	// shown are the names of certificates, "" for none.
	shown []string
	// bearers are the Authorization fields, nil for none.
	bearers [][]string
}

func startMutual(t *testing.T, clients *runtimetest.CA) *mutual {
	t.Helper()
	m := &mutual{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		name := ""
		if len(req.TLS.PeerCertificates) > 0 {
			name = req.TLS.PeerCertificates[0].Subject.CommonName
		}
		m.mu.Lock()
		m.shown, m.bearers = append(m.shown, name), append(m.bearers, req.Header.Values("Authorization"))
		m.mu.Unlock()
		if req.URL.Path == "/v1/sessions" {
			io.WriteString(w, `{"secret":"session-1","expires_at":"2999-01-01T00:00:00Z"}`)
			return
		}
		io.WriteString(w, `{"name":"ci"}`)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(clients.PEM)
	srv.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: authorities, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	m.url, m.caPEM = srv.URL, encode("CERTIFICATE", srv.Certificate().Raw)
	return m
}

// client returns a client with a pair and no token, as a test changes it.
func (m *mutual) client(t *testing.T, certPEM string, keyPEM api.Secret, change func(*client.Config)) *client.Client {
	t.Helper()
	return newClient(t, m.url, func(cfg *client.Config) {
		cfg.CACertPEM, cfg.Token, cfg.ClientCertPEM, cfg.ClientKeyPEM = m.caPEM, "", certPEM, keyPEM
		if change != nil {
			change(cfg)
		}
	})
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue makes a certificate in a name, in PEM.
func issue(t *testing.T, ca *runtimetest.CA, name string) (certPEM string, keyPEM api.Secret) {
	t.Helper()
	pair := ca.Issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return encode("CERTIFICATE", pair.Certificate[0]), api.Secret(encode("PRIVATE KEY", pkcs8))
}

// noKeyIn fails when a text shows a line of a key.
func noKeyIn(t *testing.T, key api.Secret, text string) {
	t.Helper()
	for line := range strings.Lines(key.Reveal()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
			t.Errorf("the key shows: %s", text)
		}
	}
}

func TestAClientCertificateIsTheOnlyCredential(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	m := startMutual(t, clients)
	cert, key := issue(t, clients, "ci-main")
	c := m.client(t, cert, key, nil)
	whoami(t, c)
	if _, err := c.RegisterRun(t.Context(), "run-1", api.RunClaims{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(m.shown, []string{"ci-main", "ci-main"}) {
		t.Errorf("shown: %q", m.shown)
	}
	for _, fields := range m.bearers {
		if fields != nil {
			t.Errorf("sent Authorization: %q", fields)
		}
	}
}

func TestATokenOrALoginGoesBeforeACertificate(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	cert, key := issue(t, clients, "ci-main")
	for name, tc := range map[string]struct {
		change func(*client.Config)
		want   [][]string
	}{
		"a token":          {func(cfg *client.Config) { cfg.Token = token }, [][]string{{"Bearer " + token}}},
		"a login":          {func(cfg *client.Config) { cfg.Login = idToken }, [][]string{nil, {"Bearer session-1"}}},
		"a token of both":  {func(cfg *client.Config) { cfg.Token, cfg.Login = token, idToken }, [][]string{{"Bearer " + token}}},
		"neither":          {nil, [][]string{nil}},
		"but not the pair": {func(cfg *client.Config) { cfg.Token, cfg.ClientCertPEM, cfg.ClientKeyPEM = token, "", "" }, [][]string{{"Bearer " + token}}},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMutual(t, clients)
			whoami(t, m.client(t, cert, key, tc.change))
			if fmt.Sprint(m.bearers) != fmt.Sprint(tc.want) || len(m.bearers) != len(tc.want) {
				t.Errorf("sent %q, want %q", m.bearers, tc.want)
			}
			for _, shown := range m.shown {
				if want := map[bool]string{true: "", false: "ci-main"}[name == "but not the pair"]; shown != want {
					t.Errorf("showed %q, want %q", shown, want)
				}
			}
		})
	}
}

// A certificate of a stranger must not stand in the way of a good token.
func TestACertificateOfAnotherAuthority(t *testing.T) {
	m := startMutual(t, runtimetest.NewCA(t, "clients"))
	cert, key := issue(t, runtimetest.NewCA(t, "strangers"), "ci-main")
	whoami(t, m.client(t, cert, key, func(cfg *client.Config) { cfg.Token = token }))
	if !slices.Equal(m.shown, []string{""}) {
		t.Errorf("shown along with a token: %q", m.shown)
	}
	_, err := m.client(t, cert, key, func(cfg *client.Config) { cfg.Attempts = 2 }).Whoami(t.Context())
	if !client.IsHandshakeRefused(err) {
		t.Errorf("got %v, want a refusal in the handshake", err)
	}
	noKeyIn(t, key, shown(err))
	if len(m.shown) != 1 {
		t.Errorf("%d calls came through", len(m.shown))
	}
}

func TestOnlyAnAlertOfTheOtherSideIsARefusedHandshake(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	for _, endpoint := range []string{closed.URL, untrusted.URL} {
		_, err := newClient(t, endpoint, func(cfg *client.Config) { cfg.Attempts = 1 }).Whoami(t.Context())
		if err == nil || client.IsHandshakeRefused(err) {
			t.Errorf("%s: got %v", endpoint, err)
		}
	}
	if client.IsHandshakeRefused(nil) {
		t.Error("no error is one")
	}
}

func TestAPairThatIsNoneIsRefusedAtOnce(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	cert, key := issue(t, clients, "ci-main")
	otherCert, otherKey := issue(t, clients, "ci-main")
	sealed := api.Secret(encode("ENCRYPTED PRIVATE KEY", []byte("who knows what is in here")))
	for name, tc := range map[string]struct {
		cert string
		key  api.Secret
		want error
	}{
		"no certificate":           {"", key, client.ErrClientCert},
		"no key":                   {cert, "", client.ErrClientKey},
		"a certificate that isn't": {"ci-main", key, client.ErrClientCert},
		"a broken certificate":     {encode("CERTIFICATE", []byte("ci-main")), key, client.ErrClientCert},
		"a broken chain":           {cert + encode("CERTIFICATE", []byte("ci-main")), key, client.ErrClientCert},
		"the key twice":            {key.Reveal(), key, client.ErrClientCert},
		"the certificate twice":    {cert, api.Secret(cert), client.ErrClientKey},
		"a key that isn't":         {cert, "signature-of", client.ErrClientKey},
		"another key":              {cert, otherKey, client.ErrClientKey},
		"the key of the second":    {cert + otherCert, otherKey, client.ErrClientKey},
		"an encrypted key":         {cert, sealed, client.ErrClientKey},
	} {
		for credential, cfg := range map[string]client.Config{"alone": {}, "with a token": {Token: token}} {
			t.Run(name+" "+credential, func(t *testing.T) {
				cfg.Endpoint, cfg.ClientCertPEM, cfg.ClientKeyPEM = "https://lb.example.com", tc.cert, tc.key
				_, err := client.New(cfg)
				if !errors.Is(err, tc.want) {
					t.Fatalf("got %v, want %v", err, tc.want)
				}
				for _, sentinel := range []error{client.ErrEndpoint, client.ErrCACert, client.ErrClientCert, client.ErrClientKey, client.ErrToken} {
					if !errors.Is(tc.want, sentinel) && errors.Is(err, sentinel) {
						t.Errorf("%v is blamed on %q too", err, sentinel)
					}
				}
				noKeyIn(t, key, shown(err))
				noKeyIn(t, otherKey, shown(err))
				noSecretIn(t, shown(err))
			})
		}
	}
}

func TestACertificateAloneNeedsTLS(t *testing.T) {
	cert, key := issue(t, runtimetest.NewCA(t, "clients"), "ci-main")
	cfg := client.Config{Endpoint: "http://127.0.0.1:9443", ClientCertPEM: cert, ClientKeyPEM: key}
	if _, err := client.New(cfg); !errors.Is(err, client.ErrEndpoint) {
		t.Errorf("got %v, want %v", err, client.ErrEndpoint)
	}
	cfg.Token = token
	if _, err := client.New(cfg); err != nil {
		t.Errorf("with a token: %v", err)
	}
	noKeyIn(t, key, fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg))
}
