package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// States of a ticket that matter to who waits. In all but these it can't be
// approved any more.
const (
	stateDraft    = "draft"
	statePending  = "pending"
	stateApproved = "approved"
)

// waitStates are what a reader may wait for.
var waitStates = []string{stateApproved}

// How long to wait altogether, and between one look at the ticket and the next.
const (
	defaultWaitTimeout = lb.Duration(10 * time.Minute)
	minWaitTimeout     = lb.Duration(time.Second)
	maxWaitTimeout     = lb.Duration(24 * time.Hour)
	firstPause         = 2 * time.Second
	longestPause       = 15 * time.Second
)

// waitTimeout is what a timeout is held to.
var waitTimeout = durationBetween{minWaitTimeout, maxWaitTimeout}

// waitError is why a ticket is not waited for any longer.
type waitError struct{ summary, detail string }

// Error implements error.
func (e *waitError) Error() string { return e.summary + ": " + e.detail }

// awaitApproval reads a ticket until it is approved, and returns it. It returns a
// [*waitError] when the ticket can't be approved any more, or when the timeout
// passes first. A window that has yet to begin is not waited for.
func awaitApproval(ctx context.Context, read func(context.Context) (*api.Ticket, error), timeout time.Duration) (*api.Ticket, error) {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var last *api.Ticket
	for pause := firstPause; ; pause = min(pause*3/2, longestPause) {
		ticket, err := read(waiting)
		switch {
		case err != nil && last != nil && waiting.Err() != nil:
			return nil, stoppedWaiting(ctx, last, timeout)
		case err != nil:
			return nil, err
		case ticket.State == stateApproved:
			return ticket, nil
		case ticket.State != stateDraft && ticket.State != statePending:
			return nil, tooLate(ticket)
		}
		last = ticket
		tflog.Info(ctx, "waiting for a change ticket to be approved", map[string]any{
			"ticket": ticket.ID, "state": ticket.State, "approvals": len(ticket.Approvals), "required_approvals": ticket.RequiredApprovals, "pause": pause.String(),
		})
		select {
		case <-waiting.Done():
			return nil, stoppedWaiting(ctx, last, timeout)
		case <-time.After(pause):
		}
	}
}

// tooLate is about a ticket that can't be approved any more.
func tooLate(t *api.Ticket) error {
	detail := fmt.Sprintf("It can't be approved any more; open another one with `auditlb ticket open`. It was requested by %s", t.Requester)
	if c := t.Closure; c != nil {
		detail += fmt.Sprintf(" and ended by %s at %s", c.By, c.At.UTC().Format(time.RFC3339))
		if c.Result != "" {
			detail += fmt.Sprintf(": %q", c.Result)
		}
	} else {
		detail += fmt.Sprintf("; its window closed at %s", t.NotAfter.UTC().Format(time.RFC3339))
	}
	return &waitError{fmt.Sprintf("Change ticket %s is %s", t.ID, t.State), detail + "."}
}

// stoppedWaiting is about a ticket that may still be approved.
func stoppedWaiting(ctx context.Context, t *api.Ticket, timeout time.Duration) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for change ticket %s was interrupted: %w", t.ID, err)
	}
	return &waitError{
		fmt.Sprintf("Change ticket %s was not approved within %s", t.ID, lb.Duration(timeout)),
		fmt.Sprintf("It is %s: it has %d of %d approvals. Someone other than %s, who requested it, can approve it with `auditlb ticket approve %s`; then run Terraform again, or set timeout to wait longer.",
			t.State, len(t.Approvals), t.RequiredApprovals, t.Requester, t.ID),
	}
}

// durationBetween holds a text to a duration within bounds.
type durationBetween struct{ low, high lb.Duration }

// Description implements [validator.String].
func (v durationBetween) Description(context.Context) string {
	return fmt.Sprintf("a duration between %s and %s", v.low, v.high)
}

// MarkdownDescription implements [validator.String].
func (v durationBetween) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (v durationBetween) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	d, err := lb.ParseDuration(req.ConfigValue.ValueString())
	switch {
	case err != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration", fmt.Sprintf("%s: %s.", req.Path, err))
	case d < v.low || d > v.high:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid duration", fmt.Sprintf("%s: %s must be %s.", req.Path, d, v.Description(ctx)))
	}
}
