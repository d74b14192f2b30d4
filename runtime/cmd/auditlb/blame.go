package main

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newBlame(c *cli) *cobra.Command {
	var point string
	cmd := &cobra.Command{
		Use:   "blame ADDRESS",
		Short: "Show who set each attribute of an object, when and under which ticket",
		Example: `  auditlb blame pool/web
  auditlb blame pool/web --at 2026-01-31T14:05:00Z`,
		Args: exactly(1, "one address, such as pool/web"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := lb.ParseAddress(args[0])
			if err != nil {
				return usageError{err}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			blame, err := cl.Blame(cmd.Context(), address, point)
			if err != nil {
				return err
			}
			return c.print(cmd, blame, func(out io.Writer) { printBlame(out, blame) })
		},
	}
	cmd.Flags().StringVar(&point, "at", "", "as it was then: "+api.PointForms+" (default now)")
	return cmd
}

func printBlame(out io.Writer, b *api.Blame) {
	switch {
	case b.Deleted:
		fmt.Fprintf(out, "%s was deleted in revision %d by %s at %s under ticket %s\n", b.Address, b.Change.Revision, b.Change.Actor, at(b.Change.At), dash(b.Change.Ticket))
		return
	case b.BodyState == api.BodyErased || b.BodyState == api.BodyUnavailable:
		fmt.Fprintf(out, "%s at revision %d: the body %s\n", b.Address, b.Revision, bodyState(b.BodyState, b.BodyErasedBy))
		return
	}
	rows := make([][]string, len(b.Attributes))
	for i, a := range b.Attributes {
		revision := strconv.FormatInt(a.Change.Revision, 10)
		if a.BodyState == api.BodyErased || a.BodyState == api.BodyUnavailable {
			// It, or one before it: what it changed is not known any more.
			revision = "≤" + revision
		}
		rows[i] = []string{revision, at(a.Change.At), a.Change.Actor, dash(a.Change.Ticket), dash(a.Change.Run), fmt.Sprintf("%s: %s", attributePath(a.Pointer), a.Value)}
	}
	columns(out, []string{"REVISION", "TIME", "ACTOR", "TICKET", "RUN", "ATTRIBUTE"}, rows)
	for _, a := range b.Attributes {
		if a.BodyState == api.BodyErased || a.BodyState == api.BodyUnavailable {
			fmt.Fprintf(out, "≤ means that revision or one before it: its body %s.\n", bodyState(a.BodyState, a.BodyErasedBy))
			break
		}
	}
}
