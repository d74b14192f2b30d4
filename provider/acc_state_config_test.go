package provider_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/tfconfig"
)

// TestAccAStateAsConfigurationIsWhatThereIs: objects that use every attribute of every
// kind, written as configuration, are imported by a plan that has nothing to change.
func TestAccAStateAsConfigurationIsWhatThereIs(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	chain, key := acctest.KeyPair(t, "site.example.com")
	otherChain, otherKey := acctest.KeyPair(t, "other.example.com")
	admin := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Admin]), Ticket: rt.Ticket})
	put := func(at lb.Address, body object) {
		t.Helper()
		if at.Kind == lb.KindCertificate {
			body = merged(body, object{"private_key_pem": key})
		}
		if _, err := admin.Put(t.Context(), at, body, client.IfAbsent()); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
	}
	for _, name := range []string{"one", "two", "k"} {
		put(lb.Address{Kind: lb.KindPool, Name: name}, object{"owner": "edge"})
	}
	for _, name := range []string{"site", "spare"} {
		put(lb.Address{Kind: lb.KindCertificate, Name: name}, object{"owner": "edge", "chain_pem": chain})
	}
	for _, name := range []string{"plain", "other"} {
		put(lb.Address{Kind: lb.KindListener, Name: name}, object{"owner": "edge", "address": "127.0.0.1", "port": acctest.FreePort(t)})
	}
	for _, d := range driftMatrix(t, driftCases(otherChain), chain, key, otherChain, otherKey) {
		if d.how == "changed" || d.how == "deleted" {
			put(d.at, d.declared)
		}
	}
	state, err := admin.State(t.Context(), "now", "", client.Page{Limit: api.MaxPageSize})
	if err != nil || state.Next != "" {
		t.Fatal(state, err)
	}
	var objects []tfconfig.Object
	for _, o := range state.Items {
		objects = append(objects, tfconfig.Object{Address: lb.Address{Kind: o.Kind, Name: o.Name}, Encoded: o.Object.Object})
	}
	text, err := tfconfig.Write(objects, true)
	if err != nil {
		t.Fatal(err)
	}
	w := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_TOKEN="+rt.Tokens[identity.Admin])...)
	w.Write(t, "main.tf", string(text))
	w.Write(t, "versions.tf", "terraform {\n  required_providers {\n    auditlb = { source = \"auditlb/auditlb\" }\n  }\n}\n")
	out := w.MustRun(t, "plan", plainOutput)
	if got := regexp.MustCompile(`Plan: .*`).FindString(out); !strings.HasSuffix(got, "to import, 0 to add, 0 to change, 0 to destroy.") {
		t.Errorf("%s\n%s\n%s", got, out, text)
	}
}
