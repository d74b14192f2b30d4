package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
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

var web = lb.Address{Kind: lb.KindPool, Name: "web"}

// outside changes pool/web as somebody else would.
func outside(t *testing.T, rt *acctest.Runtime, actor string) (*client.Client, string) {
	t.Helper()
	ticket := rt.OpenTicket(t, api.TicketRequest{})
	return rt.Client(t, client.Config{Token: api.Secret(rt.Token(t, actor, identity.Operator)), Ticket: ticket}), ticket
}

func drained() *lb.Pool {
	p := lb.NewPool()
	p.Owner = "edge"
	p.Members = map[string]lb.Member{"a": {Address: "10.0.0.1:80", Weight: 1, State: lb.MemberDrain}}
	return p
}

func TestAccTheLoserOfARaceLearnsWhoWon(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	first := acctest.NewWorkspace(t, rt.Settings()...)
	first.Write(t, "main.tf", poolWeb(1))
	first.MustRun(t, "apply", "-auto-approve", "-no-color")

	// Both start from the same state and have planned before either applies.
	ticket := rt.OpenTicket(t, api.TicketRequest{})
	racers := map[string]*acctest.Workspace{}
	for i, actor := range []string{"rosa", "sven"} {
		env := []string{"AUDITLB_ENDPOINT=" + rt.Endpoint, "AUDITLB_TOKEN=" + rt.Token(t, actor, identity.Operator), "AUDITLB_CHANGE_TICKET=" + ticket, "AUDITLB_RUN_ID=run-" + actor}
		w := acctest.NewWorkspace(t, env...)
		w.Write(t, "main.tf", poolWeb(10+i))
		w.Write(t, "terraform.tfstate", first.Read(t, "terraform.tfstate"))
		w.MustRun(t, "plan", "-out=plan", "-no-color")
		racers[actor] = w
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	outputs, won := map[string]string{}, []string{}
	for actor, w := range racers {
		wg.Go(func() {
			out, err := w.Run(t, "apply", "-no-color", "plan")
			mu.Lock()
			defer mu.Unlock()
			outputs[actor] = out
			if err == nil {
				won = append(won, actor)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%v won, want exactly one: %v", won, outputs)
	}
	loser := map[string]string{"rosa": "sven", "sven": "rosa"}[won[0]]
	current, err := rt.Client(t, client.Config{}).Get(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if current.LastChange.Actor != won[0] {
		t.Errorf("%s won, yet %s changed it last", won[0], current.LastChange.Actor)
	}
	for _, want := range []string{
		"pool/web was changed by somebody else", "changed by " + won[0] + " at " + current.LastChange.At.UTC().Format("2006-01-02T15:04"),
		"under ticket " + ticket, "in run run-" + won[0], fmt.Sprintf("revision %d", current.Revision), "Plan again",
	} {
		if !says(want).MatchString(outputs[loser]) {
			t.Errorf("the loser isn't told %q:\n%s", want, outputs[loser])
		}
	}
}

func TestAccCreationOverSomethingThatExists(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	c, ticket := outside(t, rt, "rosa")
	if _, err := c.Put(t.Context(), web, drained(), client.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	run(t, resource.TestStep{Config: rt.Provider() + poolWeb(1), ExpectError: says("It was created by rosa", "under ticket "+ticket)})
}

func TestAccChangesMadeOutsideAreShownAndTakenBack(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	run(t,
		resource.TestStep{Config: rt.Provider() + poolWeb(1)},
		resource.TestStep{
			PreConfig: func() {
				c, _ := outside(t, rt, "rosa")
				if _, err := c.Put(t.Context(), web, drained(), client.IfPresent()); err != nil {
					t.Fatal(err)
				}
			},
			Config: rt.Provider() + poolWeb(1),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction("auditlb_pool.web", plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue("auditlb_pool.web", tfjsonpath.New("members").AtMapKey("a").AtMapKey("state"), knownvalue.StringExact("active")),
				},
				PostApplyPostRefresh: emptyPlan.PostApplyPostRefresh,
			},
		},
		resource.TestStep{
			PreConfig: func() {
				c, _ := outside(t, rt, "rosa")
				if _, err := c.Delete(t.Context(), web, client.IfPresent()); err != nil {
					t.Fatal(err)
				}
			},
			Config: rt.Provider() + poolWeb(1),
			ConfigPlanChecks: resource.ConfigPlanChecks{
				PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction("auditlb_pool.web", plancheck.ResourceActionCreate)},
			},
			ConfigStateChecks: []statecheck.StateCheck{
				statecheck.ExpectKnownValue("auditlb_pool.web", tfjsonpath.New("last_changed_by"), knownvalue.StringExact("olivia")),
			},
		},
	)
}

func TestAccDeletionOutsideIsWarnedOfByName(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	w := acctest.NewWorkspace(t, rt.Settings()...)
	w.Write(t, "main.tf", poolWeb(1))
	w.MustRun(t, "apply", "-auto-approve", "-no-color")
	c, _ := outside(t, rt, "rosa")
	if _, err := c.Delete(t.Context(), web, client.IfPresent()); err != nil {
		t.Fatal(err)
	}
	if out := w.MustRun(t, "plan", "-no-color"); !says("pool/web was deleted outside of this configuration").MatchString(out) {
		t.Errorf("the plan doesn't say so:\n%s", out)
	}
	// What is gone already need not be deleted.
	w.MustRun(t, "destroy", "-auto-approve", "-refresh=false", "-no-color")
}

func TestAccAnAnswerLostOnTheWayIsOneEntry(t *testing.T) {
	acctest.Need(t)
	rt := acctest.Start(t)
	target, err := url.Parse(rt.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var lost atomic.Int32
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		// The runtime has decided; its answer to the first attempt of each
		// change is replaced on the way back.
		if resp.Request.Method == http.MethodPut && strings.HasPrefix(resp.Request.URL.Path, "/v1/pools/") && lost.Add(1) == 1 {
			resp.StatusCode, resp.Status = http.StatusServiceUnavailable, "503 Service Unavailable"
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	run(t, resource.TestStep{Config: rt.Provider("endpoint", front.URL) + poolWeb(1)})
	if lost.Load() < 2 {
		t.Fatalf("the change was tried %d times, want a retry", lost.Load())
	}
	wantEntries(t, rt, api.EntryQuery{Resource: "pool/web", Type: "apply"}, "apply create pool/web", "apply delete pool/web")
}
