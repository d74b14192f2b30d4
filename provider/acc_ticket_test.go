package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// checkout is a working copy of one configuration, in a run of its own, with a
// token of a role and perhaps a ticket.
func checkout(t *testing.T, rt *acctest.Runtime, run string, role identity.Role, ticket, config string) *acctest.Workspace {
	t.Helper()
	w := acctest.NewWorkspace(t, "AUDITLB_ENDPOINT="+rt.Endpoint, "AUDITLB_TOKEN="+rt.Tokens[role], "AUDITLB_CHANGE_TICKET="+ticket, "AUDITLB_RUN_ID="+run)
	w.Write(t, "main.tf", config)
	return w
}

// boundTicket opens a ticket in paul's name that is bound to a run, shows anton
// what it covers, and has him approve that.
func boundTicket(t *testing.T, rt *acctest.Runtime, id, run string) []api.TicketEffect {
	t.Helper()
	planner := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Planner])})
	if _, err := planner.OpenTicket(t.Context(), api.TicketRequest{ID: id, Title: "a release", Reason: "as reviewed", Run: run}); err != nil {
		t.Fatal(err)
	}
	approver := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Approver])})
	effects, err := approver.TicketEffects(t.Context(), id, client.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := approver.ActOnTicket(t.Context(), id, client.Approve, api.TicketAction{EffectsDigest: effects.EffectsDigest}); err != nil {
		t.Fatal(err)
	}
	return effects.Items
}

// TestAccWhatWasApprovedOnABranchIsAppliedAfterTheMerge: planned on the branch,
// approved, merged, planned again on main, applied. One attribute changed in
// between is refused and named.
func TestAccWhatWasApprovedOnABranchIsAppliedAfterTheMerge(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	both := func(weight int) string {
		return poolWeb(weight) + `
resource "auditlb_pool" "api" {
  name    = "api"
  owner   = "edge"
  members = { a = { address = "10.0.0.2:80" } }
}
`
	}
	before := checkout(t, rt, "before", identity.Operator, rt.Ticket, poolWeb(1))
	before.MustRun(t, "apply", "-auto-approve", "-no-color")

	branch := checkout(t, rt, "branch", identity.Planner, "", both(2))
	branch.Write(t, "terraform.tfstate", before.Read(t, "terraform.tfstate"))
	branch.MustRun(t, "plan", "-no-color")
	seen := map[string]string{}
	for _, e := range boundTicket(t, rt, "CHG-42", "branch") {
		seen[string(e.Op)+" "+e.Address] = fmt.Sprint(e.Patch)
	}
	if len(seen) != 2 || !strings.Contains(seen["update pool/web"], "/members/a/weight") || seen["create pool/api"] == "" {
		t.Errorf("the approver was shown %v", seen)
	}

	changed := checkout(t, rt, "changed", identity.Operator, "CHG-42", both(3))
	changed.Write(t, "terraform.tfstate", before.Read(t, "terraform.tfstate"))
	out, err := changed.Run(t, "apply", "-auto-approve", "-no-color", "-target=auditlb_pool.web")
	if flat := strings.Join(strings.Fields(strings.ReplaceAll(out, "│", " ")), " "); err == nil ||
		!strings.Contains(flat, "pool/web is not as it was approved") || !strings.Contains(flat, `members["a"].weight: would be 3; ticket CHG-42 covers 2`) {
		t.Errorf("another weight than was approved: %v\n%s", err, out)
	}

	merged := checkout(t, rt, "main", identity.Operator, "CHG-42", both(2))
	merged.Write(t, "terraform.tfstate", before.Read(t, "terraform.tfstate"))
	merged.MustRun(t, "plan", "-no-color")
	merged.MustRun(t, "apply", "-auto-approve", "-no-color")
	// Terraform makes both at once.
	if got := brief(rt.Entries(t, api.EntryQuery{Ticket: "CHG-42", Type: "apply"})); !slices.Contains(got, "apply create pool/api") || !slices.Contains(got, "apply update pool/web") || len(got) != 2 {
		t.Errorf("applied: %q", got)
	}
	for _, e := range rt.Entries(t, api.EntryQuery{Ticket: "CHG-42", Type: "apply"}) {
		if e.Unplanned || e.Run == nil || e.Run.ID != "main" {
			t.Errorf("entry %d: unplanned %t, run %+v", e.Seq, e.Unplanned, e.Run)
		}
	}
}
