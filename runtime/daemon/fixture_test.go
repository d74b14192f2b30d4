package daemon_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// config is that of a runtime on loopback with its data in a directory.
func config(dataDir string, minFree int64) daemon.Config {
	return daemon.Config{
		DataDir: dataDir, ShutdownTimeout: "2s",
		Management: &daemon.Management{Address: "127.0.0.1:0"},
		Log:        &daemon.Log{MinFreeBytes: minFree},
	}
}

// start starts a runtime. The caller stops it.
func start(t *testing.T, c daemon.Config) *daemon.Daemon {
	t.Helper()
	d, err := daemon.Start(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// stop stops a runtime in order.
func stop(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// operator returns a client that makes changes, each tried once, under an
// approved ticket for everything.
func operator(t *testing.T, d *daemon.Daemon) *client.Client {
	t.Helper()
	system := control.Call{Actor: control.System("test")}
	o, secret, err := d.Controller.CreateToken(t.Context(), system, control.TokenRequest{Actor: "olivia", Role: identity.Operator})
	accepted(t, o, err)
	o, err = d.Controller.OpenTicket(t.Context(), system, control.TicketRequest{Request: ticket.Request{
		ID: "CHG-1", Title: "a change", Reason: "a test needs it", Scope: ticket.Scope{Addresses: []string{"*"}},
	}})
	accepted(t, o, err)
	o, err = d.Controller.ActOnTicket(t.Context(), control.Call{Actor: identity.Actor{Name: "anton"}}, "CHG-1", control.TicketAct{Action: ticket.Approve})
	accepted(t, o, err)
	c, err := client.New(client.Config{Endpoint: d.Endpoint(), Token: api.Secret(secret), Ticket: "CHG-1", Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func accepted(t *testing.T, o control.Outcome, err error) {
	t.Helper()
	if err != nil || o.Refusal() != nil {
		t.Fatalf("%v %+v", err, o.Refusal())
	}
}

// verified fails the test unless the log of a running daemon verifies, as
// somebody else would check it.
func verified(t *testing.T, d *daemon.Daemon, dataDir string) {
	t.Helper()
	vkey, err := os.ReadFile(d.PublicKeyFile())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		t.Fatal(err)
	}
	reader, err := sqlite.OpenReader(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	report, err := audit.Verify(t.Context(), reader, verifier, nil)
	if err != nil || !report.OK() {
		t.Errorf("the log does not verify: %v %v", err, report.Findings)
	}
}

// pool is a pool of one member.
func pool(address string) *lb.Pool {
	m := lb.NewMember()
	m.Address = address
	p := lb.NewPool()
	p.Owner, p.Members = "team-web", map[string]lb.Member{"a": m}
	return p
}
