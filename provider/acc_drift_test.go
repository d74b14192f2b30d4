package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// inEdge is a workspace that calls itself edge, with a pool of its own.
func inEdge(t *testing.T, rt *acctest.Runtime, env ...string) *acctest.Workspace {
	t.Helper()
	w := acctest.NewWorkspace(t, append(append(rt.Settings(), "AUDITLB_RUN_WORKSPACE=edge"), env...)...)
	w.Write(t, "main.tf", poolWeb(1))
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	return w
}

// saysOnly demands that terraform prints exactly these warnings, each with all of its texts;
// the first begins its summary.
func saysOnly(t *testing.T, w *acctest.Workspace, args []string, warnings ...[]string) {
	t.Helper()
	got := warningsIn(t, w.MustRun(t, append(args, "-json")...))
	if len(got) != len(warnings) {
		t.Fatalf("terraform %s: %d warnings, want %d: %+v", strings.Join(args, " "), len(got), len(warnings), got)
	}
	for i, texts := range warnings {
		for _, text := range texts {
			if !strings.Contains(got[i].Summary+"\n"+got[i].Detail, text) {
				t.Errorf("terraform %s: no %q in\n%s\n%s", strings.Join(args, " "), text, got[i].Summary, got[i].Detail)
			}
		}
	}
}

// sightings counts the calls that ask for drift.
func sightings(rt *acctest.Runtime) int { return strings.Count(rt.Logs.String(), "operation=seeDrift") }

// drifts counts the entries that say that drift was seen.
func drifts(t *testing.T, rt *acctest.Runtime) int {
	t.Helper()
	return len(rt.Entries(t, api.EntryQuery{Type: "drift"}))
}

// TestAccDriftIsToldUntilItIsTakenIn: each plan tells it, no plan tells it twice, and once
// a refresh-only apply took it in only the plan that takes it back does.
func TestAccDriftIsToldUntilItIsTakenIn(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := inEdge(t, rt)
	plan := []string{"plan"}
	saysOnly(t, w, plan)
	if n := sightings(rt); n != 0 {
		t.Errorf("a plan in which nothing drifted asked %d times", n)
	}
	ticket, err := rt.Client(t, client.Config{}).OpenTicket(t.Context(), api.TicketRequest{
		ID: "INC-7", Type: "emergency", Title: "Members fail", Reason: "Half of the checks fail", Scope: api.TicketScope{Addresses: []string{"*"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rosa := rt.Client(t, client.Config{Token: api.Secret(rt.Token(t, "rosa", identity.Operator)), Ticket: ticket.ID, UserAgent: "auditlb/dev"})
	changed, err := rosa.Put(t.Context(), web, drained(), client.IfPresent())
	if err != nil {
		t.Fatal(err)
	}
	who := []string{
		"pool/web was changed outside of this configuration",
		"It was changed by rosa at " + changed.LastChange.At.UTC().Format(time.RFC3339) + " under ticket INC-7, which is none of this workspace's, with the command line",
		fmt.Sprintf("(revision %d)", changed.Revision), "It was done under an emergency ticket.", `members["a"].state: "active" → "drain"`,
	}
	saysOnly(t, w, plan, append(who, "terraform apply -refresh-only accepts it", "auditlb drift accept pool/web --workspace \"edge\""))
	saysOnly(t, w, plan, who)
	if n := drifts(t, rt); n != 1 {
		t.Errorf("seen twice, it is %d entries", n)
	}
	saysOnly(t, w, []string{"apply", "-refresh-only", "-auto-approve"}, who)
	asked := sightings(rt)
	saysOnly(t, w, []string{"plan", "-refresh-only"})
	if sightings(rt) != asked {
		t.Error("what the state took in is asked for again")
	}
	saysOnly(t, w, plan, append(who, "This plan takes it back."))
	saysOnly(t, w, []string{"apply", "-auto-approve"}, append(who, "This plan takes it back."))
	asked = sightings(rt)
	saysOnly(t, w, plan)
	if sightings(rt) != asked {
		t.Error("what the state wrote itself is asked for")
	}
	if n := drifts(t, rt); n != 1 {
		t.Errorf("in the end it is %d entries", n)
	}
}

// TestAccAPlanThatDoesNotLookIsToldAndRefused by name; one that does repairs. A plan is
// applied in another job without being told again.
func TestAccAPlanThatDoesNotLookIsToldAndRefused(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := inEdge(t, rt)
	c, ticket := outside(t, rt, "rosa")
	if _, err := c.Put(t.Context(), web, drained(), client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	who := []string{"pool/web was changed outside of this configuration", "by rosa", ticket, `members["a"].state`}
	saysOnly(t, w, []string{"plan", "-refresh=false", "-detailed-exitcode"}, append(who, "This plan does not look"))
	w.Write(t, "main.tf", poolWeb(2))
	// It is told when it is planned, and not again when it is planned once more to be applied.
	out, err := w.Run(t, "apply", "-refresh=false", "-auto-approve", "-json")
	diagnostics := warningsIn(t, out)
	if err == nil || len(diagnostics) != 2 {
		t.Fatalf("the plan that did not look: %v, %+v", err, diagnostics)
	}
	told, refused := diagnostics[0], diagnostics[1]
	for _, want := range append(who, "applying it will be refused") {
		if !strings.Contains(told.Summary+told.Detail, want) {
			t.Errorf("no %q in %+v", want, told)
		}
	}
	if refused.Severity != "error" || refused.Summary != "pool/web was changed by somebody else" || !strings.Contains(refused.Detail, "It was changed by rosa") || !strings.Contains(refused.Detail, "under ticket "+ticket) {
		t.Errorf("refused: %+v", refused)
	}
	saysOnly(t, w, []string{"plan", "-out=seen"}, who)
	entries := drifts(t, rt)
	job := *w
	job.Env = slices.Concat(w.Env, []string{"AUDITLB_RUN_ID=another-job"})
	saved := warningsIn(t, job.MustRun(t, "apply", "-json", "seen"))
	if len(saved) != 0 || drifts(t, rt) != entries {
		t.Errorf("applied in another job, it is told again: %+v", saved)
	}
	saysOnly(t, w, []string{"plan", "-detailed-exitcode"})
	saysOnly(t, w, []string{"plan", "-refresh=false", "-detailed-exitcode"})
	if _, err := c.RollBack(t.Context(), api.RollbackRequest{Resource: "pool/web"}); err != nil {
		t.Fatal(err)
	}
	saysOnly(t, w, []string{"plan"}, []string{"pool/web was changed outside of this configuration", "by rosa", "It was a rollback to revision"})
	if _, err := c.Delete(t.Context(), web, client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	w.Write(t, "main.tf", poolWeb(3))
	saysOnly(t, w, []string{"plan", "-refresh=false"}, []string{"pool/web was deleted outside of this configuration", "deleted by rosa"})
}

// TestAccTwoWorkspacesAreToldOfEachOther, by an import block, by the import command, and
// once both change the object.
func TestAccTwoWorkspacesAreToldOfEachOther(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	edge := inEdge(t, rt)
	core := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_RUN_WORKSPACE=core")...)
	core.Write(t, "main.tf", poolWeb(1)+"\nimport {\n  to = auditlb_pool.web\n  id = \"web\"\n}\n")
	imported := []string{"pool/web was imported", "created by olivia", "Workspace edge manages it too: created by olivia", "remove it from one of them"}
	saysOnly(t, core, []string{"plan"}, imported)
	core.Write(t, "main.tf", poolWeb(1))
	if out := core.MustRun(t, "import", plainOutput, "auditlb_pool.web", "pool/web"); !says("pool/web was imported").MatchString(out) || !says("Workspace edge manages it too").MatchString(out) {
		t.Errorf("the import does not say who else manages it:\n%s", out)
	}
	if n := drifts(t, rt); n != 1 {
		t.Errorf("imported twice at one revision, it is %d entries", n)
	}
	saysOnly(t, core, []string{"plan", "-detailed-exitcode"})
	wantDrift(t, rt, "edge", "pool/web adopted core")
	wantDrift(t, rt, "core", "pool/web adopted edge")

	core.Write(t, "main.tf", poolWeb(5))
	saysOnly(t, core, []string{"apply", "-auto-approve"})
	saysOnly(t, edge, []string{"plan"}, []string{
		"pool/web was adopted by workspace core", "changed by olivia", "under ticket " + rt.Ticket, "of workspace core", "Workspace core manages it too", `members["a"].weight: 1 → 5`,
	})
	wantDrift(t, rt, "edge", "pool/web adopted core")
	edge.MustRun(t, "destroy", "-auto-approve", plainOutput)
	saysOnly(t, core, []string{"plan"}, []string{"pool/web was deleted outside of this configuration", "deleted by olivia", "of workspace edge", "A plan proposes to create it again."})
}

// wantDrift compares a workspace's drift, each as address, kind and managers.
func wantDrift(t *testing.T, rt *acctest.Runtime, workspace string, want ...string) {
	t.Helper()
	list, err := rt.Client(t, client.Config{}).Drift(t.Context(), api.DriftQuery{Workspace: workspace})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range list.Items {
		line := []string{list.Items[i].Address, list.Items[i].Kind}
		for _, m := range list.Items[i].Managers {
			line = append(line, m.Workspace)
		}
		got = append(got, strings.Join(line, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("drift of %s: %q, want %q", workspace, got, want)
	}
}

// TestAccAcceptedDriftIsSilentForAViewerToo: a token that can only read is enough to look.
func TestAccAcceptedDriftIsSilentForAViewerToo(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := inEdge(t, rt)
	c, ticket := outside(t, rt, "rosa")
	changed, err := c.Put(t.Context(), web, drained(), client.IfPresent())
	if err != nil {
		t.Fatal(err)
	}
	viewer := *w
	viewer.Env = slices.Concat(w.Env, []string{"AUDITLB_TOKEN=" + rt.Tokens[identity.Viewer], "AUDITLB_CHANGE_TICKET="})
	viewer.Write(t, "drift.tf", `
data "auditlb_drift" "ours" { all = true }
output "drift" { value = data.auditlb_drift.ours }
`)
	look := []string{"apply", "-refresh-only", "-auto-approve"}
	state := w.Read(t, "terraform.tfstate")
	saysOnly(t, &viewer, look, []string{"pool/web was changed outside of this configuration", "by rosa"})
	shown := viewer.MustRun(t, "output", "-json", "drift")
	for _, want := range []string{`"workspace":"edge"`, `"address":"pool/web"`, `"kind":"changed"`, `"actor":"rosa"`, `"ticket":"` + ticket + `"`, `"own_ticket":false`, `"via":"api"`, `"accepted_until":null`, `"path":"/members/a/state"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("the data source has no %s:\n%s", want, shown)
		}
	}
	request := api.DriftAcceptanceRequest{Address: "pool/web", Workspace: "edge", Until: time.Now().Add(time.Hour), Reason: "The canary stays", Revision: changed.Revision}
	if _, err := c.AcceptDrift(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	w.Write(t, "terraform.tfstate", state)
	saysOnly(t, &viewer, look)
	if shown := viewer.MustRun(t, "output", "-json", "drift"); !strings.Contains(shown, `"accepted_by":"rosa"`) {
		t.Errorf("the data source does not say who accepted it:\n%s", shown)
	}
	request.Withdraw = true
	if _, err := c.AcceptDrift(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	saysOnly(t, &viewer, []string{"plan", "-refresh-only"}, []string{"pool/web was changed outside of this configuration"})
	if refused := rt.Entries(t, api.EntryQuery{Type: "reject"}); len(refused) != 0 {
		t.Errorf("a viewer who looks is refused: %+v", refused[0].Entry)
	}
}

// TestAccOnlyALookCosts: one object drifted of several, and nothing is asked of the others.
func TestAccOnlyALookCosts(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := acctest.NewWorkspace(t, append(rt.Settings(), "AUDITLB_RUN_WORKSPACE=edge")...)
	w.Write(t, "main.tf", "resource \"auditlb_pool\" \"many\" {\n  count = 5\n  name = \"p${count.index}\"\n  owner = \"edge\"\n}\n")
	w.MustRun(t, "apply", "-auto-approve", plainOutput)
	c, _ := outside(t, rt, "rosa")
	if _, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: "p3"}, drained(), client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	saysOnly(t, w, []string{"plan"}, []string{"pool/p3 was changed"})
	if n := sightings(rt); n != 1 {
		t.Errorf("asked %d times for one object that drifted", n)
	}
}
