package provider

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// mutualAPI asks for client certificates of an authority and keeps, of all calls
// but logins, whose was shown and what else the caller sent.
type mutualAPI struct {
	clients *runtimetest.CA
	refusal *api.Problem
	callers []string
}

func (a *mutualAPI) serve(t *testing.T) (endpoint, caPEM string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/v1/sessions") {
			io.WriteString(w, `{"secret":"secret-of-the-session","expires_at":"2999-01-01T00:00:00Z"}`)
			return
		}
		who := req.Header.Get("Authorization")
		for _, cert := range req.TLS.PeerCertificates {
			who += "+" + cert.Subject.CommonName
		}
		a.callers = append(a.callers, who)
		if p := a.refusal; p != nil {
			w.Header().Set("Content-Type", api.ContentProblem)
			w.WriteHeader(p.Status)
			fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":%q,"request_id":"req-7"}`, p.Status, p.Code, p.Detail)
			return
		}
		io.WriteString(w, `{}`)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(a.clients.PEM)
	srv.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: authorities, MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL, inPEM("CERTIFICATE", srv.Certificate().Raw)
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue makes a certificate in a name, in PEM.
func issue(t *testing.T, ca *runtimetest.CA, name string) (certPEM, keyPEM string) {
	t.Helper()
	pair := ca.Issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", pair.Certificate[0]), inPEM("PRIVATE KEY", pkcs8)
}

// noKeyIn fails when a text shows a line of a key.
func noKeyIn(t *testing.T, keyPEM, text string) {
	t.Helper()
	if secret := strings.Split(keyPEM, "\n")[1]; strings.Contains(text, secret) {
		t.Errorf("the key shows in %s", text)
	}
}

func TestACertificateSpeaksWhereNoTokenIsAskedFor(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	cert, key := issue(t, clients, "ci-main")
	inBlock := map[string]string{"client_cert_pem": cert, "client_key_pem": key}
	ci := map[string]string{"TFC_WORKLOAD_IDENTITY_TOKEN_AUDITLB": idTokenFor("of-the-ci")}
	with := func(all map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for name, value := range all {
			out[name] = value
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	const session = "Bearer secret-of-the-session"
	for name, tc := range map[string]struct {
		env, set     map[string]string
		want, logged string
	}{
		"alone":                      {nil, inBlock, "+ci-main", `"credential":"client certificate"`},
		"from the environment":       {map[string]string{"AUDITLB_CLIENT_CERT_PEM": cert, "AUDITLB_CLIENT_KEY_PEM": key}, nil, "+ci-main", `"credential":"client certificate"`},
		"before what the CI offers":  {ci, inBlock, "+ci-main", `"credential":"client certificate"`},
		"after a token":              {with(ci, "AUDITLB_TOKEN", "alb_1"), inBlock, "Bearer alb_1+ci-main", `"credential":"token"`},
		"after an oidc block":        {ci, with(inBlock, "oidc.audience", "a"), session + "+ci-main", `"credential":"ID token"`},
		"but not one without tokens": {nil, with(inBlock, "oidc.audience", "a"), "+ci-main", `"credential":"client certificate"`},
		"after AUDITLB_ID_TOKEN":     {map[string]string{"AUDITLB_ID_TOKEN": idTokenFor("x")}, inBlock, session + "+ci-main", `"credential":"ID token"`},
		"an empty one is none":       {ci, with(inBlock, "client_cert_pem", "", "client_key_pem", ""), session, `"credential":"ID token"`},
	} {
		t.Run(name, func(t *testing.T) {
			a := &mutualAPI{clients: clients}
			endpoint, ca := a.serve(t)
			diags, log := configure(t, tc.env, with(tc.set, "endpoint", endpoint, "ca_cert_pem", ca))
			if diags.HasError() {
				t.Fatal(diags)
			}
			if len(a.callers) == 0 || a.callers[0] != tc.want {
				t.Errorf("called as %q, want %q", a.callers, tc.want)
			}
			if !strings.Contains(log, tc.logged) {
				t.Errorf("the log does not say %s: %s", tc.logged, log)
			}
			noKeyIn(t, key, log)
			noTokenIn(t, log)
		})
	}
}

func TestWhatIsWrongWithAPairIsSaidWhereItStands(t *testing.T) {
	clients := runtimetest.NewCA(t, "clients")
	cert, key := issue(t, clients, "ci-main")
	_, other := issue(t, clients, "ci-main")
	const endpoint = "https://lb.example.com"
	for name, tc := range map[string]struct {
		set         map[string]string
		at, summary string
		says        []string
	}{
		"no certificate":  {map[string]string{"endpoint": endpoint, "client_key_pem": key}, "client_cert_pem", "Missing client_cert_pem", []string{"AUDITLB_CLIENT_CERT_PEM"}},
		"no key":          {map[string]string{"endpoint": endpoint, "client_cert_pem": cert}, "client_key_pem", "Missing client_key_pem", []string{"AUDITLB_CLIENT_KEY_PEM"}},
		"no certificates": {map[string]string{"endpoint": endpoint, "client_cert_pem": key, "client_key_pem": key}, "client_cert_pem", "Invalid client_cert_pem", []string{"must be in PEM"}},
		"another key":     {map[string]string{"endpoint": endpoint, "client_cert_pem": cert, "client_key_pem": other}, "client_key_pem", "Invalid client_key_pem", []string{"that of the first certificate"}},
		"with a token":    {map[string]string{"endpoint": endpoint, "client_cert_pem": cert, "token": "alb_1"}, "client_key_pem", "Missing client_key_pem", nil},
		"without TLS":     {map[string]string{"endpoint": "http://127.0.0.1:1", "client_cert_pem": cert, "client_key_pem": key}, "endpoint", "Invalid endpoint", []string{"must be https"}},
		"nothing at all":  {map[string]string{"endpoint": endpoint}, "token", "Missing token", []string{"client_cert_pem and client_key_pem", "AUDITLB_CLIENT_CERT_PEM", "AUDITLB_CLIENT_KEY_PEM"}},
	} {
		t.Run(name, func(t *testing.T) {
			diags, log := configure(t, nil, tc.set)
			if len(diags) != 1 || diags[0].Summary() != tc.summary || !diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root(tc.at)) {
				t.Fatalf("got %v, want %q at %s", diags, tc.summary, tc.at)
			}
			for _, want := range tc.says {
				if !strings.Contains(diags[0].Detail(), want) {
					t.Errorf("%s\ndoes not say %s", diags[0].Detail(), want)
				}
			}
			for _, secret := range []string{key, other} {
				noKeyIn(t, secret, diags[0].Detail()+log)
			}
		})
	}
}

func TestARefusedCertificateIsPointedAt(t *testing.T) {
	t.Parallel() // it mostly waits
	clients := runtimetest.NewCA(t, "clients")
	for name, tc := range map[string]struct {
		issuer  *runtimetest.CA
		refusal *api.Problem
		says    string
	}{
		"by the handshake": {runtimetest.NewCA(t, "strangers"), nil, "remote error: tls: "},
		"by the rules":     {clients, api.NewProblem(api.CodeUnauthenticated, "no rule maps this client certificate to an actor"), "no rule maps this"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, key := issue(t, tc.issuer, "ci-main")
			a := &mutualAPI{clients: clients, refusal: tc.refusal}
			endpoint, ca := a.serve(t)
			diags, log := configure(t, nil, map[string]string{"endpoint": endpoint, "ca_cert_pem": ca, "client_cert_pem": cert, "client_key_pem": key})
			if len(diags) != 1 || diags[0].Summary() != "The client certificate was refused" || !diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root("client_cert_pem")) {
				t.Fatalf("got %v", diags)
			}
			for _, want := range []string{tc.says, endpoint, "client_ca_file", "AUDITLB_CLIENT_CERT_PEM"} {
				if !strings.Contains(diags[0].Detail(), want) {
					t.Errorf("%s\ndoes not say %s", diags[0].Detail(), want)
				}
			}
			noKeyIn(t, key, diags[0].Detail()+log)
		})
	}
}

func TestUnknownCertificatesArePointedAt(t *testing.T) {
	for name, declared := range map[string]settings{
		"client_cert_pem": {ClientCertPEM: types.StringUnknown()},
		"client_key_pem":  {ClientKeyPEM: types.StringUnknown()},
	} {
		var diags diag.Diagnostics
		declared.checkKnown(&diags)
		if len(diags) != 1 || !diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root(name)) || !strings.Contains(diags[0].Detail(), envName(name)) {
			t.Errorf("got %v, want %s", diags, name)
		}
	}
}

func TestWhatMustNotBeShownIsSensitive(t *testing.T) {
	for name, attribute := range settingsSchema().Attributes {
		if want := name == "token" || name == "client_key_pem"; attribute.IsSensitive() != want {
			t.Errorf("%s: sensitive is %t, want %t", name, attribute.IsSensitive(), want)
		}
	}
}
