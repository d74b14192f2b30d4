package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

// errorPage is shown in place of a page that can't be.
var errorPage = page{name: "error", show: func(*visit) (view, error) { return view{}, nil }}

// failure is what the error page shows.
type failure struct {
	*api.Problem
	// SignIn is set for strangers.
	SignIn bool
}

// problem turns any error into what people may see. What happened inside goes to the log,
// under the request id.
func (c *console) problem(v *visit, err error) *api.Problem {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, context.Canceled) {
		return api.NewProblem(api.CodeLogUnavailable, "the call was given up")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return api.NewProblem(api.CodeLogUnavailable, "this took too long; ask for less, or try again")
	}
	c.Logger.Error("page failed", "path", v.URL.Path, "actor", v.actor(), "request_id", v.id, "error", err)
	return api.NewProblem(api.CodeInternal, "something went wrong in the runtime; its operator finds the cause in the log under this request id")
}

// hasEnded reports whether the API no longer knows the caller.
func hasEnded(err error) bool { return client.HasCode(err, api.CodeUnauthenticated) }

// fail answers with an error.
func (c *console) fail(w http.ResponseWriter, v *visit, err error) {
	v.w = w
	if hasEnded(err) && v.session != nil {
		c.signInAgain(v)
		return
	}
	p := *c.problem(v, err)
	p.RequestID = v.id
	c.render(v, errorPage, view{title: p.Title, status: p.Status, data: failure{&p, v.session == nil}})
}
