package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func newRun(c *cli) *cobra.Command {
	return group("run", "Show Terraform runs and what they did", newRunList(c), newRunShow(c), newRunEffects(c))
}

func newRunList(c *cli) *cobra.Command {
	page := client.Page{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List runs, newest first",
		Example: `  auditlb run list`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := cl.Runs(cmd.Context(), page)
			if err != nil {
				return err
			}
			return c.print(cmd, list, func(out io.Writer) {
				rows := make([][]string, 0, len(list.Items))
				for _, r := range list.Items {
					rows = append(rows, []string{
						r.ID, at(r.FirstSeen), r.Claims.System, dash(r.Claims.Workspace), r.RegisteredBy, dash(r.Claims.Actor),
						fmt.Sprint(r.Counts.Planned), fmt.Sprint(r.Counts.Applied), fmt.Sprint(r.Counts.Refused),
					})
				}
				columns(out, []string{"RUN", "FIRST SEEN", "SYSTEM", "WORKSPACE", "BY", "CLAIMED ACTOR", "PLANNED", "APPLIED", "REFUSED"}, rows)
				if list.Next != "" {
					fmt.Fprintf(out, "There are more: --cursor %s\n", list.Next)
				}
			})
		},
	}
	cmd.Flags().IntVar(&page.Limit, "limit", api.DefaultPageSize, "at most this many runs")
	cmd.Flags().StringVar(&page.Cursor, "cursor", "", "begin where the page before ended")
	return cmd
}

func newRunShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "show RUN",
		Short:   "Show a run: what it says of itself, and its entries",
		Example: `  auditlb run show github/acme/infra/123/1`,
		Args:    exactly(1, "one run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			run, err := cl.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			entries, err := cl.Entries(cmd.Context(), api.EntryQuery{Run: args[0], Limit: api.MaxPageSize, IncludePatch: true})
			if err != nil {
				return err
			}
			both := struct {
				Run     *api.Run       `json:"run"`
				Entries *api.EntryList `json:"entries"`
			}{run, entries}
			return c.print(cmd, both, func(out io.Writer) { printRun(out, run, entries) })
		},
	}
}

func printRun(out io.Writer, r *api.Run, entries *api.EntryList) {
	tool := r.Claims.Tool
	if r.Claims.ToolVersion != "" {
		tool += " " + r.Claims.ToolVersion
	}
	fields(out,
		"run", r.ID,
		"registered by", r.RegisteredBy,
		"first seen", at(r.FirstSeen),
		"counts", fmt.Sprintf("%d planned, %d applied, %d refused", r.Counts.Planned, r.Counts.Applied, r.Counts.Refused),
	)
	if p := r.Proof; p != nil {
		fmt.Fprintln(out, "\nverified by a token:")
		fields(out, "  identity provider", p.Provider, "  issuer", p.Issuer, "  subject", p.Subject)
		for _, name := range slices.Sorted(maps.Keys(p.Facts)) {
			fmt.Fprintf(out, "  %s  %s\n", name, p.Facts[name])
		}
	}
	fmt.Fprintln(out, "\nclaimed, not verified:")
	fields(out,
		"  system", r.Claims.System,
		"  actor", r.Claims.Actor,
		"  url", r.Claims.URL,
		"  repository", r.Claims.Repository,
		"  commit", r.Claims.Commit,
		"  workspace", r.Claims.Workspace,
		"  phase", r.Claims.Phase,
		"  attempt", r.Claims.Attempt,
		"  host", r.Claims.Host,
		"  tool", tool,
	)
	fmt.Fprintln(out)
	printEntries(out, entries, true)
}
