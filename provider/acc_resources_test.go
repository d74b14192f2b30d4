package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
)

// configuration is one object with nothing but what is required, and one with
// everything, written in ways that the server doesn't.
type configuration struct {
	name     string
	resource string
	// needs are objects that must be there.
	needs string
	// least and most are the resource's attributes besides name and owner.
	least, most string
	// leastState and mostState are some of the values that follow.
	leastState, mostState map[string]knownvalue.Check
	// ignoreOnImport are attributes that can't come back.
	ignoreOnImport []string
}

func configurations(t *testing.T) []configuration {
	chain, key := acctest.KeyPair(t, "app.example.com", "WWW.example.com")
	otherChain, otherKey := acctest.KeyPair(t, "other.example.com")
	pem := func(s string) string { return "<<-EOT\n" + s + "EOT\n" }
	certificate := func(chain, key string) string {
		return "chain_pem = " + pem(chain) + "private_key_wo = " + pem(key)
	}
	certs := "resource \"auditlb_certificate\" \"site\" {\n name = \"site\"\n owner = \"edge\"\n" + certificate(chain, key) + "}\n"
	pool := "resource \"auditlb_pool\" \"p\" {\n name = \"p\"\n owner = \"edge\"\n}\n"
	port, httpsPort := acctest.FreePort(t), acctest.FreePort(t)
	listener := fmt.Sprintf("resource \"auditlb_listener\" \"l\" {\n name = \"l\"\n owner = \"edge\"\n address = \"127.0.0.1\"\n port = %d\n}\n", acctest.FreePort(t))
	return []configuration{
		{
			name: "pool", resource: "auditlb_pool",
			most: `
				labels    = { team = "edge", empty = "" }
				protocol  = "tcp"
				algorithm = "least_requests"
				members = {
					"a.1" = { address = "10.0.0.1:80", weight = 3, backup = true, state = "drain" }
					b     = { address = "app.internal:8080" }
				}
				health_check = {
					type = "tcp", interval = "60s", timeout = "1500ms", healthy_threshold = 1, unhealthy_threshold = 2
					path = "/healthz", host = "App.Example.com", expected_statuses = ["404", "200-299"]
				}
				timeouts = { connect = "1000ms", response = "120s", idle = "60m" }`,
			leastState: map[string]knownvalue.Check{
				"protocol": knownvalue.StringExact("http"), "health_check": knownvalue.Null(), "members": knownvalue.Null(), "labels": knownvalue.Null(),
				"timeouts": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"connect": knownvalue.StringExact("5s"), "response": knownvalue.StringExact("1m"), "idle": knownvalue.StringExact("5m"),
				}),
			},
			mostState: map[string]knownvalue.Check{
				"members": knownvalue.MapPartial(map[string]knownvalue.Check{"b": knownvalue.ObjectExact(map[string]knownvalue.Check{
					"address": knownvalue.StringExact("app.internal:8080"), "weight": knownvalue.Int64Exact(1),
					"backup": knownvalue.Bool(false), "state": knownvalue.StringExact("active"),
				})}),
				"timeouts": knownvalue.ObjectPartial(map[string]knownvalue.Check{"idle": knownvalue.StringExact("60m")}),
			},
			ignoreOnImport: []string{"health_check.interval", "health_check.timeout", "health_check.host", "timeouts.connect", "timeouts.response", "timeouts.idle"},
		},
		{
			name: "pool with empty parts", resource: "auditlb_pool",
			least: `
				labels       = {}
				members      = {}
				health_check = {}
				timeouts     = {}`,
			most: `
				members      = { a = { address = "[::1]:80" } }
				health_check = { host = "" }
				timeouts     = { idle = "61s" }`,
			leastState: map[string]knownvalue.Check{
				"labels":       knownvalue.MapSizeExact(0),
				"health_check": knownvalue.ObjectPartial(map[string]knownvalue.Check{"interval": knownvalue.StringExact("10s"), "host": knownvalue.Null()}),
			},
			mostState: map[string]knownvalue.Check{
				"health_check": knownvalue.ObjectPartial(map[string]knownvalue.Check{"host": knownvalue.StringExact("")}),
			},
			ignoreOnImport: []string{"labels.%", "members.%", "health_check.host", "timeouts.idle"},
		},
		{
			name: "listener", resource: "auditlb_listener", needs: certs + pool,
			least: fmt.Sprintf("address = \"127.0.0.1\"\nport = %d", port),
			most: fmt.Sprintf(`
				labels              = { a = "b" }
				address             = "127.0.0.1"
				port                = %d
				protocol            = "https"
				certificates        = [auditlb_certificate.site.name]
				default_certificate = "site"
				default_pool        = auditlb_pool.p.name
				tls                 = { min_version = "1.3" }
				timeouts            = { request_header = "5000ms", idle = "60s" }
				limits              = { max_header_bytes = 2048, max_connections = 10 }`, httpsPort),
			leastState: map[string]knownvalue.Check{
				"certificates": knownvalue.Null(), "default_pool": knownvalue.Null(), "default_certificate": knownvalue.Null(),
				"tls": knownvalue.ObjectExact(map[string]knownvalue.Check{"min_version": knownvalue.StringExact("1.2")}),
			},
			mostState:      map[string]knownvalue.Check{"certificates": knownvalue.SetSizeExact(1)},
			ignoreOnImport: []string{"timeouts.request_header", "timeouts.idle"},
		},
		{
			name: "route", resource: "auditlb_route", needs: pool + listener,
			least: "listener = auditlb_listener.l.name\naction = { forward = { (auditlb_pool.p.name) = {} } }",
			most: `
				labels   = { a = "b" }
				listener = auditlb_listener.l.name
				priority = -7
				match    = { hosts = ["WWW.Example.com", "*.example.com"], path_prefix = "/api", methods = ["POST", "GET"] }
				action   = { forward = { (auditlb_pool.p.name) = { weight = 5 } } }`,
			leastState: map[string]knownvalue.Check{
				"match":  knownvalue.Null(),
				"action": knownvalue.ObjectExact(map[string]knownvalue.Check{"forward": knownvalue.MapExact(map[string]knownvalue.Check{"p": knownvalue.ObjectExact(map[string]knownvalue.Check{"weight": knownvalue.Int64Exact(1)})})}),
			},
			mostState: map[string]knownvalue.Check{
				"match": knownvalue.ObjectPartial(map[string]knownvalue.Check{
					"hosts":      knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("WWW.Example.com"), knownvalue.StringExact("*.example.com")}),
					"path_exact": knownvalue.Null(),
				}),
			},
			ignoreOnImport: []string{"match.hosts"},
		},
		{
			name: "certificate", resource: "auditlb_certificate",
			least: certificate(chain, key),
			most:  certificate(otherChain, otherKey) + "private_key_wo_version = 2\nlabels = { a = \"b\" }\n",
			leastState: map[string]knownvalue.Check{
				"dns_names":   knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact("app.example.com"), knownvalue.StringExact("www.example.com")}),
				"fingerprint": knownvalue.StringRegexp(regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)),
				"issuer":      knownvalue.StringExact("CN=app.example.com"), "private_key_wo": knownvalue.Null(), "private_key_wo_version": knownvalue.Null(),
			},
			mostState: map[string]knownvalue.Check{"private_key_wo_version": knownvalue.Int64Exact(2)},
		},
	}
}

func TestAccNothingChangesWithoutAChange(t *testing.T) {
	acctest.Need(t)
	for _, c := range configurations(t) {
		t.Run(c.name, func(t *testing.T) {
			rt := acctest.Start(t)
			at := c.resource + ".it"
			config := func(attributes string) string {
				return rt.Provider() + c.needs + fmt.Sprintf("resource %q \"it\" {\n name = \"it\"\n owner = \"edge\"\n%s\n}\n", c.resource, attributes)
			}
			step := func(attributes string, action plancheck.ResourceActionType, state map[string]knownvalue.Check) resource.TestStep {
				checks := []statecheck.StateCheck{
					statecheck.ExpectKnownValue(at, tfjsonpath.New("id"), knownvalue.StringExact(strings.TrimPrefix(c.resource, "auditlb_")+"/it")),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("last_changed_by"), knownvalue.StringExact("olivia")),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("last_change_ticket"), knownvalue.StringExact(rt.Ticket)),
					statecheck.ExpectKnownValue(at, tfjsonpath.New("revision"), knownvalue.NotNull()),
				}
				for name, check := range state {
					checks = append(checks, statecheck.ExpectKnownValue(at, tfjsonpath.New(name), check))
				}
				plan := emptyPlan
				plan.PreApply = []plancheck.PlanCheck{plancheck.ExpectResourceAction(at, action)}
				return resource.TestStep{Config: config(attributes), ConfigPlanChecks: plan, ConfigStateChecks: checks}
			}
			imports := func(id string) resource.TestStep {
				return resource.TestStep{
					ResourceName: at, ImportState: true, ImportStateId: id, ImportStateVerify: true,
					ImportStateVerifyIgnore: c.ignoreOnImport,
				}
			}
			run(t,
				step(c.least, plancheck.ResourceActionCreate, c.leastState),
				imports("it"),
				step(c.most, plancheck.ResourceActionUpdate, c.mostState),
				imports(strings.TrimPrefix(c.resource, "auditlb_")+"/it"),
				step(c.least, plancheck.ResourceActionUpdate, c.leastState),
			)
		})
	}
}

func TestAccImportedObjectsNeedNoChange(t *testing.T) {
	acctest.Need(t)
	for _, c := range configurations(t) {
		if c.name == "pool with empty parts" {
			continue // null and empty can't be told apart by what is stored
		}
		t.Run(c.name, func(t *testing.T) {
			rt := acctest.Start(t)
			config := rt.Provider() + c.needs + fmt.Sprintf("resource %q \"it\" {\n name = \"it\"\n owner = \"edge\"\n%s\n}\n", c.resource, c.most)
			forget := rt.Provider() + c.needs + fmt.Sprintf("removed {\n from = %s.it\n lifecycle {\n destroy = false\n }\n}\n", c.resource)
			run(t,
				resource.TestStep{Config: config},
				resource.TestStep{Config: forget},
				resource.TestStep{
					Config: config + fmt.Sprintf("import {\n to = %s.it\n id = \"it\"\n}\n", c.resource),
					ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
						plancheck.ExpectResourceAction(c.resource+".it", plancheck.ResourceActionNoop),
					}},
				},
			)
		})
	}
}
