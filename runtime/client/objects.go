package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Precondition is what must hold for a change (RFC 9110 §13.1). The zero value
// is none, which the API refuses for changes.
type Precondition struct{ header, value string }

// IfAbsent requires that there is no such object.
func IfAbsent() Precondition { return Precondition{api.HeaderIfNoneMatch, "*"} }

// IfRevision requires that the object stands at a revision.
func IfRevision(revision int64) Precondition {
	return Precondition{api.HeaderIfMatch, strconv.Quote(strconv.FormatInt(revision, 10))}
}

// IfPresent requires that there is such an object, whatever its revision.
func IfPresent() Precondition { return Precondition{api.HeaderIfMatch, "*"} }

func (p Precondition) set(h http.Header) {
	if p.header != "" {
		h.Set(p.header, p.value)
	}
}

// Page asks for a part of a list. The zero value is the first page in the
// server's default size.
type Page struct {
	// Limit is the page's size, 1 to api.MaxPageSize; 0 means api.DefaultPageSize.
	Limit int
	// Cursor is the Next of the page before.
	Cursor string
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	return q
}

func objectPath(at lb.Address) []string { return []string{"v1", at.Kind.Plural(), at.Name} }

// Put creates or replaces an object. Body is an [lb.Object] or an
// *[api.CertificateWrite].
func (c *Client) Put(ctx context.Context, at lb.Address, body any, pre Precondition) (*api.Object, error) {
	out := &api.Object{}
	return out, c.do(ctx, call{method: http.MethodPut, path: objectPath(at), body: body, change: true, precondition: pre}, out)
}

// Get returns an object.
func (c *Client) Get(ctx context.Context, at lb.Address) (*api.Object, error) {
	out := &api.Object{}
	return out, c.do(ctx, call{method: http.MethodGet, path: objectPath(at)}, out)
}

// List returns a page of a kind's objects.
func (c *Client) List(ctx context.Context, kind lb.Kind, page Page) (*api.ObjectList, error) {
	out := &api.ObjectList{}
	return out, c.do(ctx, call{method: http.MethodGet, path: []string{"v1", kind.Plural()}, query: page.query()}, out)
}

// Delete deletes an object.
func (c *Client) Delete(ctx context.Context, at lb.Address, pre Precondition) (*api.Deleted, error) {
	out := &api.Deleted{}
	return out, c.do(ctx, call{method: http.MethodDelete, path: objectPath(at), change: true, precondition: pre}, out)
}

// Plan announces an intended change and returns what it would do.
func (c *Client) Plan(ctx context.Context, req api.PlanRequest) (*api.Plan, error) {
	out := &api.Plan{}
	return out, c.do(ctx, call{method: http.MethodPost, path: []string{"v1", "plans"}, body: req, change: true}, out)
}
