package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/tfconfig"
)

func newState(c *cli) *cobra.Command {
	var point string
	var terraform, imports bool
	cmd := &cobra.Command{
		Use:   "state [ADDRESS|KIND]",
		Short: "Show the configuration, or a part of it, as it was at a point in time",
		Long: `Show the configuration as it was at a point in time: ` + api.PointForms + `
(just after its last change). With --terraform it is written as configuration for
Terraform, and with --import also with the blocks that import the objects.`,
		Example: `  auditlb state --at 42
  auditlb state pool/web --at 2026-01-31T14:05:00Z -o json
  auditlb state pool --at run:github/acme/infra/123/1 --terraform > pools.tf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			only := strings.Join(args, "")
			if !strings.Contains(only, "/") {
				only = string(kindOf(only))
			}
			if imports && !terraform {
				return usageError{fmt.Errorf("--import goes with --terraform")}
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			state, err := wholeState(cmd.Context(), cl, point, only)
			if err != nil {
				return err
			}
			if terraform {
				return writeTerraform(cmd.OutOrStdout(), state, imports)
			}
			return c.print(cmd, state, func(out io.Writer) { printState(out, state) })
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&point, "at", "", "as it was then: "+api.PointForms+" (default now)")
	flags.BoolVar(&terraform, "terraform", false, "write Terraform configuration")
	flags.BoolVar(&imports, "import", false, "with --terraform: write import blocks too")
	return cmd
}

func wholeState(ctx context.Context, cl *client.Client, point, only string) (*api.State, error) {
	page := client.Page{Limit: api.MaxPageSize}
	var all *api.State
	for {
		state, err := cl.State(ctx, point, only, page)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = state
			// The pages that follow are of the same revision, whatever is changed meanwhile.
			point = strconv.FormatInt(state.At.Revision, 10)
		} else {
			all.Items = append(all.Items, state.Items...)
		}
		if page.Cursor = state.Next; page.Cursor == "" {
			all.Next = ""
			return all, nil
		}
	}
}

func printState(out io.Writer, state *api.State) {
	fmt.Fprintf(out, "revision %d, %s\n", state.At.Revision, at(state.At.Time))
	for _, o := range state.Items {
		fmt.Fprintf(out, "\n%s (revision %d by %s under %s at %s)\n", lb.Address{Kind: o.Kind, Name: o.Name}, o.Revision, o.LastChange.Actor, dash(o.LastChange.Ticket), at(o.LastChange.At))
		if o.Object.Object == nil {
			fmt.Fprintf(out, "  ! not known: the body %s\n", bodyState(o.BodyState, o.BodyErasedBy))
		}
		for _, line := range attributes(o.Object.Object) {
			fmt.Fprintln(out, "  "+line)
		}
	}
	if len(state.Items) == 0 {
		fmt.Fprintln(out, "\nThere were no objects.")
	}
}

func writeTerraform(out io.Writer, state *api.State, imports bool) error {
	var objects []tfconfig.Object
	fmt.Fprintf(out, "# The configuration at revision %d, %s.\n", state.At.Revision, at(state.At.Time))
	for _, o := range state.Items {
		address := lb.Address{Kind: o.Kind, Name: o.Name}
		if o.Object.Object == nil {
			fmt.Fprintf(out, "# %s is not known: the body %s.\n", address, bodyState(o.BodyState, o.BodyErasedBy))
			continue
		}
		objects = append(objects, tfconfig.Object{Address: address, Encoded: o.Object.Object})
	}
	text, err := tfconfig.Write(objects, imports)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\n%s", text)
	return err
}
