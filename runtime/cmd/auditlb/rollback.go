package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// rollback is what `rollback` was asked for.
type rollback struct {
	*cli
	req              api.RollbackRequest
	plan, apply      bool
	ticket, inRun    string
	emergency        string
	overrideConflict bool
}

func newRollback(c *cli) *cobra.Command {
	r := rollback{cli: c}
	cmd := &cobra.Command{
		Use:   "rollback ADDRESS | --run RUN | --all --to POINT",
		Short: "Take an object, what a run did, or everything back to what it was",
		Long: `Take something back, in one change that is made as a whole or not at all:

  ADDRESS     an object, to what it was at --to; without it to before its newest change,
              unless that took something back already
  --run RUN   every object that the run changed, to what it was before
  --all       everything, to what it was at --to; freeze windows and policies only with
              --include-governance

--to is ` + api.PointForms + `, which stands
for the moment just before its first change.

Without --plan and --apply it shows what would be done, and does nothing. Changes of
others that would be taken back too are conflicts: they take a ticket that says that
it overrides them, or one whose approvers have seen exactly these effects.

--plan records what would be done in a run, for a ticket that is bound to exactly
that. --apply does so as well and makes it, under a ticket; with --emergency under one
that it opens for exactly this, works at once, and has to be reviewed afterwards.`,
		Example: `  auditlb rollback pool/web
  auditlb rollback pool/web --apply --emergency "web answers with 503 since revision 57"
  auditlb rollback --run github/acme/infra/123/1 --plan
  auditlb rollback --all --to 2026-11-01T08:00:00Z --apply --ticket CHG-1042`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				r.req.Resource = args[0]
			}
			if err := r.check(); err != nil {
				return usageError{err}
			}
			r.ownTicket = r.emergency != ""
			switch {
			case r.apply:
				return r.make(cmd)
			case r.plan:
				return r.record(cmd)
			}
			return r.show(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&r.req.Run, "run", "", "take back what this run did")
	flags.BoolVar(&r.req.Everything, "all", false, "take everything back")
	flags.StringVar(&r.req.To, "to", "", "the point in time to go back to")
	flags.BoolVar(&r.req.IncludeGovernance, "include-governance", false, "with --all: freeze windows and policies too")
	flags.BoolVar(&r.plan, "plan", false, "record what would be done, for approval")
	flags.BoolVar(&r.apply, "apply", false, "do it")
	flags.StringVar(&r.ticket, "ticket", "", "change ticket (default $AUDITLB_CHANGE_TICKET)")
	flags.StringVar(&r.emergency, "emergency", "", "why it can't wait for an approval: opens an emergency ticket for exactly this")
	flags.BoolVar(&r.overrideConflict, "override-conflicts", false, "with --emergency: take back what others have changed since, too")
	flags.StringVar(&r.req.Expect, "expect", "", "do only what has this set digest, which the preview prints")
	flags.StringVar(&r.inRun, "in-run", "", "plan and apply in this run (default: one of its own)")
	cmd.MarkFlagsMutuallyExclusive("plan", "apply")
	cmd.MarkFlagsMutuallyExclusive("ticket", "emergency")
	return cmd
}

// check holds the flags to each other.
func (r *rollback) check() error {
	targets := 0
	for _, is := range []bool{r.req.Resource != "", r.req.Run != "", r.req.Everything} {
		if is {
			targets++
		}
	}
	switch {
	case targets != 1:
		return errors.New("say what is to be taken back: an address, --run or --all")
	case r.req.Run != "" && r.req.To != "":
		return errors.New("--to is not for --run: each object goes back to what it was before the run changed it")
	case r.req.Everything && r.req.To == "":
		return errors.New("--all needs --to, the point in time to go back to")
	case r.req.IncludeGovernance && !r.req.Everything:
		return errors.New("--include-governance is for --all")
	case r.emergency != "" && !r.apply:
		return errors.New("--emergency is for --apply")
	case r.req.Expect != "" && !r.apply:
		return errors.New("--expect is for --apply")
	case r.inRun != "" && !r.plan && !r.apply:
		return errors.New("--in-run is for --plan and --apply")
	case r.overrideConflict && r.emergency == "":
		return errors.New("--override-conflicts is for --emergency; another ticket says so itself, see auditlb ticket open --override-conflicts")
	}
	if r.req.Resource != "" {
		if _, err := lb.ParseAddress(r.req.Resource); err != nil {
			return err
		}
	}
	if r.emergency != "" {
		if msg := ticket.CheckReason(r.emergency); msg != "" {
			return fmt.Errorf("--emergency %s", msg)
		}
	}
	return nil
}

// show previews a rollback and records nothing.
func (r *rollback) show(cmd *cobra.Command) error {
	cl, err := r.clientUnder(r.ticket)
	if err != nil {
		return err
	}
	preview, err := r.preview(cmd.Context(), cl)
	if err != nil {
		return err
	}
	return r.print(cmd, preview, func(out io.Writer) {
		printPreview(out, preview)
		r.printNext(out, preview)
	})
}

// preview asks what the rollback would do, and keeps to the point that it has found.
func (r *rollback) preview(ctx context.Context, cl *client.Client) (*api.Rollback, error) {
	req := r.req
	req.DryRun = true
	preview, err := cl.RollBack(ctx, req)
	if err != nil {
		return nil, err
	}
	if preview.To != nil {
		r.req.To = strconv.FormatInt(*preview.To, 10)
	}
	return preview, nil
}

// record plans a rollback in a run.
func (r *rollback) record(cmd *cobra.Command) error {
	preview, err := r.planned(cmd.Context())
	if preview == nil {
		return err
	}
	printed := r.print(cmd, preview, func(out io.Writer) {
		printPreview(out, preview)
		r.printApproval(out, preview)
	})
	return errors.Join(printed, err)
}

// planned previews a rollback in a run, which records it there. What there is no use in
// recording comes back as it was previewed without one, with what keeps it from being done.
func (r *rollback) planned(ctx context.Context) (*api.Rollback, error) {
	cl, err := r.clientUnder(r.ticket)
	if err != nil {
		return nil, err
	}
	preview, err := r.preview(ctx, cl)
	if err != nil || len(preview.Effects)+len(preview.Impossible) == 0 {
		return preview, err
	}
	if err := r.hopeless(preview); err != nil {
		return preview, err
	}
	if r.inRun == "" {
		if r.inRun, err = ownRun(ctx, cl); err != nil {
			return nil, err
		}
	}
	if cl, err = r.clientIn(r.inRun, r.ticket); err != nil {
		return nil, err
	}
	return r.preview(ctx, cl)
}
