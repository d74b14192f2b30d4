package main

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// rolledBack is what `rollback --apply` prints as JSON.
type rolledBack struct {
	*api.Rollback
	// Ticket is the one that it was made under.
	Ticket string `json:"ticket,omitzero"`
	// ReviewPending is set when somebody else has to review what was done.
	ReviewPending bool `json:"review_pending,omitzero"`
}

// ownRuns begin the ids of runs that are of this command alone.
const ownRuns = "rollback/"

// ownRun registers a run for this command, unless the credential proves one.
func ownRun(ctx context.Context, cl *client.Client) (string, error) {
	who, err := cl.Whoami(ctx)
	if err != nil {
		return "", err
	}
	if who.Run != nil {
		return who.Run.ID, nil
	}
	id := ownRuns + strings.ToLower(rand.Text()[:12])
	host, _ := os.Hostname()
	_, err = cl.RegisterRun(ctx, id, api.RunClaims{System: control.SystemCommandLine, Tool: "auditlb", ToolVersion: version, Host: host})
	return id, err
}

// make plans a rollback and makes exactly that.
func (r *rollback) make(cmd *cobra.Command) error {
	ctx := cmd.Context()
	preview, err := r.planned(ctx)
	if preview == nil {
		return err
	}
	if len(preview.Effects)+len(preview.Impossible) == 0 {
		return r.print(cmd, rolledBack{Rollback: preview}, func(out io.Writer) { printPreview(out, preview) })
	}
	if r.output != outputJSON {
		printPreview(cmd.OutOrStdout(), preview)
	}
	if err == nil {
		err = r.hopeless(preview)
	}
	if err != nil {
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
	made := rolledBack{Rollback: done, Ticket: r.changeTicket(id), ReviewPending: r.emergency != ""}
	return r.print(cmd, made, func(out io.Writer) { r.printMade(out, made) })
}

// hopeless refuses what no ticket would help with, before one is opened for it.
func (r *rollback) hopeless(preview *api.Rollback) error {
	if len(preview.Impossible) > 0 {
		x := preview.Impossible[0]
		return api.NewProblem(x.Code, x.Detail)
	}
	if r.req.Expect != "" && r.req.Expect != preview.EffectsDigest {
		return api.NewProblem(api.CodePreconditionFailed, "the rollback would not do any more what was previewed: look at it again")
	}
	if r.emergency != "" && len(preview.Warnings) > 0 {
		return api.NewProblem(api.CodeRollbackImpossible, preview.Warnings[0])
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
