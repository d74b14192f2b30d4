package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// State returns a page of the configuration at a point in time ([api.PointForms]; "" is
// now). Resource narrows it to an address or a kind; "" is everything.
func (c *Client) State(ctx context.Context, at, resource string, page Page) (*api.State, error) {
	q := page.query()
	setIf(q, "at", at)
	setIf(q, "resource", resource)
	out := &api.State{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "state"}, query: q}, out)
}

// Diff returns a page of what differs between two points in time. Resource narrows it to
// an address; "" is everything.
func (c *Client) Diff(ctx context.Context, from, to, resource string, page Page) (*api.Diff, error) {
	q := page.query()
	setIf(q, "from", from)
	setIf(q, "to", to)
	setIf(q, "resource", resource)
	out := &api.Diff{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "diff"}, query: q}, out)
}

// Blame says for each attribute of an object, as it was at a point in time, who set it.
func (c *Client) Blame(ctx context.Context, address lb.Address, at string) (*api.Blame, error) {
	q := Page{}.query()
	setIf(q, "at", at)
	out := &api.Blame{}
	return out, c.do(ctx, call{method: http.MethodGet, path: append(objectPath(address), "blame"), query: q}, out)
}
