package provider_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

func TestAccQuickstartAppliesAndNeedsNoChange(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	chain, key := acctest.KeyPair(t, "demo.example.com")
	w := acctest.NewWorkspace(t, append(rt.Settings(),
		"TF_VAR_backend_a=127.0.0.1:9", "TF_VAR_backend_b=127.0.0.1:9",
		fmt.Sprintf("TF_VAR_http_port=%d", acctest.FreePort(t)), fmt.Sprintf("TF_VAR_https_port=%d", acctest.FreePort(t)),
		"TF_VAR_certificate_chain="+chain, "TF_VAR_private_key="+key,
	)...)
	if err := os.Remove(w.Dir + "/versions.tf"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(w.Dir, os.DirFS("../examples/quickstart")); err != nil {
		t.Fatal(err)
	}
	out := w.MustRun(t, "apply", "-auto-approve", "-no-color")
	if !says("Apply complete! Resources: 5 added").MatchString(out) {
		t.Errorf("got\n%s", out)
	}
	w.MustRun(t, "plan", "-detailed-exitcode", "-no-color")
	w.MustRun(t, "destroy", "-auto-approve", "-no-color")
}
