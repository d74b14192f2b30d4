package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// RollBack takes something back, or, with DryRun, answers what that would do. A preview by
// a client with a run records its effects as plans of the run.
func (c *Client) RollBack(ctx context.Context, req api.RollbackRequest) (*api.Rollback, error) {
	out := &api.Rollback{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "rollbacks"}, body: req, change: true}, out)
}
