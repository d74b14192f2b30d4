package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// Drift returns a page of the objects that are not as a workspace left them: without
// one in the query, that of the client's run, or else the only one there is.
func (c *Client) Drift(ctx context.Context, q api.DriftQuery) (*api.DriftList, error) {
	values := Page{Limit: q.Limit, Cursor: q.Cursor}.query()
	for name, value := range map[string]string{"workspace": q.Workspace, "resource": q.Resource} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.All {
		values.Set("all", "true")
	}
	out := &api.DriftList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "drift"}, query: values, change: true}, out)
}

// SeeDrift asks how an object is not as it was when the run's workspace last saw it,
// and records it.
func (c *Client) SeeDrift(ctx context.Context, req api.DriftSightingRequest) (*api.DriftSighting, error) {
	out := &api.DriftSighting{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "drift", "sightings"}, body: req, change: true}, out)
}

// AcceptDrift has drift ignored for a while, or no longer.
func (c *Client) AcceptDrift(ctx context.Context, req api.DriftAcceptanceRequest) (*api.DriftAcceptance, error) {
	out := &api.DriftAcceptance{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "drift", "acceptances"}, body: req, change: true}, out)
}
