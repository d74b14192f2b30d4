package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

func newRun(c *cli) *cobra.Command {
	return group("run", "Show Terraform runs, what they planned and what became of it",
		newRunList(c), newRunShow(c), newRunEffects(c), newRunComment(c), newRunAttach(c))
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
