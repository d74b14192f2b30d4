package client

import (
	"context"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// RunReport returns what became of what a run planned: a page of its effects.
func (c *Client) RunReport(ctx context.Context, id string, page Page) (*api.RunReport, error) {
	out := &api.RunReport{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", "run-reports", id}, query: page.query()}, out)
}

// WholeRunReport returns all pages of a report as one.
func (c *Client) WholeRunReport(ctx context.Context, id string) (*api.RunReport, error) {
	page := Page{Limit: api.MaxPageSize}
	report, err := c.RunReport(ctx, id, page)
	for err == nil && report.Next != "" {
		page.Cursor = report.Next
		var more *api.RunReport
		if more, err = c.RunReport(ctx, id, page); err == nil {
			more.Effects = append(report.Effects, more.Effects...)
			report = more // what is said of all effects, as of now
		}
	}
	return report, err
}

// AttachRunAddresses says what a run calls its resources in its configuration.
func (c *Client) AttachRunAddresses(ctx context.Context, id string, addresses map[string]string) (*api.RunAddressesKept, error) {
	out := &api.RunAddressesKept{}
	return out, c.do(ctx, call{method: http.MethodPut, path: []string{"v1", "run-addresses", id}, body: api.RunAddresses{Addresses: addresses}}, out)
}
