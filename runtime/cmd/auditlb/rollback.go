package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
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

// rolledBack is what `rollback --apply` prints as JSON.
type rolledBack struct {
	*api.Rollback
	// Ticket is the one that it was made under.
	Ticket string `json:"ticket,omitzero"`
	// ReviewPending is set when somebody else has to review what was done.
	ReviewPending bool `json:"review_pending,omitzero"`
}

func newRollback(c *cli) *cobra.Command {
	r := rollback{cli: c}
	cmd := &cobra.Command{
		Use:   "rollback ADDRESS | --run RUN | --all --to POINT",
		Short: "Take an object, what a run did, or everything back to what it was",
		Long: `Take something back, in one change that is made as a whole or not at all:

  ADDRESS     an object, to what it was at --to; without it to before its newest change
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
	if err == nil && preview.To != nil {
		r.req.To = strconv.FormatInt(*preview.To, 10)
	}
	return preview, err
}

// record plans a rollback in a run.
func (r *rollback) record(cmd *cobra.Command) error {
	preview, err := r.planned(cmd.Context())
	if err != nil {
		return err
	}
	return r.print(cmd, preview, func(out io.Writer) {
		printPreview(out, preview)
		r.printApproval(out, preview)
	})
}

// planned previews a rollback in a run, which records it there.
func (r *rollback) planned(ctx context.Context) (*api.Rollback, error) {
	cl, err := r.client()
	if err != nil {
		return nil, err
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

// ownRun registers a run for this command, unless the credential proves one.
func ownRun(ctx context.Context, cl *client.Client) (string, error) {
	who, err := cl.Whoami(ctx)
	if err != nil {
		return "", err
	}
	if who.Run != nil {
		return who.Run.ID, nil
	}
	id := "rollback/" + strings.ToLower(rand.Text()[:12])
	host, _ := os.Hostname()
	_, err = cl.RegisterRun(ctx, id, api.RunClaims{System: control.SystemCommandLine, Tool: "auditlb", ToolVersion: version, Host: host})
	return id, err
}

// make plans a rollback and makes exactly that.
func (r *rollback) make(cmd *cobra.Command) error {
	ctx := cmd.Context()
	preview, err := r.planned(ctx)
	if err != nil {
		return err
	}
	if len(preview.Effects)+len(preview.Impossible) == 0 {
		return r.print(cmd, rolledBack{Rollback: preview}, func(out io.Writer) { printPreview(out, preview) })
	}
	if r.output != outputJSON {
		printPreview(cmd.OutOrStdout(), preview)
	}
	if err := r.hopeless(preview); err != nil {
		return err
	}
	id := r.ticket
	if r.emergency != "" {
		if id, err = r.openEmergency(ctx, preview); err != nil {
			return err
		}
	}
	cl, err := r.clientIn(r.inRun, id)
	if err != nil {
		return err
	}
	req := r.req
	req.PreviewAt = preview.At
	req.Expect = first(req.Expect, preview.EffectsDigest)
	done, err := cl.RollBack(ctx, req)
	if err != nil {
		return err
	}
	made := rolledBack{Rollback: done, Ticket: first(id, os.Getenv("AUDITLB_CHANGE_TICKET")), ReviewPending: r.emergency != ""}
	return r.print(cmd, made, func(out io.Writer) { printMade(out, made) })
}

// hopeless refuses what no ticket would help with, before one is opened for it.
func (r *rollback) hopeless(preview *api.Rollback) error {
	if len(preview.Impossible) > 0 {
		x := preview.Impossible[0]
		return api.NewProblem(x.Code, x.Detail)
	}
	if r.emergency != "" && len(preview.Conflicts) > 0 && !r.overrideConflict {
		return api.NewProblem(api.CodeRollbackConflict, "others have changed since what would be taken back: look at the conflicts, and say --override-conflicts if that is what you want")
	}
	return nil
}

// openEmergency opens a ticket that is good for exactly a rollback.
func (r *rollback) openEmergency(ctx context.Context, preview *api.Rollback) (string, error) {
	cl, err := r.client()
	if err != nil {
		return "", err
	}
	req := api.TicketRequest{
		Type: string(ticket.Emergency), Title: cut("Rollback of "+r.what(), ticket.MaxTitleLength), Reason: r.emergency,
		Run: preview.PlannedIn, MaxUses: preview.Uses, OverrideConflicts: r.overrideConflict,
	}
	if len(preview.Effects) <= ticket.MaxScopeAddresses { // else the binding says it alone
		for i := range preview.Effects {
			req.Scope.Addresses = append(req.Scope.Addresses, preview.Effects[i].Address)
		}
	}
	t, err := cl.OpenTicket(ctx, req)
	if err != nil {
		return "", err
	}
	return t.ID, nil
}
