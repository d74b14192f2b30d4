package provider_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	freezeIt = "auditlb_freeze_window.it"
	policyIt = "auditlb_policy.it"
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

// applied is a step in which the plan has one action on a resource, after which
// its state is as given, and after which nothing is left to do.
func applied(rt *acctest.Runtime, kind, attributes string, action plancheck.ResourceActionType, state map[string]knownvalue.Check) resource.TestStep {
	at, plan := "auditlb_"+kind+".it", emptyPlan
	plan.PreApply = []plancheck.PlanCheck{plancheck.ExpectResourceAction(at, action)}
	var checks []statecheck.StateCheck
	for name, check := range state {
		checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(name), check))
	}
	return resource.TestStep{Config: asAdmin(rt) + governing(kind, attributes), ConfigPlanChecks: plan, ConfigStateChecks: checks}
}

// wantOps compares what was done to an object, by the entries of the log.
func wantOps(t *testing.T, rt *acctest.Runtime, address string, ops ...lb.Op) {
	t.Helper()
	var want []string
	for _, op := range ops {
		want = append(want, fmt.Sprintf("apply %s %s", op, address))
	}
	wantEntries(t, rt, api.EntryQuery{Resource: address, Type: "apply"}, want...)
}

func TestAccEveryAttributeOfAFreezeWindowCanBeChanged(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	text := knownvalue.StringExact
	run(t,
		applied(rt, "freeze_window", "reason = \"r\"\nbegin = \"2020-01-03T17:00:00Z\"\nend = \"2020-01-05T17:00:00Z\"", plancheck.ResourceActionCreate, map[string]knownvalue.Check{
			"id": text("freeze/it"), "addresses": knownvalue.SetExact([]knownvalue.Check{text("*")}), "recurrence": knownvalue.Null(), "time_zone": text("UTC"),
			"last_changed_by": text("ada"), "last_change_ticket": text(rt.Ticket),
		}),
		resource.TestStep{ResourceName: freezeIt, ImportState: true, ImportStateId: "it", ImportStateVerify: true},
		applied(rt, "freeze_window", weekends, plancheck.ResourceActionUpdate, map[string]knownvalue.Check{
			"reason": text("weekends are quiet"), "addresses": knownvalue.SetExact([]knownvalue.Check{text("pool/none")}),
			"begin": text("2026-01-02T18:00:00+01:00"), "end": text("2026-01-05T06:00:00+01:00"),
		}),
		applied(rt, "freeze_window", weekends+"recurrence = \"FREQ=WEEKLY\"", plancheck.ResourceActionUpdate, map[string]knownvalue.Check{"recurrence": text("FREQ=WEEKLY")}),
		applied(rt, "freeze_window", weekends+"recurrence = \"FREQ=WEEKLY\"\ntime_zone = \"Europe/Berlin\"", plancheck.ResourceActionUpdate, map[string]knownvalue.Check{"time_zone": text("Europe/Berlin")}),
		applied(rt, "freeze_window", weekends+"labels = { a = \"b\" }", plancheck.ResourceActionUpdate, map[string]knownvalue.Check{"recurrence": knownvalue.Null(), "time_zone": text("UTC")}),
		resource.TestStep{
			ResourceName: freezeIt, ImportState: true, ImportStateId: "freeze/it", ImportStateVerify: true,
			ImportStateVerifyIgnore: []string{"begin", "end"}, // come back in UTC
		},
	)
	wantOps(t, rt, "freeze/it", lb.OpCreate, lb.OpUpdate, lb.OpUpdate, lb.OpUpdate, lb.OpUpdate, lb.OpDelete)
}

func TestAccEveryAttributeOfAPolicyCanBeChanged(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	text := knownvalue.StringExact
	rule := func(attributes string) string {
		return "rules = { pools = { require = \"true\", message = \"m\"" + attributes + " } }\n"
	}
	ruleState := func(when, message string, onEmergency bool) map[string]knownvalue.Check {
		return map[string]knownvalue.Check{"rules": knownvalue.MapExact(map[string]knownvalue.Check{"pools": knownvalue.ObjectExact(map[string]knownvalue.Check{
			"when": text(when), "require": text("true"), "message": text(message), "on_emergency": knownvalue.Bool(onEmergency),
		})})}
	}
	run(t,
		applied(rt, "policy", "", plancheck.ResourceActionCreate, map[string]knownvalue.Check{
			"id": text("policy/it"), "rules": knownvalue.Null(), "authority_grace": text("0s"), "last_change_ticket": text(rt.Ticket),
		}),
		applied(rt, "policy", rule(""), plancheck.ResourceActionUpdate, ruleState("true", "m", false)),
		resource.TestStep{ResourceName: policyIt, ImportState: true, ImportStateId: "it", ImportStateVerify: true},
		applied(rt, "policy", rule(", when = \"change.kind == 'pool'\""), plancheck.ResourceActionUpdate, ruleState("change.kind == 'pool'", "m", false)),
		applied(rt, "policy", rule(", on_emergency = true"), plancheck.ResourceActionUpdate, ruleState("true", "m", true)),
		applied(rt, "policy", "rules = { pools = { require = \"true\", message = \"n\" } }", plancheck.ResourceActionUpdate, ruleState("true", "n", false)),
		applied(rt, "policy", rule("")+"authority_grace = \"60m\"", plancheck.ResourceActionUpdate, map[string]knownvalue.Check{"authority_grace": text("60m")}),
		applied(rt, "policy", rule("")+"authority_grace = \"1h\"", plancheck.ResourceActionNoop, map[string]knownvalue.Check{"authority_grace": text("60m")}),
		resource.TestStep{ResourceName: policyIt, ImportState: true, ImportStateId: "policy/it", ImportStateVerify: true, ImportStateVerifyIgnore: []string{"authority_grace"}},
	)
	wantOps(t, rt, "policy/it", lb.OpCreate, lb.OpUpdate, lb.OpUpdate, lb.OpUpdate, lb.OpUpdate, lb.OpUpdate, lb.OpDelete)
}

func TestAccAnotherSpellingOfAFreezeWindowIsNoChange(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	window := func(begin, end, recurrence string) string {
		return fmt.Sprintf("reason = \"holidays\"\naddresses = [\"pool/none\"]\nbegin = %q\nend = %q\nrecurrence = %q", begin, end, recurrence)
	}
	kept := map[string]knownvalue.Check{
		"begin": knownvalue.StringExact("2026-12-20T19:00:00+01:00"), "end": knownvalue.StringExact("2026-12-27T18:00:00.250Z"),
		"recurrence": knownvalue.StringExact("RRULE:freq=yearly"),
	}
	run(t,
		applied(rt, "freeze_window", window("2026-12-20T19:00:00+01:00", "2026-12-27T18:00:00.250Z", "RRULE:freq=yearly"), plancheck.ResourceActionCreate, kept),
		applied(rt, "freeze_window", window("2026-12-20T18:00:00Z", "2026-12-27T13:00:00-05:00", "FREQ=YEARLY"), plancheck.ResourceActionNoop, kept),
		applied(rt, "freeze_window", window("2026-12-20T18:00:01Z", "2026-12-27T13:00:00-05:00", "FREQ=YEARLY"), plancheck.ResourceActionUpdate, map[string]knownvalue.Check{
			"begin": knownvalue.StringExact("2026-12-20T18:00:01Z"), "end": kept["end"], "recurrence": kept["recurrence"],
		}),
	)
	wantOps(t, rt, "freeze/it", lb.OpCreate, lb.OpUpdate, lb.OpDelete)
}

func TestAccGoverningObjectsAreRefusedAtTheAttribute(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	rule := func(name, attributes string) string { return "rules = { " + name + " = { " + attributes + " } }" }
	for name, tc := range map[string]struct{ kind, attributes, at, want string }{
		"time":        {"freeze_window", "reason = \"r\"\nbegin = \"tomorrow\"\nend = \"2026-01-05T06:00:00Z\"", "begin = \"tomorrow\"", "begin: must be an RFC 3339 time"},
		"time of day": {"freeze_window", "reason = \"r\"\nbegin = \"2026-01-05T06:00:00Z\"\nend = \"2026-01-05T06:00:00Z\"", "end = \"2026", "end: must be after begin"},
		"glob":        {"freeze_window", "reason = \"r\"\naddresses = [\"pool\"]\nbegin = \"2026-01-05T06:00:00Z\"\nend = \"2026-01-06T06:00:00Z\"", "addresses = [", "addresses: \"pool\" must be a glob"},
		"rule":        {"freeze_window", weekends + "recurrence = \"hourly\"", "recurrence = \"hourly\"", "recurrence: must be one rule of RFC 5545"},
		"other day":   {"freeze_window", weekends + "recurrence = \"FREQ=WEEKLY;BYDAY=SA\"", "recurrence = \"FREQ", "it has none on Friday, 2 January 2026 in UTC"},
		"zone":        {"freeze_window", weekends + "time_zone = \"Mars\"", "time_zone = \"Mars\"", "time_zone: \"Mars\" is not a time zone"},
		"expression":  {"policy", rule("a", "require = \" \", message = \"m\""), "rules = {", `rules["a"].require: is required`},
		"message":     {"policy", rule("a", "require = \"true\", message = \"\""), "rules = {", `rules["a"].message: is required`},
		"name":        {"policy", rule("A", "require = \"true\", message = \"m\""), "rules = {", `rules["A"]: must be`},
		"grace":       {"policy", "authority_grace = \"25h\"", "authority_grace = \"25h\"", "authority_grace: 25h must be 0s or between 1s and 24h"},
	} {
		t.Run(name, func(t *testing.T) {
			w := acctest.NewWorkspace(t, rt.Settings()...)
			w.Write(t, "main.tf", governing(tc.kind, tc.attributes))
			out, err := w.Run(t, "plan", "-no-color")
			if err == nil || !says(tc.want).MatchString(out) || !says(": "+tc.at).MatchString(out) {
				t.Errorf("%v, want %q at %q:\n%s", err, tc.want, tc.at, out)
			}
		})
	}
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
