package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newAccess(c *cli) *cobra.Command {
	return group("access", "Explain who may change what", newAccessExplain(c))
}

func newAccessExplain(c *cli) *cobra.Command {
	var q client.AccessQuery
	cmd := &cobra.Command{
		Use:   "explain ADDRESS OPERATION",
		Short: "Say whether a change would be admitted now, and why",
		Long: `Go through what the gate asks of a change (role, scope, ticket, freeze windows,
policies) and say what it would find now. Nothing is changed or recorded.

Exit code 1 when the change would be refused.`,
		Example: `  auditlb access explain pool/web update
  auditlb access explain --as ci-main --ticket CHG-1042 pool/web update`,
		Args: exactly(2, "an address and an operation, such as pool/web update"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if q.Address, err = lb.ParseAddress(args[0]); err != nil {
				return usageError{err}
			}
			if q.Op = lb.Op(args[1]); !slices.Contains(lb.Ops, q.Op) {
				return usageError{fmt.Errorf("%q must be create, update or delete", args[1])}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			access, err := cl.ExplainAccess(cmd.Context(), q)
			if err != nil {
				return err
			}
			if err := c.print(cmd, access, func(out io.Writer) { printAccess(out, q, access) }); err != nil {
				return err
			}
			if !access.Allowed {
				return errRefused
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&q.As, "as", "", "the actor who would do it (default: you)")
	cmd.Flags().StringVar(&q.Ticket, "ticket", "", "the ticket that would be named (default: any that there is)")
	return cmd
}

func printAccess(out io.Writer, q client.AccessQuery, a *api.Access) {
	verdict := "would be refused"
	if a.Allowed {
		verdict = "would be admitted"
	}
	fmt.Fprintf(out, "%s of %s %s:\n", q.Op, q.Address, verdict)
	rows := make([][]string, 0, len(a.Checks))
	for _, check := range a.Checks {
		rows = append(rows, []string{map[bool]string{true: "yes", false: "NO"}[check.OK], check.Check, check.Detail})
	}
	columns(out, []string{"OK", "CHECK", "WHY"}, rows)
}

func newWhoami(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "whoami",
		Short:   "Show who the token says you are, and what you may do",
		Example: `  auditlb whoami`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			me, err := cl.Whoami(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(cmd, me, func(out io.Writer) { printIdentity(out, me) })
		},
	}
}

func printIdentity(out io.Writer, me *api.Identity) {
	scopes, run := "everything", ""
	if len(me.Scopes) > 0 {
		scopes = strings.Join(me.Scopes, ", ")
	}
	if me.Run != nil {
		run = me.Run.ID + " (verified)"
	}
	fields(out,
		"actor", me.Name, "role", me.Role, "scope", scopes, "credential", me.Credential,
		"identity provider", me.Provider, "issuer", me.Issuer, "subject", me.Subject, "run", run,
		"may", strings.Join(me.Permissions, "\n\t"),
	)
}
