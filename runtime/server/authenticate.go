package server

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// authenticate learns who calls: by a bearer token or, without one, by a client
// certificate.
func (s *server) authenticate(c *call) error {
	values := c.Header.Values("Authorization")
	if len(values) == 0 {
		return s.authenticateCertificate(c)
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) != 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return s.unauthenticated(c, "", "this call needs one token: send it as Authorization: Bearer …")
	}
	actor, err := s.Controller.Authenticate(token)
	if err == nil {
		c.actor = actor
		return nil
	}
	if strings.Count(token, ".") == 2 {
		return s.unauthenticated(c, "", "this looks like an identity provider's token: exchange it for a session at POST /v1/sessions, and send that")
	}
	id, _, _ := identity.Split(token)
	if id != "" {
		id = "token/" + id
	}
	return s.unauthenticated(c, id, "the token is not valid: it is unknown, expired or revoked")
}

// authenticateCertificate takes the client certificate, which the TLS handshake
// has verified, for the caller.
func (s *server) authenticateCertificate(c *call) error {
	if c.TLS == nil || len(c.TLS.VerifiedChains) == 0 {
		return s.unauthenticated(c, "", "this call needs a token: send it as Authorization: Bearer …")
	}
	leaf := c.TLS.VerifiedChains[0][0]
	if s.Now().After(leaf.NotAfter) {
		// The handshake may have been long ago.
		return s.unauthenticated(c, "certificate "+bounded(leaf.Subject.String(), 128), "the client certificate has expired")
	}
	actor, err := s.Certificates.Actor(leaf)
	if err != nil {
		return s.unauthenticated(c, "certificate "+bounded(leaf.Subject.String(), 128), fmt.Sprintf("%v: %s", err, bounded(leaf.Subject.String(), 128)))
	}
	c.actor = actor
	return nil
}

// stranger is the actor in entries of calls that nobody could be found for.
var stranger = identity.Actor{Name: "unauthenticated"}

// unauthenticated refuses a call of somebody who is not who they say. Failures
// are counted, slowed down, and recorded within a bound. Who is whom they tried to
// be, or "".
func (s *server) unauthenticated(c *call, who, detail string) error {
	return s.failedLogin(c, api.CodeUnauthenticated, who, detail)
}

func (s *server) failedLogin(c *call, code api.Code, who, detail string) error {
	s.metrics.unauthenticated.Inc()
	now, from := s.Now(), lb.SourceOf(c.sourceIP())
	wait := max(s.failures.blocked(from, now), s.failures.blocked(who, now))
	s.failures.fail(now, from, who)
	if unrecorded, ok := s.failures.record(from, now); ok {
		s.recordFailure(c, code, who, detail, unrecorded)
	}
	if wait > 0 {
		return tooManyFailures(wait)
	}
	return api.NewProblem(code, detail)
}

func (s *server) recordFailure(c *call, code api.Code, who, detail string, unrecorded int) {
	if who != "" {
		detail = who + ": " + detail
	}
	if unrecorded > 0 {
		detail += fmt.Sprintf(" (%d failures before this one were not recorded)", unrecorded)
	}
	call := c.control()
	// What a stranger names is nobody's ticket and nobody's run.
	call.Actor, call.Key, call.Ticket, call.Run = stranger, "", "", ""
	subject := control.Subject{Resource: "identity", Op: "authenticate"}
	if _, err := s.Controller.Refuse(c.Context(), call, subject, audit.Refusal{Code: string(code), Detail: detail}, nil); err != nil {
		s.Logger.Warn("failed authentication not recorded", "request_id", c.requestID, "error", err)
	}
}

// retryAfter is a problem that says when to come back.
type retryAfter struct {
	problem *api.Problem
	wait    time.Duration
}

// Error implements error.
func (r *retryAfter) Error() string { return r.problem.Error() }

// Unwrap returns the problem.
func (r *retryAfter) Unwrap() error { return r.problem }

func tooManyFailures(wait time.Duration) error {
	return tooMany("too many failed authentications from here", wait)
}

func tooMany(why string, wait time.Duration) error {
	return &retryAfter{api.NewProblem(api.CodeTooManyFailures, fmt.Sprintf("%s; try again in %d seconds", why, int(wait.Seconds()))), wait}
}

// retryIn is how long the caller of a failed call should wait, or 0.
func retryIn(err error) time.Duration {
	var r *retryAfter
	if errors.As(err, &r) {
		return r.wait
	}
	return 0
}

// sourceIP is where a call comes from.
func (c *call) sourceIP() string {
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// whoami says who the caller is.
func (s *server) whoami(c *call) (*answer, error) { return ok(identityOf(c.actor)) }

func identityOf(a identity.Actor) api.Identity {
	out := api.Identity{Actor: api.Actor{Name: a.Name, Credential: a.Credential, Role: string(a.Role)}, Scopes: a.Scopes, Permissions: []string{}}
	for _, p := range a.Role.Permissions() {
		out.Permissions = append(out.Permissions, string(p))
	}
	if v := a.Verified; v != nil {
		out.Provider, out.Issuer, out.Subject = v.Provider, v.Issuer, v.Subject
		if v.Run.ID != "" {
			out.Run = &api.RunRef{ID: v.Run.ID, Verified: true, Proved: v.Run.Facts()}
		}
	}
	return out
}
