package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newDriftAccept(c *cli) *cobra.Command {
	var req api.DriftAcceptanceRequest
	var ticketID, until string
	var valid time.Duration
	cmd := &cobra.Command{
		Use:   "accept ADDRESS",
		Short: "Leave drift out of lists and of Terraform's warnings for a while",
		Long: fmt.Sprintf(`Leave drift of an object out of lists and of Terraform's warnings, until a time at
most %d days ahead, or until the object changes again. It changes nothing but that, is
on record, and takes a change ticket that admits an update of the object.`, int(api.MaxDriftAccepted.Hours()/24)),
		Example: `  auditlb drift accept pool/web --workspace acme/edge --for 48h --ticket CHG-1042 \
    --reason "The canary stays until Friday"
  auditlb drift accept pool/web --workspace acme/edge --until 2026-12-24T08:00:00Z --ticket CHG-1042 \
    --reason "The canary stays until Christmas"`,
		Args: exactly(1, "one address, and flags"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if req.Until, err = timeFlag("until", until); err != nil {
				return err
			}
			if valid > 0 {
				req.Until = time.Now().Add(valid)
			}
			if req.Until.IsZero() {
				return usageError{fmt.Errorf("say until when, with --until or --for: drift is never accepted for good")}
			}
			accepted, err := c.acceptDrift(cmd, ticketID, args[0], req)
			if err != nil {
				return err
			}
			return c.print(cmd, accepted, func(out io.Writer) {
				fmt.Fprintf(out, "drift of %s (%s, revision %d) is accepted for workspace %s until %s (entry %d)\n",
					accepted.Address, accepted.Kind, accepted.Revision, accepted.Workspace, at(accepted.Until), accepted.Seq)
			})
		},
	}
	flags := cmd.Flags()
	acceptanceFlags(cmd, &req, &ticketID)
	flags.StringVar(&until, "until", "", "when it is to be shown again, RFC 3339")
	flags.DurationVar(&valid, "for", 0, "how long, in place of --until")
	flags.Int64Var(&req.Revision, "revision", 0, "only if the object is at this revision (default: whatever it is at)")
	cmd.MarkFlagsMutuallyExclusive("for", "until")
	return cmd
}

func newDriftWithdraw(c *cli) *cobra.Command {
	req := api.DriftAcceptanceRequest{Withdraw: true}
	var ticketID string
	cmd := &cobra.Command{
		Use:     "withdraw ADDRESS",
		Short:   "Show drift again that was accepted",
		Example: `  auditlb drift withdraw pool/web --workspace acme/edge --ticket CHG-1042 --reason "The canary is over"`,
		Args:    exactly(1, "one address, and flags"),
		RunE: func(cmd *cobra.Command, args []string) error {
			withdrawn, err := c.acceptDrift(cmd, ticketID, args[0], req)
			if err != nil {
				return err
			}
			return c.print(cmd, withdrawn, func(out io.Writer) {
				fmt.Fprintf(out, "drift of %s is shown again for workspace %s (entry %d)\n", withdrawn.Address, withdrawn.Workspace, withdrawn.Seq)
			})
		},
	}
	acceptanceFlags(cmd, &req, &ticketID)
	return cmd
}

func acceptanceFlags(cmd *cobra.Command, req *api.DriftAcceptanceRequest, ticketID *string) {
	flags := cmd.Flags()
	flags.StringVar(&req.Workspace, "workspace", "", "the workspace (default: the only one there is)")
	flags.StringVar(ticketID, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	flags.StringVar(&req.Reason, "reason", "", "why")
}

func (c *cli) acceptDrift(cmd *cobra.Command, ticketID, address string, req api.DriftAcceptanceRequest) (*api.DriftAcceptance, error) {
	if _, err := lb.ParseAddress(address); err != nil {
		return nil, usageError{err}
	}
	req.Address = address
	cl, err := c.clientUnder(ticketID)
	if err != nil {
		return nil, err
	}
	if req.Workspace == "" {
		list, err := driftOf(cmd.Context(), cl, api.DriftQuery{Resource: address})
		if err != nil {
			return nil, err
		}
		req.Workspace = list.Workspace
	}
	return cl.AcceptDrift(cmd.Context(), req)
}
