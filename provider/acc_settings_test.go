package provider_test

import (
	"net/http/httptest"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func TestAccSettingsThatCannotWorkAreNamed(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	for name, tc := range map[string]struct{ block, want string }{
		"no endpoint":      {`provider "auditlb" {}`, "Missing endpoint"},
		"how to set it":    {`provider "auditlb" {}`, "AUDITLB_ENDPOINT"},
		"no token":         {rt.Provider("token", ""), "Missing token"},
		"http elsewhere":   {rt.Provider("endpoint", "http://lb.example.com"), "insecure_http"},
		"nobody there":     {rt.Provider("endpoint", closed.URL), "The management API can't be reached"},
		"bad authorities":  {"provider \"auditlb\" {\n endpoint = \"https://x.example.com\"\n token = \"t\"\n ca_cert_pem = \"x\"\n}\n", "Invalid ca_cert_pem"},
		"bad run id":       {rt.Provider("run", "a b"), "Invalid run id"},
		"unknown endpoint": {"resource \"terraform_data\" \"x\" {}\nprovider \"auditlb\" {\n endpoint = \"http://${terraform_data.x.id}\"\n token = \"t\"\n}\n", "A provider setting isn't known yet"},
		"unknown run":      {"resource \"terraform_data\" \"x\" {}\nprovider \"auditlb\" {\n endpoint = \"http://127.0.0.1:1\"\n token = \"t\"\n run {\n id = terraform_data.x.id\n }\n}\n", "AUDITLB_RUN_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, resource.TestStep{Config: tc.block + poolWeb(1), PlanOnly: true, ExpectError: says(tc.want)})
		})
	}
}

func TestAccSettingsComeFromTheEnvironment(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_RUN_ID=run-env", "AUDITLB_RUN_ACTOR=alice")...)
	w.Write(t, "main.tf", poolWeb(1)+"provider \"auditlb\" {\n run {\n actor = \"bob\"\n }\n}\n")
	w.MustRun(t, "apply", "-auto-approve", "-no-color")
	entries := rt.Entries(t, api.EntryQuery{Run: "run-env"})
	if len(entries) != 3 {
		t.Errorf("got %v, want a registration, a plan and an apply", brief(entries))
	}
}
