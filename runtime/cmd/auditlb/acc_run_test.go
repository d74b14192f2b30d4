package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

// TestAccARunIsFollowedFromItsPlanToItsApply with the real terraform: planned in one job,
// applied from the saved plan in another, named as the configuration names it.
func TestAccARunIsFollowedFromItsPlanToItsApply(t *testing.T) {
	acctest.Need(t)
	t.Setenv("TMPDIR", t.TempDir()) // where the provider is built
	rt := acctest.Start(t)
	t.Setenv("AUDITLB_ENDPOINT", rt.Endpoint)
	t.Setenv("AUDITLB_TOKEN", rt.Operator)
	w := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_RUN_ID=ci/plan", "AUDITLB_RUN_URL=https://ci.example/1")...)
	if err := os.Mkdir(filepath.Join(w.Dir, "edge"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.Write(t, "edge/main.tf", w.Read(t, "versions.tf")+`
resource "auditlb_pool" "pools" {
  for_each = toset(["web", "api"])
  name     = each.key
  owner    = "team-web"
  members  = { a = { address = "10.0.0.1:80" } }
}
`)
	w.Write(t, "main.tf", "module \"edge\" {\n  source = \"./edge\"\n}\n")
	w.MustRun(t, "get")
	w.MustRun(t, "plan", "-out=plan", "-no-color")
	shown := w.MustRun(t, "show", "-json", "plan")
	w.Write(t, "plan.json", shown[strings.IndexByte(shown, '{'):])

	run := func(code int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		root := newRoot()
		root.SetArgs(append([]string{"run"}, args...))
		root.SetOut(&out)
		if err := root.ExecuteContext(t.Context()); report(err) != code {
			t.Fatalf("run %v: %v, want exit code %d\n%s", args, err, code, &out)
		}
		return out.String()
	}
	says := func(out string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("no %q in\n%s", text, out)
			}
		}
	}
	says(run(exitOK, "attach", "ci/plan", "--plan-json", filepath.Join(w.Dir, "plan.json")), "2 addresses")
	says(run(exitDiffers, "show", "ci/plan", "--exit-code"), "planned, nothing is applied so far", `module.edge.auditlb_pool.pools["web"]`, "https://ci.example/1")
	says(run(exitOK, "comment", "ci/plan"), "0 applied as planned, 2 not applied", "[in its CI](<https://ci.example/1>)", "`module.edge.auditlb_pool.pools[\"api\"]`")

	w.Env = append(w.Env, "AUDITLB_RUN_ID=ci/apply")
	w.MustRun(t, "apply", "-no-color", "plan")
	says(run(exitOK, "show", "ci/plan", "--exit-code"), "applied as planned", "in run ci/apply", "2 applied, 0 not applied, 0 failed, 0 unplanned")
	says(run(exitOK, "show", "ci/apply", "--exit-code"), "applied as planned", "2 applied, 0 not applied, 0 failed, 0 unplanned")

	w.Write(t, "read.tf", `
data "auditlb_run" "plan" {
  id = "ci/plan"
}
data "auditlb_history" "plan" {
  run   = "ci/plan"
  types = ["plan"]
}
output "read" {
  value = [data.auditlb_run.plan, data.auditlb_history.plan]
}
`)
	w.MustRun(t, "apply", "-auto-approve", "-no-color")
	says(w.MustRun(t, "output", "-json", "read"), `"overall":"applied"`, `"apply_run":"ci/apply"`, `"plan_run":"ci/plan"`, `"verified":false`,
		`"terraform_address":"module.edge.auditlb_pool.pools[\"web\"]"`, `"by":"anton"`, `"system":"local"`, `"url":"https://ci.example/1"`, `"owner":"team-web"`)
}
