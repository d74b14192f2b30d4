package provider_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func TestAccSettingsThatCannotWorkAreNamed(t *testing.T) {
	acctest.Need(t)
	t.Parallel() // it mostly waits
	rt := acctest.Start(t)
	closed := httptest.NewServer(nil)
	closed.Close()
	cases := map[string]struct {
		block string
		wants []string
	}{
		"no_endpoint":      {"provider \"auditlb\" {\n}\n", []string{"Missing endpoint", "AUDITLB_ENDPOINT"}},
		"no_token":         {rt.Provider("token", ""), []string{"Missing token"}},
		"http_elsewhere":   {rt.Provider("endpoint", "http://lb.example.com"), []string{"insecure_http"}},
		"nobody_there":     {rt.Provider("endpoint", closed.URL), []string{"The management API can't be reached"}},
		"bad_authorities":  {"provider \"auditlb\" {\n endpoint = \"https://x.example.com\"\n token = \"t\"\n ca_cert_pem = \"x\"\n}\n", []string{"Invalid ca_cert_pem"}},
		"bad_run_id":       {rt.Provider("run", "a b"), []string{"Invalid run id"}},
		"unknown_endpoint": {"provider \"auditlb\" {\n endpoint = \"http://${terraform_data.x.id}\"\n token = \"t\"\n}\n", []string{"A provider setting isn't known yet"}},
		"unknown_run":      {"provider \"auditlb\" {\n endpoint = \"http://127.0.0.1:1\"\n token = \"t\"\n run {\n id = terraform_data.x.id\n }\n}\n", []string{"AUDITLB_RUN_ID"}},
	}
	// All at once, each for a resource of its own.
	config := "resource \"terraform_data\" \"x\" {}\n"
	for name, tc := range cases {
		config += strings.Replace(tc.block, "{", fmt.Sprintf("{\n alias = %q", name), 1) +
			fmt.Sprintf("resource \"auditlb_pool\" %q {\n provider = auditlb.%s\n name = \"web\"\n owner = \"edge\"\n}\n", name, name)
	}
	w := acctest.NewWorkspace(t)
	w.Write(t, "main.tf", config)
	errors := failures(t, w, "plan")[`provider "auditlb"`]
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, want := range tc.wants {
				if !says(want).MatchString(errors) {
					t.Errorf("no error has %q:\n%s", want, errors)
				}
			}
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
