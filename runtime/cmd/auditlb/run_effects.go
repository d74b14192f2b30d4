package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func newRunEffects(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "effects RUN",
		Short: "Show what a run has planned, to be read before it is approved",
		Long: `Show the newest plan of each operation of a run with its difference: what a ticket
would cover that is opened with --run.`,
		Example: `  auditlb run effects github/acme/infra/123/1`,
		Args:    exactly(1, "one run's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			effects, warnings, err := plannedEffects(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			return c.print(cmd, effects, func(out io.Writer) {
				printEffects(out, effects)
				fmt.Fprintf(out, "\n%s\n", counted(effects))
				for _, w := range warnings {
					fmt.Fprintf(out, "warning: %s\n", w)
				}
			})
		},
	}
}

// plannedEffects returns the newest plan of each operation on each object of a
// run, by address, and what the plans were warned of.
func plannedEffects(ctx context.Context, cl *client.Client, run string) ([]api.TicketEffect, []string, error) {
	if _, err := cl.Run(ctx, run); err != nil {
		return nil, nil, err
	}
	newest := map[string]api.TicketEffect{}
	q := api.EntryQuery{Run: run, Type: "plan", Limit: api.MaxPageSize, IncludePatch: true}
	for {
		list, err := cl.Entries(ctx, q)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range list.Items {
			key := e.Resource + " " + e.Op
			if _, newer := newest[key]; !newer {
				newest[key] = effectOf(e)
			}
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	effects := make([]api.TicketEffect, 0, len(newest))
	for _, e := range newest {
		effects = append(effects, e)
	}
	slices.SortFunc(effects, func(a, b api.TicketEffect) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Op, b.Op))
	})
	var warnings []string
	for i, e := range effects {
		full, err := cl.Entry(ctx, e.Plan)
		if err != nil {
			return nil, nil, err
		}
		if full.Body != nil {
			effects[i].Unknown = full.Body.Unknown
			for _, w := range full.Body.Warnings {
				warnings = append(warnings, e.Address+": "+w)
			}
		}
	}
	return effects, warnings, nil
}

func effectOf(e api.EntryRecord) api.TicketEffect {
	return api.TicketEffect{Address: e.Resource, Op: lb.Op(e.Op), EffectDigest: e.EffectDigest, Plan: e.Seq, Patch: e.Patch, BodyState: e.BodyState, BodyErasedBy: e.BodyErasedBy}
}

func counted(effects []api.TicketEffect) string {
	ops := map[string]int{}
	for _, e := range effects {
		ops[string(e.Op)]++
	}
	return fmt.Sprintf("%d to create, %d to update, %d to delete", ops["create"], ops["update"], ops["delete"])
}
