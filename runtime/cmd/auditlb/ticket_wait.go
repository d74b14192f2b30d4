package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// waitEvery is how often a ticket is looked at while it is waited for.
const waitEvery = 3 * time.Second

func newTicketWait(c *cli) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait TICKET",
		Short: "Wait until a ticket is approved",
		Long: `Wait until a ticket is approved, so that a pipeline can go on with it.

Exit code 1 when it is rejected, cancelled, closed or expired, or not approved in time.`,
		Example: `  auditlb ticket wait CHG-1042 --timeout 2h`,
		Args:    exactly(1, "one ticket's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			t, err := waitForTicket(ctx, cl, args[0], cmd.ErrOrStderr())
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("ticket %s was not approved within %s", args[0], timeout)
			}
			if err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "how long to wait")
	return cmd
}

// waitForTicket looks at a ticket until it is approved or can't be any more. It
// says so when it has to wait.
func waitForTicket(ctx context.Context, cl *client.Client, id string, progress io.Writer) (*api.Ticket, error) {
	said := -1
	for {
		t, err := cl.Ticket(ctx, id)
		if err != nil {
			return nil, err
		}
		switch ticket.State(t.State) {
		case ticket.Approved:
			return t, nil
		case ticket.Draft, ticket.Pending:
		default:
			return nil, fmt.Errorf("ticket %s is %s", id, t.State)
		}
		if said != len(t.Approvals) {
			said = len(t.Approvals)
			fmt.Fprintf(progress, "ticket %s is %s: %d of %d approvals; someone other than %s can approve it\n", id, t.State, said, t.RequiredApprovals, t.Requester)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(waitEvery):
		}
	}
}
