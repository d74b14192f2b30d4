package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// call is one request on its way through a handler.
type call struct {
	*http.Request
	op        api.Operation
	requestID string
	actor     identity.Actor
	// key is the idempotency key, a UUID or "".
	key  string
	body []byte
	// subject is what the call is about, for the record of a refusal.
	subject control.Subject
	// secret marks a call whose body carries one, and is not digested.
	secret bool
}

// operation wraps an operation's handler in what every call needs: an id, a
// deadline, authentication, a bounded body, metrics and a log line.
func (s *server) operation(op api.Operation) http.Handler {
	handle := handlers[op.ID]
	if op.Kind != "" {
		handle = objectHandler(op)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.Now()
		ctx, cancel := context.WithTimeout(r.Context(), decisionTimeout)
		defer cancel()
		c := &call{Request: r.WithContext(ctx), op: op, requestID: requestID(r)}
		a, err := s.handle(c, w, handle)
		if p := (*api.Problem)(nil); errors.As(err, &p) && p.Seq > 0 {
			s.failures.leave(c.actor.Name, s.Now())
		}
		status := s.write(w, c, a, err)
		if err == nil && a.stream != nil {
			a.stream(r.Context(), w)
		}
		took := s.Now().Sub(began)
		s.metrics.observe(op.ID, status, took)
		s.Logger.Debug("call", "operation", op.ID, "status", status, "actor", c.actor.Name, "request_id", c.requestID, "took", took)
	})
}

func (s *server) handle(c *call, w http.ResponseWriter, handle handler) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("handler of %s failed: %v", c.op.ID, p)
		}
	}()
	if err := s.admit(c, w); err != nil {
		return nil, err
	}
	return handle(s, c)
}

// control returns who asks, under what, and how to recognise a retry.
func (c *call) control() control.Call {
	out := control.Call{
		Actor:  c.actor,
		Ticket: bounded(c.Header.Get(api.HeaderTicket), ticket.MaxIDLength),
		Run:    bounded(c.Header.Get(api.HeaderRun), api.MaxRunIDLength),
		Key:    c.key,
		Request: audit.Request{
			ID:        c.requestID,
			Method:    c.Method,
			Path:      bounded(c.URL.Path, 512),
			UserAgent: bounded(c.UserAgent(), 256),
		},
	}
	out.Request.SourceIP = c.sourceIP()
	if v := c.actor.Verified; v != nil && out.Run == "" {
		// What a credential proves need not be said.
		out.Run = v.Run.ID
	}
	sum := sha256.Sum256(c.body)
	if !c.secret && len(c.body) > 0 {
		out.Request.BodyDigest = hex.EncodeToString(sum[:])
	}
	whole := sha256.New()
	for _, part := range []string{c.Method, c.URL.Path, c.Header.Get(api.HeaderIfMatch), c.Header.Get(api.HeaderIfNoneMatch), out.Ticket, out.Run} {
		fmt.Fprintf(whole, "%d %s\n", len(part), part)
	}
	whole.Write(sum[:])
	out.Digest = hex.EncodeToString(whole.Sum(nil))
	return out
}

// require refuses, and records, a call that the actor's role does not permit.
func (s *server) require(c *call, p identity.Permission) error {
	if c.actor.Role.Can(p) {
		return nil
	}
	return s.refuse(c, audit.Refusal{Code: string(api.CodeRole), Detail: lacking(&c.actor, p)})
}

// refuse records a refusal that was decided here and returns it as a problem.
func (s *server) refuse(c *call, refusal audit.Refusal) error {
	who := c.control()
	outcome, err := s.Controller.Refuse(c.Context(), who, c.subject, refusal, nil)
	if err == nil && outcome.Refusal() == nil {
		// The key was answered when the call was still permitted.
		who.Key = ""
		outcome, err = s.Controller.Refuse(c.Context(), who, c.subject, refusal, nil)
	}
	if err != nil {
		return err
	}
	return problemOf(&outcome)
}

// decode reads the body strictly. What is wrong with it is refused and recorded.
func (s *server) decode(c *call, v any) error {
	return s.asRefusal(c, lb.DecodeStrict(c.body, v))
}

// asRefusal refuses a call because of violations in its body.
func (s *server) asRefusal(c *call, err error) error {
	if err == nil {
		return nil
	}
	var violations lb.Violations
	if !errors.As(err, &violations) {
		return err
	}
	return s.refuse(c, audit.Refusal{Code: string(api.CodeInvalid), Detail: "the body is not valid: " + violations.Error(), Violations: violations})
}
