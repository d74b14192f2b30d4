package provider_test

import (
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func TestAccDriftSaysWho(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_RUN_WORKSPACE=edge")...)
	w.Write(t, "main.tf", poolWeb(1))
	w.MustRun(t, "apply", "-auto-approve", "-no-color")
	t.Log(w.MustRun(t, "plan", "-no-color"))
	c, _ := outside(t, rt, "rosa")
	if _, err := c.Put(t.Context(), web, drained(), client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	t.Log(w.MustRun(t, "plan", "-no-color"))
	t.Log(w.MustRun(t, "plan", "-refresh-only", "-no-color"))
	t.Log(w.MustRun(t, "plan", "-refresh=false", "-no-color"))
	t.Log(w.MustRun(t, "apply", "-refresh-only", "-auto-approve", "-no-color"))
	t.Log(w.MustRun(t, "apply", "-auto-approve", "-no-color"))
	t.Log(w.MustRun(t, "plan", "-no-color"))
	if _, err := c.Delete(t.Context(), web, client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	t.Log(w.MustRun(t, "plan", "-no-color"))
}
