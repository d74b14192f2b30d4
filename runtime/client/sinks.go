package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Sinks returns where the log is streamed to, with how far each has come.
func (c *Client) Sinks(ctx context.Context) (*api.SinkList, error) {
	out := &api.SinkList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "sinks"}}, out)
}
