// Package acctest boots the real runtime inside a test and runs the real
// terraform against it.
package acctest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// Runtime is a runtime on a free port, with people who can use it.
type Runtime struct {
	// Endpoint is the management API.
	Endpoint string
	// Operator is the token of olivia, who makes changes.
	Operator string
	// Ticket is an approved ticket that permits every change.
	Ticket string

	daemon   *daemon.Daemon
	approver *client.Client
}

// Start boots a runtime that lives as long as the test.
func Start(t testing.TB) *Runtime {
	t.Helper()
	d, err := daemon.Start(context.Background(), daemon.Config{
		DataDir:         t.TempDir(),
		ShutdownTimeout: "2s",
		Management:      &daemon.Management{Address: "127.0.0.1:0"},
		Log:             &daemon.Log{MinFreeBytes: -1},
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatalf("start the runtime: %v", err)
	}
	t.Cleanup(func() {
		// The provider's spare connections would keep an orderly end waiting.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := d.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop the runtime: %v", err)
		}
	})
	r := &Runtime{Endpoint: d.Endpoint(), daemon: d}
	r.Operator = r.Token(t, "olivia", identity.Operator)
	r.approver = r.Client(t, client.Config{Token: api.Secret(r.Token(t, "anton", identity.Approver))})
	r.Ticket = r.OpenTicket(t, api.TicketRequest{})
	return r
}

// Token makes a token and returns its secret.
func (r *Runtime) Token(t testing.TB, actor string, role identity.Role) string {
	t.Helper()
	outcome, secret, err := r.daemon.Controller.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, actor, role, time.Time{})
	if err != nil || outcome.Refusal() != nil {
		t.Fatalf("create a token for %s: %v %+v", actor, err, outcome.Refusal())
	}
	return secret
}

// Client returns a client of the runtime. Without a token it is olivia's.
func (r *Runtime) Client(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	cfg.Endpoint = r.Endpoint
	if cfg.Token == "" {
		cfg.Token = api.Secret(r.Operator)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// OpenTicket opens a ticket, has it approved, and returns its id. What the
// request leaves out permits every change.
func (r *Runtime) OpenTicket(t testing.TB, req api.TicketRequest) string {
	t.Helper()
	if req.ID == "" {
		req.ID = "CHG-" + uuid.NewString()[:8]
	}
	if req.Title == "" {
		req.Title, req.Reason = "acceptance test", "a test of the provider needs it"
	}
	if req.Scope.Addresses == nil {
		req.Scope.Addresses = []string{"*"}
	}
	if _, err := r.Client(t, client.Config{}).OpenTicket(t.Context(), req); err != nil {
		t.Fatalf("open ticket: %v", err)
	}
	if _, err := r.approver.ActOnTicket(t.Context(), req.ID, client.Approve, api.TicketAction{Comment: "fine"}); err != nil {
		t.Fatalf("approve ticket: %v", err)
	}
	return req.ID
}

// Entries returns the log's entries that match, oldest first.
func (r *Runtime) Entries(t testing.TB, query api.EntryQuery) []api.EntryRecord {
	t.Helper()
	query.Limit = api.MaxPageSize
	list, err := r.Client(t, client.Config{}).Entries(t.Context(), query)
	if err != nil {
		t.Fatalf("read entries: %v", err)
	}
	oldestFirst := make([]api.EntryRecord, 0, len(list.Items))
	for i := len(list.Items) - 1; i >= 0; i-- {
		oldestFirst = append(oldestFirst, list.Items[i])
	}
	return oldestFirst
}
