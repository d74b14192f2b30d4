package server

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
)

// write answers a call and returns the status.
func (s *server) write(w http.ResponseWriter, c *call, a *answer, err error) int {
	h := w.Header()
	h.Set(api.HeaderRequestID, c.requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if err != nil {
		return s.writeProblem(w, c, err)
	}
	for key, values := range a.header {
		h[key] = values
	}
	if a.etag != "" {
		h.Set(api.HeaderETag, a.etag)
	}
	if c.Method != http.MethodGet && c.Method != http.MethodHead {
		h.Set(api.HeaderCheckpoint, base64.StdEncoding.EncodeToString(s.Controller.Checkpoint()))
	}
	body := a.raw
	if a.body != nil {
		if body, err = json.Marshal(a.body, json.Deterministic(true)); err != nil {
			return s.writeProblem(w, c, err)
		}
	}
	content := api.ContentJSON
	if c.op.Content != "" {
		content = c.op.Content
	}
	h.Set("Content-Type", content)
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
	return a.status
}

func (s *server) writeProblem(w http.ResponseWriter, c *call, err error) int {
	p := s.problem(c, err)
	p.RequestID = c.requestID
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="auditlb"`)
	}
	if wait := retryIn(err); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())))
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	body, err := json.Marshal(p, json.Deterministic(true))
	if err != nil {
		body = []byte(`{"code":"internal_error","status":500}`)
	}
	w.Header().Set("Content-Type", api.ContentProblem)
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
	return p.Status
}

// problem turns any error into what the caller may see. The text of internal
// errors goes to the operator's log, under the request id.
func (s *server) problem(c *call, err error) *api.Problem {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	level := s.Logger.Error
	switch {
	case errors.Is(err, context.Canceled):
		level = s.Logger.Debug
		p = api.NewProblem(api.CodeLogUnavailable, "the call was given up")
	case errors.Is(err, control.ErrLogFull):
		p = api.NewProblem(api.CodeLogFull, "the change log has no space left, so nothing was changed; traffic is not affected. Free space on the log's disk and try again")
	case errors.Is(err, control.ErrLogUnavailable), errors.Is(err, control.ErrLogBroken):
		p = api.NewProblem(api.CodeLogUnavailable, "the change log could not be written, so it is not certain whether the change happened; traffic is not affected. Try again with the same idempotency key: if it did happen you get its answer")
	case errors.Is(err, context.DeadlineExceeded):
		p = api.NewProblem(api.CodeLogUnavailable, "the log could not be read in time; ask for less, or try again")
	default:
		p = api.NewProblem(api.CodeInternal, "something went wrong in the runtime; its operator finds the cause in the log under this request id")
	}
	level("call failed", "operation", c.op.ID, "request_id", c.requestID, "actor", c.actor.Name, "error", err)
	return p
}

// problemOf renders a refusal's entry.
func problemOf(o *control.Outcome) *api.Problem {
	r := o.Refusal()
	p := api.NewProblem(api.Code(r.Code), r.Detail)
	p.Seq = o.Entry.Seq
	p.Violations = r.Violations
	p.Referents = r.Referents
	if r.Current != nil {
		current := lastChange(*r.Current)
		p.Current = &current
	}
	return p
}

func lastChange(l audit.LastChange) api.LastChange { return api.LastChange(l) }

func etag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }

func ok(body any) (*answer, error) { return &answer{status: http.StatusOK, body: body}, nil }

// cleanPaths answers paths that are not in their shortest form as paths that
// don't exist, where ServeMux would redirect a call with its token elsewhere.
func (s *server) cleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		escaped := r.URL.EscapedPath()
		clean := path.Clean(escaped)
		if strings.HasSuffix(escaped, "/") && clean != "/" {
			clean += "/"
		}
		if clean != escaped {
			s.nowhere(w, r, api.NewProblem(api.CodeNotFound, "there is nothing at this path: write it without empty segments and dots"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// notFound answers paths and methods that no operation has.
func (s *server) notFound(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		problem := api.NewProblem(api.CodeNotFound, "there is nothing at this path; /v1/openapi.json lists what there is")
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				w.Header().Add("Allow", method)
				problem = api.NewProblem(api.CodeMethod, "this path does not take "+bounded(r.Method, 16)+"; the Allow header lists what it takes")
			}
		}
		s.nowhere(w, r, problem)
	}
}

// nowhere answers a call that is no operation's.
func (s *server) nowhere(w http.ResponseWriter, r *http.Request, problem *api.Problem) {
	c := &call{Request: r, op: api.Operation{ID: "none"}, requestID: requestID(r)}
	s.metrics.observe(c.op.ID, s.write(w, c, nil, problem), 0)
}
