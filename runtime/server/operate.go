package server

import (
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

func (s *server) openapi(*call) (*answer, error) {
	doc, err := api.OpenAPI()
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, raw: doc}, nil
}

// healthz says that the process is alive, nothing more.
func (s *server) healthz(*call) (*answer, error) {
	return &answer{status: http.StatusOK, raw: []byte("ok\n")}, nil
}

// readyz says whether changes are accepted and traffic flows as declared.
func (s *server) readyz(c *call) (*answer, error) {
	r := api.Readiness{Problems: []string{}}
	if _, err := s.Log.Extent(c.Context()); err != nil {
		s.Logger.Error("log not readable", "request_id", c.requestID, "error", err)
		r.Problems = append(r.Problems, "the log can't be read")
	}
	if err := s.Controller.Ready(); err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	revision, problems := s.DataPlane()
	r.Revision, r.Problems = revision, append(r.Problems, problems...)
	status := http.StatusOK
	if r.Ready = len(r.Problems) == 0; !r.Ready {
		status = http.StatusServiceUnavailable
	}
	return &answer{status: status, body: r}, nil
}
