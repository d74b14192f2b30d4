package control

import (
	"context"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Waiting is how many calls are queued for the next batch.
func (c *Controller) Waiting() int { return len(c.waiting) }

// Record submits a call that is decided with a body, as if an object had it.
func (c *Controller) Record(ctx context.Context, call Call, subject Subject, body audit.Body) (Outcome, error) {
	return c.submit(ctx, call, subject, 0, func(*batch) (draft, error) {
		return draft{kind: audit.TypeSystem, body: body}, nil
	})
}
