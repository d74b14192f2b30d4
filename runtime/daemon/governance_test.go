package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// metrics are the lines of /metrics.
func metrics(t *testing.T, d *daemon.Daemon) string {
	t.Helper()
	resp, err := http.Get(d.Endpoint() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	return "\n" + string(b)
}

func hasMetrics(t *testing.T, d *daemon.Daemon, lines ...string) {
	t.Helper()
	all := metrics(t, d)
	for _, line := range lines {
		if !strings.Contains(all, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, " ")
			_, rest, _ := strings.Cut(all, "\n"+name+" ")
			value, _, _ := strings.Cut(rest, "\n")
			t.Errorf("metrics have no %q; %s is %q", line, name, value)
		}
	}
}

// TestEmergenciesAreCountedUntilSomebodyHasLooked, over restarts too.
func TestEmergenciesAreCountedUntilSomebodyHasLooked(t *testing.T) {
	c := config(t.TempDir(), -1)
	d := start(t, c)
	olivia := operator(t, d)
	hasMetrics(t, d, "auditlb_emergency_tickets_unreviewed 0", "auditlb_emergency_tickets_total 0")
	made := 0
	put := func(c *client.Client) error {
		made++
		_, err := c.Put(t.Context(), lb.Address{Kind: lb.KindPool, Name: fmt.Sprintf("p%d", made)}, pool("127.0.0.1:9"), client.IfAbsent())
		return err
	}
	open := func(id string) *client.Client {
		t.Helper()
		c := clientOf(t, d, "olivia", identity.Operator, id)
		if _, err := c.OpenTicket(t.Context(), api.TicketRequest{
			ID: id, Type: "emergency", Title: "a fire", Reason: "it burns", Scope: api.TicketScope{Addresses: []string{"*"}},
		}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	review := func(id string) {
		t.Helper()
		if _, err := clientOf(t, d, "anton", identity.Approver, "").ActOnTicket(t.Context(), id, client.Review, api.TicketAction{}); err != nil {
			t.Fatal(err)
		}
	}
	hurried := open("CHG-E1")
	open("CHG-E2")
	for _, c := range []*client.Client{olivia, hurried} {
		if err := put(c); err != nil {
			t.Fatal(err)
		}
	}
	made = 0 // the first again
	if err := put(olivia); err == nil {
		t.Fatal("made twice")
	}
	hasMetrics(t, d, "auditlb_emergency_tickets_unreviewed 2", "auditlb_emergency_tickets_total 2",
		`auditlb_changes_total{emergency="false",kind="pool"} 1`, `auditlb_changes_total{emergency="true",kind="pool"} 1`,
		`auditlb_refusals_total{code="precondition_failed"} 1`)
	review("CHG-E1")
	hasMetrics(t, d, "auditlb_emergency_tickets_unreviewed 1")
	stop(t, d)

	d = start(t, c)
	defer func() { stop(t, d) }()
	eventually(t, "the tickets to be looked through", func() bool {
		return strings.Contains(metrics(t, d), "\nauditlb_emergency_tickets_unreviewed 1\n")
	})
	review("CHG-E2")
	hasMetrics(t, d, "auditlb_emergency_tickets_unreviewed 0")
}
