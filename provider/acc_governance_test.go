package provider_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// asAdmin is a provider block for ada: operators change no such objects.
func asAdmin(rt *acctest.Runtime, settings ...string) string {
	return rt.Provider(append([]string{"token", rt.Tokens[identity.Admin]}, settings...)...)
}

// governing is a resource that says how others may be changed.
func governing(kind, attributes string) string {
	return fmt.Sprintf("resource %q \"it\" {\n name = \"it\"\n owner = \"sre\"\n%s\n}\n", "auditlb_"+kind, attributes)
}

// weekends is a freeze window for objects that no test has, so that it stops none.
const weekends = `
 reason    = "weekends are quiet"
 addresses = ["pool/none"]
 begin     = "2026-01-02T18:00:00+01:00"
 end       = "2026-01-05T06:00:00+01:00"
`

func TestAccGoverningObjectsAreRefusedAtTheAttribute(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	rule := func(name, attributes string) string { return "rules = { " + name + " = { " + attributes + " } }" }
	refusedAt(t, rt, map[string]invalid{
		"time":        {"freeze_window", "reason = \"r\"\nbegin = \"tomorrow\"\nend = \"2026-01-05T06:00:00Z\"", []string{"begin = \"tomorrow\"", "begin: must be an RFC 3339 time"}},
		"time of day": {"freeze_window", "reason = \"r\"\nbegin = \"2026-01-05T06:00:00Z\"\nend = \"2026-01-05T06:00:00Z\"", []string{"end = \"2026", "end: must be after begin"}},
		"glob":        {"freeze_window", "reason = \"r\"\naddresses = [\"pool\"]\nbegin = \"2026-01-05T06:00:00Z\"\nend = \"2026-01-06T06:00:00Z\"", []string{"addresses = [", "addresses: \"pool\" must be a glob"}},
		"rule":        {"freeze_window", weekends + "recurrence = \"hourly\"", []string{"recurrence = \"hourly\"", "recurrence: must be one rule of RFC 5545"}},
		"other day":   {"freeze_window", weekends + "recurrence = \"FREQ=WEEKLY;BYDAY=SA\"", []string{"recurrence = \"FREQ", "it has none on Friday, 2 January 2026 in UTC"}},
		"zone":        {"freeze_window", weekends + "time_zone = \"Mars\"", []string{"time_zone = \"Mars\"", "time_zone: \"Mars\" is not a time zone"}},
		"expression":  {"policy", rule("a", "require = \" \", message = \"m\""), []string{"rules = {", `rules["a"].require: is required`}},
		"message":     {"policy", rule("a", "require = \"true\", message = \"\""), []string{"rules = {", `rules["a"].message: is required`}},
		"name":        {"policy", rule("A", "require = \"true\", message = \"m\""), []string{"rules = {", `rules["A"]: must be`}},
		"grace":       {"policy", "authority_grace = \"25h\"", []string{"authority_grace = \"25h\"", "authority_grace: 25h must be 0s or between 1s and 24h"}},
	})
	wantEntries(t, rt, api.EntryQuery{Type: "apply"})
}

func TestAccGoverningObjectsNeedATicketAndAnAdministrator(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	config := governing("freeze_window", weekends) + governing("policy", "")
	// Planning needs no ticket.
	run(t, resource.TestStep{Config: asAdmin(rt, "change_ticket", "") + config, PlanOnly: true, ExpectNonEmptyPlan: true})
	run(t, resource.TestStep{Config: asAdmin(rt, "change_ticket", "") + config, ExpectError: says("code ticket_required")})
	run(t, resource.TestStep{Config: rt.Provider() + config, ExpectError: says("code role_insufficient")})
	narrow := rt.OpenTicket(t, api.TicketRequest{Scope: api.TicketScope{Addresses: []string{"pool/*", "route/*"}}})
	run(t, resource.TestStep{Config: asAdmin(rt, "change_ticket", narrow) + config, ExpectError: says("code ticket_out_of_scope")})
	wantEntries(t, rt, api.EntryQuery{Type: "apply"})
	for _, at := range []lb.Address{{Kind: lb.KindFreeze, Name: "it"}, {Kind: lb.KindPolicy, Name: "it"}} {
		if _, err := rt.Client(t, client.Config{}).Get(t.Context(), at); !client.IsNotFound(err) {
			t.Errorf("%s is there without a ticket: %v", at, err)
		}
	}
}

func TestAccExamplesOfGoverningObjectsAreValid(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	for name, objects := range map[string]int{"freeze_window": 3, "policy": 2} {
		w := acctest.NewWorkspace(t, rt.Settings()...)
		if err := os.CopyFS(w.Dir, os.DirFS("../examples/resources/auditlb_"+name)); err != nil {
			t.Fatal(err)
		}
		if out := w.MustRun(t, "plan", "-no-color"); !says(fmt.Sprintf("Plan: %d to add", objects)).MatchString(out) {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}
