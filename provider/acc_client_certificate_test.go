package provider_test

import (
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runtimetest"
)

// inPEM makes a client certificate in a name.
func inPEM(t *testing.T, ca *runtimetest.CA, name string) (cert, key string) {
	t.Helper()
	pair := ca.Issue(t, func(c *x509.Certificate) { c.Subject.CommonName = name })
	pkcs8, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", pair.Certificate[0]), encode("PRIVATE KEY", pkcs8)
}

// TestAccAClientCertificateStandsInForAToken: no token is configured anywhere, the
// certificate's actor is in every entry, and its key nowhere.
func TestAccAClientCertificateStandsInForAToken(t *testing.T) {
	acctest.Need(t)
	clients := runtimetest.NewCA(t, "clients")
	rt := acctest.Start(t, runtimetest.TLS(clients,
		daemon.ClientCertificate{Name: "ci", Match: "cn:ci-*", Role: "operator", Scopes: []string{"pool/*"}},
	))
	cert, key := inPEM(t, clients, "ci-main")
	w := acctest.NewWorkspace(t,
		"AUDITLB_ENDPOINT="+rt.Endpoint, "AUDITLB_CA_CERT_PEM="+rt.CAPEM, "AUDITLB_CHANGE_TICKET="+rt.Ticket, "AUDITLB_RUN_ID=run-1",
		"AUDITLB_CLIENT_CERT_PEM="+cert, "TF_VAR_client_key="+key, "TF_LOG_PROVIDER=TRACE", "TF_LOG_PATH=provider.log",
	)
	w.Write(t, "main.tf", poolWeb(1)+`
variable "client_key" {
  type      = string
  ephemeral = true
}

provider "auditlb" {
  client_key_pem = var.client_key
}
`)
	outputs := []string{
		w.MustRun(t, "plan", "-no-color", "-out=plan"),
		w.MustRun(t, "show", "-json", "plan"),
		w.MustRun(t, "apply", "-no-color", "plan"),
		w.MustRun(t, "show", "-json"),
	}
	entries := rt.Entries(t, api.EntryQuery{Run: "run-1"})
	if got := strings.Join(brief(entries), ", "); got != "run register run/run-1, plan create pool/web, apply create pool/web" {
		t.Fatalf("entries %s", got)
	}
	for _, e := range entries {
		if e.Actor.Name != "ci-main" || e.Actor.Role != "operator" || !strings.HasPrefix(e.Actor.Credential, "certificate/") || (e.Run != nil && e.Run.Verified) {
			t.Errorf("entry %d: actor %+v, run %+v", e.Seq, e.Actor, e.Run)
		}
	}

	// Whom the runtime doesn't know, and whose authority it doesn't trust.
	for name, issuer := range map[string]*runtimetest.CA{"somebody": clients, "ci-main": runtimetest.NewCA(t, "clients")} {
		otherCert, otherKey := inPEM(t, issuer, name)
		refused := *w
		refused.Env = slices.Concat(w.Env, []string{"AUDITLB_CLIENT_CERT_PEM=" + otherCert, "TF_VAR_client_key=" + otherKey})
		out, err := refused.Run(t, "plan", "-no-color")
		if err == nil || !says("The client certificate was refused").MatchString(out) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		outputs = append(outputs, out)
	}
	refused := rt.Entries(t, api.EntryQuery{Type: "reject"})
	if len(refused) == 0 || refused[len(refused)-1].Code != string(api.CodeUnauthenticated) {
		t.Errorf("recorded: %q", brief(refused))
	}

	outputs = append(outputs, rt.Logs.String())
	for _, e := range rt.Entries(t, api.EntryQuery{}) {
		full, err := rt.Client(t, client.Config{}).Entry(t.Context(), e.Seq)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(full)
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, string(text))
	}
	secrets := []string{strings.Split(key, "\n")[1]}
	for _, out := range outputs {
		wantNone(t, secrets, "what was printed, logged or recorded", []byte(out))
	}
	searched := 0
	err := filepath.WalkDir(w.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		searched++
		wantNone(t, secrets, d.Name(), content)
		for name, part := range unzip(t, content) {
			searched++
			wantNone(t, secrets, d.Name()+"/"+name, part)
		}
		return nil
	})
	if err != nil || searched < 8 {
		t.Errorf("searched %d files, %v; the plan's parts, the state and the log must be among them", searched, err)
	}
}
