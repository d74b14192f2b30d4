// Package runtimetest boots the real runtime inside a test: log, gate,
// management API and data plane, on free ports, with people who can use it.
package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// People are who the tokens speak for, one for each role.
var People = map[identity.Role]string{
	identity.Viewer: "vera", identity.Planner: "paul", identity.Operator: "olivia",
	identity.Approver: "anton", identity.Auditor: "audrey", identity.Admin: "ada",
}

// Runtime is a runtime on a free port.
type Runtime struct {
	// Endpoint is the management API.
	Endpoint string
	// Dir is the data directory.
	Dir string
	// Operator is the token of olivia, who makes changes.
	Operator string
	// Tokens has a token for each role, of one of the [People].
	Tokens map[identity.Role]string
	// Ticket is an approved ticket that permits every change.
	Ticket string
	// Daemon is the runtime itself.
	Daemon *daemon.Daemon
	// Logs holds everything that was logged, at level debug.
	Logs *Buffer
	// CAPEM is who vouches for the management API; empty over plain HTTP.
	CAPEM string

	config daemon.Config
}

// Option changes a runtime before it starts.
type Option func(testing.TB, *Runtime)

// Configured changes the configuration that a runtime starts with.
func Configured(change func(*daemon.Config)) Option {
	return func(_ testing.TB, r *Runtime) { change(&r.config) }
}

// Start boots a runtime that lives as long as the test.
func Start(t testing.TB, opts ...Option) *Runtime {
	t.Helper()
	r := &Runtime{Dir: t.TempDir(), Tokens: map[identity.Role]string{}, Logs: &Buffer{}}
	r.config = daemon.Config{
		DataDir:         r.Dir,
		ShutdownTimeout: "2s",
		Management:      &daemon.Management{Address: "127.0.0.1:0"},
		Log:             &daemon.Log{MinFreeBytes: -1},
	}
	for _, o := range opts {
		o(t, r)
	}
	r.boot(t)
	t.Cleanup(func() { r.stop(t) })
	for _, role := range identity.Roles {
		r.Tokens[role] = r.Token(t, People[role], role)
	}
	r.Operator = r.Tokens[identity.Operator]
	r.Ticket = r.OpenTicket(t, api.TicketRequest{})
	return r
}

func (r *Runtime) boot(t testing.TB) {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(r.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if r.Daemon, err = daemon.Start(context.Background(), r.config, logger); err != nil {
		t.Fatalf("start the runtime: %v", err)
	}
	r.Endpoint = r.Daemon.Endpoint()
}

func (r *Runtime) stop(t testing.TB) {
	t.Helper()
	// Spare connections of clients would keep an orderly end waiting.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.Daemon.Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop the runtime: %v", err)
	}
}

// Restart stops the runtime and starts it again over the same data, on another
// port. Changes are made to its configuration in between.
func (r *Runtime) Restart(t testing.TB, changes ...Option) {
	t.Helper()
	r.stop(t)
	for _, o := range changes {
		o(t, r)
	}
	r.boot(t)
}

// Token makes a token and returns its secret.
func (r *Runtime) Token(t testing.TB, actor string, role identity.Role, scopes ...string) string {
	t.Helper()
	outcome, secret, err := r.Daemon.Controller.CreateToken(t.Context(), control.Call{Actor: control.System("test")}, control.TokenRequest{Actor: actor, Role: role, Scopes: scopes})
	if err != nil || outcome.Refusal() != nil {
		t.Fatalf("create a token for %s: %v %+v", actor, err, outcome.Refusal())
	}
	return secret
}

// Client returns a client of the runtime. Without a token it is olivia's.
func (r *Runtime) Client(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	cfg.Endpoint, cfg.CACertPEM = r.Endpoint, r.CAPEM
	if cfg.Token == "" {
		cfg.Token = api.Secret(r.Operator)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// OpenTicket opens a ticket in olivia's name, has anton approve it, and returns
// its id. What the request leaves out permits every change.
func (r *Runtime) OpenTicket(t testing.TB, req api.TicketRequest) string {
	t.Helper()
	if req.ID == "" {
		req.ID = "CHG-" + uuid.NewString()[:8]
	}
	if req.Title == "" {
		req.Title, req.Reason = "a test", "the test needs to change something"
	}
	if req.Scope.Addresses == nil {
		req.Scope.Addresses = []string{"*"}
	}
	if _, err := r.Client(t, client.Config{}).OpenTicket(t.Context(), req); err != nil {
		t.Fatalf("open ticket: %v", err)
	}
	approver := r.Client(t, client.Config{Token: api.Secret(r.Tokens[identity.Approver])})
	if _, err := approver.ActOnTicket(t.Context(), req.ID, client.Approve, api.TicketAction{Comment: "fine"}); err != nil {
		t.Fatalf("approve ticket: %v", err)
	}
	return req.ID
}

// Entries returns the newest of the log's entries that match, oldest first.
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

// Buffer takes what many goroutines write.
type Buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
