package main

import (
	"context"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// The actor and ticket that `auditlb dev` prepares.
const (
	devActor  = "dev"
	devTicket = "CHG-DEV"
)

// devReady is what a program that starts `auditlb dev --json` reads.
type devReady struct {
	Endpoint  string `json:"endpoint"`
	Token     string `json:"token"`
	Ticket    string `json:"ticket"`
	DataDir   string `json:"data_dir"`
	PublicKey string `json:"public_key"`
}

func newDev() *cobra.Command {
	var listen, dataDir, level string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the load balancer to try it: temporary, on loopback, with a token and an approved ticket",
		Long: `Run the load balancer in a temporary directory that is removed at the end. It
listens on loopback and prints a token with role admin and a ticket that permits
every change for a day. Not for production: the token is printed.`,
		Example: `  auditlb dev
  auditlb dev --listen 127.0.0.1:0 --json`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			logger, err := newLogger(cmd.ErrOrStderr(), level, "text")
			if err != nil {
				return err
			}
			if dataDir == "" {
				dir, remove, err := tempDir()
				if err != nil {
					return err
				}
				defer remove()
				dataDir = dir
			}
			config := daemon.Config{
				DataDir: dataDir, ShutdownTimeout: "5s",
				Management: &daemon.Management{Address: listen},
				// Whatever is free will do for a trial.
				Log: &daemon.Log{MinFreeBytes: -1},
			}
			return serve(cmd.Context(), config, logger, func(d *daemon.Daemon) error {
				ready, err := prepareDev(cmd.Context(), d)
				if err != nil {
					return err
				}
				ready.DataDir = dataDir
				return ready.print(cmd.OutOrStdout(), asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", daemon.DefaultManagementAddress, "loopback address of the management API; port 0 takes a free one")
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "keep the log here in place of a temporary directory")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print endpoint, token and ticket as one line of JSON")
	cmd.Flags().StringVar(&level, "log-level", "warn", "debug, info, warn or error")
	return cmd
}

// prepareDev makes a token and a ticket. The ticket is asked for by the runtime
// and approved by the token's actor: nobody approves their own.
func prepareDev(ctx context.Context, d *daemon.Daemon) (devReady, error) {
	system := control.Call{Actor: control.System("dev")}
	outcome, secret, err := d.Controller.CreateToken(ctx, system, control.TokenRequest{Actor: devActor, Role: identity.Admin})
	if err := failed(outcome, err); err != nil {
		return devReady{}, err
	}
	held, err := d.Controller.Ticket(ctx, devTicket)
	if err != nil {
		return devReady{}, err
	}
	if held == nil {
		outcome, err = d.Controller.OpenTicket(ctx, system, control.TicketRequest{Request: ticket.Request{
			ID: devTicket, Type: ticket.Standard, Title: "Try auditlb", Reason: "Opened by auditlb dev, to explore with",
			Scope: ticket.Scope{Addresses: []string{"*"}},
		}})
		if err := failed(outcome, err); err != nil {
			return devReady{}, err
		}
		dev := control.Call{Actor: identity.Actor{Name: devActor, Role: identity.Admin}}
		outcome, err = d.Controller.ActOnTicket(ctx, dev, devTicket, control.TicketAct{Action: ticket.Approve, Comment: "approved by auditlb dev"})
		if err := failed(outcome, err); err != nil {
			return devReady{}, err
		}
	}
	return devReady{Endpoint: d.Endpoint(), Token: secret, Ticket: devTicket, PublicKey: d.PublicKeyFile()}, nil
}

// failed turns a refusal into an error.
func failed(o control.Outcome, err error) error {
	if err == nil && o.Refusal() != nil {
		return &control.Refused{Refusal: *o.Refusal()}
	}
	return err
}

func (r devReady) print(out io.Writer, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", b)
		return err
	}
	_, err := fmt.Fprintf(out, `auditlb is running, to be tried. Ctrl-C ends it.

  export AUDITLB_ENDPOINT=%s
  export AUDITLB_TOKEN=%s
  export AUDITLB_CHANGE_TICKET=%s

Then, in another terminal: auditlb whoami, terraform apply, auditlb history
In a browser, signing in with the token: %s/console/
`, r.Endpoint, r.Token, r.Ticket, r.Endpoint)
	return err
}
