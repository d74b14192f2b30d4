package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/auditlb/terraform-provider-auditlb/provider/acctest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// pendingTicket opens a ticket that nobody has approved yet.
func pendingTicket(t *testing.T, rt *acctest.Runtime) string {
	t.Helper()
	ticket, err := rt.Client(t, client.Config{}).OpenTicket(t.Context(), api.TicketRequest{
		ID: "CHG-7", Title: "a test", Reason: "the test needs to wait", Scope: api.TicketScope{Addresses: []string{"*"}}, RequiredApprovals: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return ticket.ID
}

// whenRead stands before the runtime and does something once terraform has been
// answered what the ticket was before.
func whenRead(t *testing.T, rt *acctest.Runtime, id string, do func()) (endpoint string) {
	t.Helper()
	target, err := url.Parse(rt.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		if resp.Request.Method == http.MethodGet && resp.Request.URL.Path == "/v1/tickets/"+id {
			once.Do(do)
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL
}

func waiting(id, more string) string {
	return fmt.Sprintf("data \"auditlb_change_ticket\" \"it\" {\n id = %q\n wait_for = \"approved\"\n%s\n}\n", id, more)
}

// act does something to a ticket in anton's name. It may be called by any goroutine.
func act(t *testing.T, rt *acctest.Runtime, id string, verb client.TicketVerb) {
	t.Helper()
	approver := rt.Client(t, client.Config{Token: api.Secret(rt.Tokens[identity.Approver])})
	if _, err := approver.ActOnTicket(t.Context(), id, verb, api.TicketAction{Comment: "not before noon"}); err != nil {
		t.Errorf("%s %s: %v", verb, id, err)
	}
}

func TestAccTerraformWaitsForAnApproval(t *testing.T) {
	acctest.Need(t)
	t.Parallel() // it mostly waits
	rt := acctest.Start(t)
	id := pendingTicket(t, rt)
	endpoint := whenRead(t, rt, id, func() { act(t, rt, id, client.Approve) })
	const at = "data.auditlb_change_ticket.it"
	// The pool is made under the ticket that was waited for.
	run(t, resource.TestStep{
		Config: rt.Provider("endpoint", endpoint, "change_ticket", id) + waiting(id, "timeout = \"2m\"") + poolWeb(1),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownValue(at, tfjsonpath.New("state"), knownvalue.StringExact("approved")),
			statecheck.ExpectKnownValue(at, tfjsonpath.New("valid"), knownvalue.Bool(true)),
			statecheck.ExpectKnownValue(at, tfjsonpath.New("wait_for"), knownvalue.StringExact("approved")),
			statecheck.ExpectKnownValue(at, tfjsonpath.New("timeout"), knownvalue.StringExact("2m")),
			statecheck.ExpectKnownValue("auditlb_pool.web", tfjsonpath.New("last_change_ticket"), knownvalue.StringExact(id)),
		},
		ConfigPlanChecks: emptyPlan,
	})
}

func TestAccARejectionEndsTheWait(t *testing.T) {
	acctest.Need(t)
	t.Parallel() // it mostly waits
	rt := acctest.Start(t)
	id := pendingTicket(t, rt)
	endpoint := whenRead(t, rt, id, func() { act(t, rt, id, client.Reject) })
	begin := time.Now()
	run(t, resource.TestStep{
		Config:      rt.Provider("endpoint", endpoint) + waiting(id, ""),
		ExpectError: says(`Change ticket CHG-7 is rejected`),
	})
	if waited := time.Since(begin); waited > time.Minute {
		t.Errorf("terraform waited %s for a ticket that was rejected", waited)
	}
	run(t, resource.TestStep{Config: rt.Provider() + waiting(id, ""), ExpectError: says("requested by olivia and ended by anton at", `"not before noon"`)})
}

func TestAccAWaitEndsWithItsTimeout(t *testing.T) {
	acctest.Need(t)
	t.Parallel() // it mostly waits
	rt := acctest.Start(t)
	config := rt.Provider() + waiting(pendingTicket(t, rt), "timeout = \"1s\"")
	run(t, resource.TestStep{Config: config, ExpectError: says(
		"Change ticket CHG-7 was not approved within 1s", "It is pending: it has 0 of 1 approvals. Someone other than olivia, who requested it, can approve it",
	)})
}

func TestAccATicketIsReadAsItIsUnlessItIsWaitedFor(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	id := pendingTicket(t, rt)
	run(t, resource.TestStep{
		Config: rt.Provider() + fmt.Sprintf("data \"auditlb_change_ticket\" \"it\" {\n id = %q\n}\n", id),
		ConfigStateChecks: []statecheck.StateCheck{
			statecheck.ExpectKnownValue("data.auditlb_change_ticket.it", tfjsonpath.New("state"), knownvalue.StringExact("pending")),
			statecheck.ExpectKnownValue("data.auditlb_change_ticket.it", tfjsonpath.New("valid"), knownvalue.Bool(false)),
			statecheck.ExpectKnownValue("data.auditlb_change_ticket.it", tfjsonpath.New("timeout"), knownvalue.Null()),
		},
	})
	run(t, resource.TestStep{Config: rt.Provider() + waiting("CHG-8", ""), PlanOnly: true, ExpectError: says("There is no ticket \"CHG-8\"")})

	cases := map[string]struct{ attributes, want string }{
		"state":                 {`wait_for = "closed"`, `value must be one of: ["approved"], got: "closed"`},
		"timeout_below":         {"wait_for = \"approved\"\n timeout = \"500ms\"", "timeout: 500ms must be a duration between 1s and 24h"},
		"timeout_above":         {"wait_for = \"approved\"\n timeout = \"25h\"", "timeout: 25h must be a duration between 1s and 24h"},
		"timeout_without_unit":  {"wait_for = \"approved\"\n timeout = \"60\"", "timeout: \"60\" is not a duration"},
		"timeout_of_no_waiting": {`timeout = "5m"`, `Attribute "wait_for" must be specified when "timeout" is specified`},
	}
	config := ""
	for name, tc := range cases {
		config += fmt.Sprintf("data \"auditlb_change_ticket\" %q {\n id = %q\n %s\n}\n", name, id, tc.attributes)
	}
	w := acctest.NewWorkspace(t, rt.Settings()...)
	w.Write(t, "main.tf", config)
	errors := failures(t, w, "plan")
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := errors[fmt.Sprintf("data \"auditlb_change_ticket\" %q", name)]; !says(tc.want).MatchString(got) {
				t.Errorf("no error has %q: %q", tc.want, got)
			}
		})
	}
}
