package server

import (
	"errors"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity/oidc"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// openSession exchanges an identity provider's token for a session.
func (s *server) openSession(c *call) (*answer, error) {
	var req api.SessionRequest
	if err := lb.DecodeStrict(c.body, &req); err != nil {
		return nil, s.unauthenticated(c, "", "the body must be an object with token, the identity provider's token")
	}
	if s.Logins == nil {
		return nil, s.unauthenticated(c, "", "this runtime trusts no identity provider; use a token made with auditlb token create")
	}
	login, err := s.Logins.Verify(c.Context(), req.Token.Reveal())
	if err != nil {
		return nil, s.rejectedLogin(c, err)
	}
	c.actor = login.Actor
	who := c.control()
	// The secret can be answered only once, so there is no answer to repeat.
	who.Key = ""
	outcome, secret, err := s.Controller.OpenSession(c.Context(), who, login)
	if err != nil {
		return nil, err
	}
	if outcome.Refusal() != nil {
		return nil, problemOf(&outcome)
	}
	var token identity.Token
	if err := unmarshalState(&outcome, &token); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusCreated, body: api.Session{Secret: secret, ExpiresAt: token.NotAfter, Identity: identityOf(token.AsActor())}}, nil
}

// rejectedLogin turns the verifier's verdict into what the caller may know.
func (s *server) rejectedLogin(c *call, err error) error {
	var rejected *oidc.Rejected
	var unavailable *oidc.Unavailable
	switch {
	case errors.As(err, &rejected):
		code, who := api.CodeUnauthenticated, ""
		if rejected.Code == oidc.CodeRole {
			code = api.CodeRole
		}
		if rejected.Subject != "" {
			who = rejected.Provider + " " + bounded(rejected.Subject, 128)
		}
		return s.failedLogin(c, code, who, rejected.Code+": "+rejected.Detail)
	case errors.As(err, &unavailable):
		s.Logger.Warn("identity provider unavailable", "provider", unavailable.Provider, "reason", unavailable.Reason, "request_id", c.requestID)
		return api.NewProblem(api.CodeLoginUnavailable, "the token can't be verified now: the keys of "+unavailable.Provider+" can't be had; try again")
	}
	return err
}
