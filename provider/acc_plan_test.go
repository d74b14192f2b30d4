package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// poolWeb is a pool whose one member has a weight.
func poolWeb(weight int) string {
	return fmt.Sprintf(`
resource "auditlb_pool" "web" {
  name    = "web"
  owner   = "edge"
  members = { a = { address = "10.0.0.1:80", weight = %d } }
}
`, weight)
}

// brief is an entry in a few words: "plan create pool/web".
func brief(entries []api.EntryRecord) []string {
	var out []string
	for _, e := range entries {
		text := fmt.Sprintf("%s %s %s", e.Type, e.Op, e.Resource)
		if e.Code != "" {
			text += " " + e.Code
		}
		out = append(out, text)
	}
	return out
}

func wantEntries(t *testing.T, rt *acctest.Runtime, query api.EntryQuery, want ...string) {
	t.Helper()
	if got := brief(rt.Entries(t, query)); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("entries:\n got %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

func TestAccEveryApplyFulfilsThePlanOfItsRun(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	provider := rt.Provider("run", "run-1")
	run(t,
		resource.TestStep{Config: provider + poolWeb(1)},
		resource.TestStep{Config: provider + poolWeb(2)},
		resource.TestStep{Config: provider},
	)
	// Terraform plans twice, and more often in these tests; each plan is one entry.
	wantEntries(t, rt, api.EntryQuery{Resource: "pool/web"},
		"plan create pool/web", "apply create pool/web",
		"plan update pool/web", "apply update pool/web",
		"plan delete pool/web", "apply delete pool/web",
	)
	entries := rt.Entries(t, api.EntryQuery{Resource: "pool/web"})
	for i := 0; i+1 < len(entries); i += 2 {
		plan, apply := entries[i], entries[i+1]
		if apply.Plan != plan.Seq || apply.Unplanned || apply.EffectDigest != plan.EffectDigest {
			t.Errorf("entry %d: fulfils plan %d (unplanned %t), want %d", apply.Seq, apply.Plan, apply.Unplanned, plan.Seq)
		}
		if apply.Run == nil || apply.Run.ID != "run-1" || apply.Ticket != rt.Ticket || apply.Actor.Name != "olivia" {
			t.Errorf("entry %d: run %+v, ticket %s, actor %s", apply.Seq, apply.Run, apply.Ticket, apply.Actor.Name)
		}
	}
}

func TestAccUnknownValuesAreStillOnePlan(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	run(t, resource.TestStep{
		Config: rt.Provider("run", "run-1") + `
resource "terraform_data" "later" {
  input = "10.0.0.9:80"
}
resource "auditlb_pool" "web" {
  name         = "web"
  owner        = "edge"
  labels       = { from = terraform_data.later.id }
  members      = { a = { address = terraform_data.later.output } }
  health_check = { host = terraform_data.later.id }
}
`, ConfigPlanChecks: emptyPlan,
	})
	for _, e := range rt.Entries(t, api.EntryQuery{Resource: "pool/web", Type: "apply"}) {
		if e.Unplanned || e.Plan == 0 {
			t.Errorf("entry %d: fulfils plan %d, unplanned %t", e.Seq, e.Plan, e.Unplanned)
		}
	}
}

func TestAccAnotherSpellingIsNoChange(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	config := func(idle, host, statuses, begin, end, recurrence, grace string) string {
		return asAdmin(rt, "run", "run-1") + fmt.Sprintf(`
resource "auditlb_pool" "web" {
  name         = "web"
  owner        = "edge"
  members      = { a = { address = "10.0.0.1:80" } }
  timeouts     = { idle = %q }
  health_check = { host = %q, expected_statuses = [%s] }
}
`, idle, host, statuses) + governing("freeze_window", fmt.Sprintf("reason = \"holidays\"\naddresses = [\"pool/none\"]\nbegin = %q\nend = %q\nrecurrence = %q", begin, end, recurrence)) +
			governing("policy", fmt.Sprintf("authority_grace = %q", grace))
	}
	all := func(action plancheck.ResourceActionType) (checks []plancheck.PlanCheck) {
		for _, at := range []string{"auditlb_pool.web", "auditlb_freeze_window.it", "auditlb_policy.it"} {
			checks = append(checks, plancheck.ExpectResourceAction(at, action))
		}
		return checks
	}
	spelled := func(at string, values ...string) (checks []statecheck.StateCheck) {
		for i := 0; i < len(values); i += 2 {
			checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(values[i]), knownvalue.StringExact(values[i+1])))
		}
		return checks
	}
	kept := slices.Concat(
		spelled("auditlb_freeze_window.it", "begin", "2026-12-20T19:00:00+01:00", "end", "2026-12-27T18:00:00.250Z", "recurrence", "RRULE:freq=yearly"),
		spelled("auditlb_policy.it", "authority_grace", "60m"),
	)
	run(t,
		resource.TestStep{
			Config:            config("60s", "App.example.com", `"200", "204"`, "2026-12-20T19:00:00+01:00", "2026-12-27T18:00:00.250Z", "RRULE:freq=yearly", "60m"),
			ConfigPlanChecks:  emptyPlan,
			ConfigStateChecks: kept,
		},
		resource.TestStep{
			Config:            config("1m", "app.EXAMPLE.com", `"204", "200", "200"`, "2026-12-20T18:00:00Z", "2026-12-27T13:00:00-05:00", "FREQ=YEARLY", "1h"),
			ConfigPlanChecks:  resource.ConfigPlanChecks{PreApply: all(plancheck.ResourceActionNoop)},
			ConfigStateChecks: kept,
		},
		resource.TestStep{
			// Among spellings, one difference is a difference.
			Config:           config("61s", "APP.example.com", `"204", "200"`, "2026-12-20T18:00:01Z", "2026-12-27T13:00:00-05:00", "FREQ=YEARLY", "2h"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: all(plancheck.ResourceActionUpdate), PostApplyPostRefresh: emptyPlan.PostApplyPostRefresh},
			ConfigStateChecks: spelled("auditlb_freeze_window.it",
				"begin", "2026-12-20T18:00:01Z", "end", "2026-12-27T18:00:00.250Z", "recurrence", "RRULE:freq=yearly"),
		},
	)
	for _, address := range []string{"pool/web", "freeze/it", "policy/it"} {
		wantEntries(t, rt, api.EntryQuery{Resource: address, Run: "run-1"},
			"plan create "+address, "apply create "+address, "plan update "+address, "apply update "+address, "plan delete "+address, "apply delete "+address)
	}
}

func TestAccRenamedListenerKeepsItsPort(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	port := acctest.FreePort(t)
	config := func(name string) string {
		return rt.Provider("run", "run-"+name) + fmt.Sprintf(`
resource "auditlb_listener" "front" {
  name    = %q
  owner   = "edge"
  address = "127.0.0.1"
  port    = %d
}
`, name, port)
	}
	run(t,
		resource.TestStep{Config: config("a")},
		resource.TestStep{
			Config: config("b"),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply:             []plancheck.PlanCheck{plancheck.ExpectResourceAction("auditlb_listener.front", plancheck.ResourceActionDestroyBeforeCreate)},
				PostApplyPostRefresh: emptyPlan.PostApplyPostRefresh,
			},
		},
	)
	wantEntries(t, rt, api.EntryQuery{Run: "run-b"},
		"run register run/run-b",
		"plan delete listener/a", "plan create listener/b", "apply delete listener/a", "apply create listener/b",
		"plan delete listener/b", "apply delete listener/b",
	)
}

func TestAccReplacedByHandKeepsItsName(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	run(t,
		resource.TestStep{Config: rt.Provider() + poolWeb(1)},
		resource.TestStep{Config: rt.Provider() + poolWeb(1), Taint: []string{"auditlb_pool.web"}, ConfigPlanChecks: emptyPlan},
	)
}

func TestAccPlannerPlansWithoutATicket(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	planner := rt.Token(t, "paula", identity.Planner)
	run(t, resource.TestStep{
		Config:             rt.Provider("token", planner, "change_ticket", "", "run", "run-1") + poolWeb(1),
		PlanOnly:           true,
		ExpectNonEmptyPlan: true,
	})
	wantEntries(t, rt, api.EntryQuery{Resource: "pool/web"}, "plan create pool/web")
}

func TestAccRefusedChangesSayWhy(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	scoped := rt.OpenTicket(t, api.TicketRequest{ID: "CHG-SCOPED", Scope: api.TicketScope{Addresses: []string{"listener/*"}}})
	type refusal struct {
		settings []string
		want     string
	}
	for when, cases := range map[string]map[string]refusal{
		planCommand: {
			"viewer":    {[]string{"token", rt.Token(t, "vera", identity.Viewer)}, "role_insufficient"},
			"bad-token": {[]string{"token", "nonsense"}, "The token was refused"},
		},
		"apply -auto-approve": {
			"no-ticket":      {[]string{"change_ticket", ""}, "ticket_required"},
			"unknown-ticket": {[]string{"change_ticket", "CHG-NONE"}, "ticket_unknown"},
			"out-of-scope":   {[]string{"change_ticket", scoped}, "ticket_out_of_scope"},
			"planner":        {[]string{"token", rt.Token(t, "paula", identity.Planner)}, "role_insufficient"},
		},
	} {
		// All at once, each with a provider of its own.
		config := ""
		for name, c := range cases {
			config += strings.Replace(rt.Provider(c.settings...), "{", fmt.Sprintf("{\n  alias = %q", name), 1) +
				fmt.Sprintf("resource \"auditlb_pool\" %q {\n  provider = auditlb.%s\n  name = %q\n  owner = \"edge\"\n}\n", name, name, name)
		}
		w := acctest.NewWorkspace(t)
		w.Write(t, "main.tf", config)
		if when != planCommand {
			w.MustRun(t, planCommand, plainOutput)
		}
		errors := failures(t, w, strings.Fields(when)...)
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				got := errors[fmt.Sprintf("resource \"auditlb_pool\" %q", name)]
				if c.settings[1] == "nonsense" { // which is no fault of the resource's
					got = errors[`provider "auditlb"`]
				}
				if !says(c.want).MatchString(got) {
					t.Errorf("no error has %q: %q", c.want, errors)
				}
			})
		}
	}
}

func TestAccReferencesArriveOnTheirAttribute(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	config := fmt.Sprintf(`
resource "auditlb_listener" "l" {
  name         = "l"
  owner        = "edge"
  address      = "127.0.0.1"
  port         = %d
  protocol     = "https"
  certificates = ["absent"]
}
`, acctest.FreePort(t))
	run(t, resource.TestStep{
		Config: rt.Provider() + config,
		// Terraform quotes the line that an error is about.
		ExpectError: says(`certificates = ["absent"]`, "certificate/absent does not exist"),
	})
}

func TestAccPortTakenIsRefusedInThePlan(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	listener := func(name string, port int) string {
		return fmt.Sprintf("resource \"auditlb_listener\" %q {\n name = %q\n owner = \"edge\"\n address = \"127.0.0.1\"\n port = %d\n}\n", name, name, port)
	}
	port := acctest.FreePort(t)
	run(t,
		resource.TestStep{Config: rt.Provider() + listener("a", port)},
		resource.TestStep{Config: rt.Provider() + listener("a", port) + listener("b", port), PlanOnly: true, ExpectError: says("address_in_use")},
	)
}

func TestAccDeletionOfSomethingInUseNamesItsReferents(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	listener := fmt.Sprintf("resource \"auditlb_listener\" \"l\" {\n name = \"l\"\n owner = \"edge\"\n address = \"127.0.0.1\"\n port = %d\n default_pool = \"web\"\n}\n", acctest.FreePort(t))
	run(t,
		resource.TestStep{Config: rt.Provider() + poolWeb(1)},
		resource.TestStep{Config: rt.Provider() + poolWeb(1) + listener},
		resource.TestStep{Config: rt.Provider() + listener, ExpectError: says("pool/web is still in use", "It is referred to by listener/l.")},
		resource.TestStep{Config: rt.Provider() + poolWeb(1)},
	)
}

func TestAccInvalidConfigurationsFailOnTheirAttribute(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	chain, key := acctest.KeyPair(t, "a.example.com")
	_, otherKey := acctest.KeyPair(t, "b.example.com")
	pem := func(s string) string { return "<<-EOT\n" + s + "EOT" }
	refusedAt(t, rt, map[string]invalid{
		"name":           {"pool", `name = "Web"`, []string{`name = "Web"`}},
		"owner":          {"pool", `owner = ""`, []string{`owner = ""`}},
		"enumeration":    {"pool", `protocol = "udp"`, []string{`protocol = "udp"`}},
		"member address": {"pool", "members = {\n b = { address = \"b:1\" }\n a = { address = \"nowhere\" }\n }", []string{`a = { address = "nowhere" }`}},
		"member weight":  {"pool", "members = {\n a = { address = \"a:1\", weight = 0 }\n }", []string{`members["a"].weight: 0 must be`}},
		"duration":       {"pool", `timeouts = { idle = "60" }`, []string{`timeouts = { idle = "60" }`}},
		"timeout":        {"pool", `health_check = { interval = "1s", timeout = "2s" }`, []string{`health_check = { interval = "1s", timeout = "2s" }`}},
		"statuses":       {"pool", `health_check = { expected_statuses = ["999"] }`, []string{`health_check.expected_statuses: "999" must be`}},
		"hash key":       {"pool", `algorithm = "maglev"`, []string{`hash_key: is required`}},
		"TLS to tcp":     {"pool", "protocol = \"tcp\"\n upstream_tls = {}", []string{`upstream_tls = {}`}},
		"retry cause":    {"pool", `retries = { on = ["404"] }`, []string{`retries.on: "404" must be`}},
		"network":        {"listener", "port = 1\n allowed_cidrs = [\"10.0.0.1\"]", []string{`allowed_cidrs = ["10.0.0.1"]`}},
		"authorities":    {"listener", "port = 1\n tls = { client_ca_pem = \"x\" }", []string{`tls.client_ca_pem: verifies nobody`}},
		"two actions":    {"route", "listener = \"l\"\n action = {\n forward = { p = {} }\n redirect = { path = \"/\" }\n }", []string{`action: must be exactly one of`}},
		"capitals":       {"route", "listener = \"l\"\n action = { fixed_response = {} }\n match = {\n headers = { X-A = {} }\n }", []string{`must be written in lower case: "x-a"`}},
		"framing":        {"route", "listener = \"l\"\n action = { fixed_response = {} }\n request_headers = { remove = [\"Host\"] }", []string{`request_headers.remove: can't be changed`}},
		"port":           {"listener", "port = 70000", []string{`port = 70000`}},
		"tcp":            {"listener", "port = 1\n protocol = \"tcp\"", []string{`default_pool: is required`}},
		"methods":        {"route", "listener = \"l\"\n action = {\n forward = {\n p = {}\n }\n }\n match = { methods = [\"get\"] }", []string{`match = { methods = ["get"] }`}},
		"no weight":      {"route", "listener = \"l\"\n action = {\n forward = {\n p = { weight = 0 }\n }\n }", []string{`action.forward: must give`}},
		"chain":          {"certificate", `chain_pem = "nonsense"`, []string{`chain_pem = "nonsense"`}},
		"key as chain":   {"certificate", "chain_pem = " + pem(key), []string{"contains a private key"}},
		"another key":    {"certificate", "chain_pem = " + pem(chain) + "\nprivate_key_wo = " + pem(otherKey), []string{"private_key_wo: does not match the chain's leaf"}},
	})
	if entries := rt.Entries(t, api.EntryQuery{Type: "plan"}); len(entries) != 0 {
		t.Errorf("what is invalid reached the server: %v", brief(entries))
	}
}

// invalid is a resource that can't be, and what has to be said of it or pointed at.
type invalid struct {
	kind, attributes string
	wants            []string
}

// refusedAt demands of one plan of all of them an error for each.
func refusedAt(t *testing.T, rt *acctest.Runtime, cases map[string]invalid) {
	t.Helper()
	config := ""
	for name, c := range cases {
		config += fmt.Sprintf("resource \"auditlb_%s\" %q {\n%s\n", c.kind, strings.ReplaceAll(name, " ", "_"), c.attributes)
		for _, required := range []string{"name", "owner"} {
			if !strings.HasPrefix(c.attributes, required+" ") {
				config += required + " = \"it\"\n"
			}
		}
		config += "}\n"
	}
	w := acctest.NewWorkspace(t, rt.Settings()...)
	w.Write(t, "main.tf", config)
	errors := failures(t, w, "plan")
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := errors[fmt.Sprintf("resource \"auditlb_%s\" %q", c.kind, strings.ReplaceAll(name, " ", "_"))]
			for _, want := range c.wants {
				if !says(want).MatchString(got) {
					t.Errorf("no error has %q:\n%s", want, got)
				}
			}
		})
	}
}

func TestAccDataSourcesReadTheLog(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	run(t,
		resource.TestStep{Config: rt.Provider("run", "run-1") + poolWeb(1)},
		resource.TestStep{
			Config: rt.Provider("run", "run-1") + poolWeb(2) + fmt.Sprintf(`
data "auditlb_history" "web" {
  resource   = auditlb_pool.web.id
  types      = ["apply", "reject"]
  owner      = "edge"
  text       = "WEIGHT"
  since      = "2020-01-01T00:00:00Z"
  limit      = 1
  depends_on = [auditlb_pool.web]
}
data "auditlb_change_ticket" "it" {
  id = %q
}
`, rt.Ticket),
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("data.auditlb_history.web", tfjsonpath.New("entries"), knownvalue.ListExact([]knownvalue.Check{
					knownvalue.ObjectPartial(map[string]knownvalue.Check{
						"op": knownvalue.StringExact("update"), "actor": knownvalue.StringExact("olivia"), "run": knownvalue.StringExact("run-1"),
						"ticket": knownvalue.StringExact(rt.Ticket), "outcome": knownvalue.StringExact("ok"), "code": knownvalue.Null(),
						"run_verified": knownvalue.Bool(false), "run_proved": knownvalue.MapSizeExact(0), "vouched_by": knownvalue.Null(),
						"emergency": knownvalue.Bool(false), "unplanned": knownvalue.Bool(false),
						"patch": knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
							"op": knownvalue.StringExact("replace"), "path": knownvalue.StringExact("/members/a/weight"),
							"old": knownvalue.StringExact("1"), "value": knownvalue.StringExact("2"),
						})}),
					}),
				})),
				statecheck.ExpectKnownValue("data.auditlb_change_ticket.it", tfjsonpath.New("valid"), knownvalue.Bool(true)),
				statecheck.ExpectKnownValue("data.auditlb_change_ticket.it", tfjsonpath.New("approvals").AtSliceIndex(0).AtMapKey("by"), knownvalue.StringExact("anton")),
			},
		},
		resource.TestStep{
			Config:      rt.Provider() + "data \"auditlb_change_ticket\" \"it\" {\n id = \"CHG-NONE\"\n}\n",
			ExpectError: says("No such change ticket"),
		},
	)
}
