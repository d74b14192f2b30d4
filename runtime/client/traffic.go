package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Traffic returns what the data plane did in a span of time; of everything, a page.
func (c *Client) Traffic(ctx context.Context, query api.TrafficQuery) (*api.Traffic, error) {
	q := Page{Limit: query.Limit, Cursor: query.Cursor}.query()
	setIf(q, "listener", query.Listener)
	setIf(q, "pool", query.Pool)
	setTime(q, "since", query.Since)
	setTime(q, "until", query.Until)
	if query.Step > 0 {
		q.Set("step", query.Step.String())
	}
	out := &api.Traffic{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "traffic"}, query: q}, out)
}
