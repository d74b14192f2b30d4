package control

import (
	"context"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Waiting is how many calls are queued for the next batch.
func (c *Controller) Waiting() int { return len(c.waiting) }

// Record submits a call that is decided with a body, as if an object had it.
func (c *Controller) Record(ctx context.Context, call Call, subject Subject, body audit.Body) (Outcome, error) {
	return c.submit(ctx, call, subject, 0, func(*batch) (draft, error) {
		return draft{kind: audit.TypeSystem, body: body}, nil
	})
}

// HoldCompiler keeps policies from being compiled until release is called.
func (c *Controller) HoldCompiler() (release func()) {
	c.compiling <- struct{}{}
	return func() { <-c.compiling }
}

// PutTold is Put for a call that was told this of its ticket, whatever stands in
// the log by now.
func (c *Controller) PutTold(ctx context.Context, call Call, told Elsewhere, change Put) (Outcome, error) {
	encoded, err := lb.Encode(change.Object)
	if err != nil {
		return Outcome{}, err
	}
	call.elsewhere = &told
	return c.submit(ctx, call, Subject{change.Address.String(), string(change.op())}, 0, func(b *batch) (draft, error) {
		return c.put(b, call, change, encoded, nil, program{})
	})
}
