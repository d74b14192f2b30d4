package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func newTicketApprove(c *cli) *cobra.Command {
	var action api.TicketAction
	var yes bool
	cmd := &cobra.Command{
		Use:   "approve TICKET",
		Short: "Approve a ticket that somebody else asked for",
		Long: `Approve a ticket that somebody else asked for.

Of a ticket that is bound to a run's effects the differences are shown first, and
what you sign off is the digest of exactly those. On a terminal you are asked;
elsewhere say what you have seen with --effects DIGEST, which 'ticket show' prints,
or with --yes that you approve whatever is shown now.`,
		Example: `  auditlb ticket approve CHG-1042 --comment "looks right"
  auditlb ticket approve CHG-1042 --revision 42
  auditlb ticket approve CHG-1043 --effects 5f1c0e9b…`,
		Args: exactly(1, "one ticket's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			t, err := cl.Ticket(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if t.Binding != nil && action.EffectsDigest == "" {
				if action.EffectsDigest, err = signOff(cmd, cl, t, yes); err != nil {
					return err
				}
			}
			if t, err = cl.ActOnTicket(cmd.Context(), args[0], client.Approve, action); err != nil {
				return err
			}
			return c.print(cmd, t, func(out io.Writer) { printTicket(out, t) })
		},
	}
	cmd.Flags().StringVar(&action.Comment, "comment", "", "kept with the approval")
	cmd.Flags().StringVar(&action.EffectsDigest, "effects", "", "digest of the effects that you have seen, of a bound ticket")
	cmd.Flags().Int64Var(&action.Revision, "revision", 0, "approve the ticket only as it was at this revision, which ticket show prints")
	cmd.Flags().BoolVar(&yes, "yes", false, "approve the effects as they are shown, without being asked")
	cmd.MarkFlagsMutuallyExclusive("effects", "yes")
	return cmd
}

// signOff shows what a bound ticket covers and returns the digest of exactly that,
// once the approver agrees.
func signOff(cmd *cobra.Command, cl *client.Client, t *api.Ticket, yes bool) (digest string, err error) {
	effects, err := effectsOf(cmd.Context(), cl, t)
	if err != nil {
		return "", err
	}
	// Progress and questions go where they don't end up in a pipe.
	out := cmd.ErrOrStderr()
	printTicket(out, t)
	printEffects(out, effects)
	for _, e := range effects {
		if notShown(&e) != "" {
			return "", fmt.Errorf("ticket %s covers what can't be shown any more: bind it to another run, planned again, or say with --effects %s that you have seen it before", t.ID, t.Binding.EffectsDigest)
		}
	}
	if yes {
		return t.Binding.EffectsDigest, nil
	}
	if !isTerminal(out) {
		return "", usageError{fmt.Errorf("ticket %s is bound to %d effects: say that you have seen them with --effects %s, or with --yes", t.ID, t.Binding.Effects, t.Binding.EffectsDigest)}
	}
	fmt.Fprintf(out, "\nApprove these %d effects? Only yes is taken for yes: ", t.Binding.Effects)
	answer, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), 1024)).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return "", usageError{fmt.Errorf("not approved")}
	}
	return t.Binding.EffectsDigest, nil
}

// effectsOf returns what a bound ticket covers; nothing for others. All pages are
// of one set: the digest tells.
func effectsOf(ctx context.Context, cl *client.Client, t *api.Ticket) ([]api.TicketEffect, error) {
	if t.Binding == nil {
		return nil, nil
	}
	var effects []api.TicketEffect
	page := client.Page{Limit: api.MaxPageSize}
	for {
		list, err := cl.TicketEffects(ctx, t.ID, page)
		if err != nil {
			return nil, err
		}
		if list.EffectsDigest != t.Binding.EffectsDigest {
			return nil, fmt.Errorf("ticket %s was amended while it was read; look at it again", t.ID)
		}
		effects = append(effects, list.Items...)
		if page.Cursor = list.Next; page.Cursor == "" {
			return effects, nil
		}
	}
}

// notShown says why there is no difference to see of an effect, or "".
func notShown(e *api.TicketEffect) string {
	if e.BodyState == "" || e.BodyState == api.BodyArchived {
		return ""
	}
	return "what it changes can't be shown: its plan: " + bodyState(e.BodyState, e.BodyErasedBy)
}

func printEffects(out io.Writer, effects []api.TicketEffect) {
	for _, e := range effects {
		fmt.Fprintf(out, "\n%s %s (plan entry %d)\n", e.Op, e.Address, e.Plan)
		printPatch(out, e.Patch)
		if gone := notShown(&e); gone != "" {
			fmt.Fprintf(out, "  ! %s\n", gone)
		}
		for _, u := range e.Unknown {
			fmt.Fprintf(out, "  ? %s: not known when planned, may become anything\n", attributePath(u))
		}
	}
}
