package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// call is one request on its way through a handler.
type call struct {
	*http.Request
	op        api.Operation
	requestID string
	actor     identity.Actor
	body      []byte
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
		status := s.write(w, c, a, err)
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
	if !c.op.Open {
		if err := s.authenticate(c); err != nil {
			return nil, err
		}
	}
	if c.op.Request != nil {
		if err := c.readBody(w); err != nil {
			return nil, err
		}
	}
	return handle(s, c)
}

// requestID keeps a sane id of the caller's or makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get(api.HeaderRequestID)
	if id == "" || len(id) > 64 || strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return uuid.NewString()
	}
	return id
}

func (s *server) authenticate(c *call) error {
	scheme, token, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		s.metrics.unauthenticated.Inc()
		return api.NewProblem(api.CodeUnauthenticated, "this call needs a token: send it as Authorization: Bearer …")
	}
	actor, err := s.Controller.Authenticate(token)
	if err != nil {
		s.metrics.unauthenticated.Inc()
		return api.NewProblem(api.CodeUnauthenticated, "the token is not valid: it is unknown, expired or revoked")
	}
	c.actor = actor
	return nil
}

func (c *call) readBody(w http.ResponseWriter) error {
	if media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || media != api.ContentJSON {
		return api.NewProblem(api.CodeMediaType, "send the body as Content-Type: application/json")
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, c.Body, maxRequestBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return api.NewProblem(api.CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", maxRequestBytes))
		}
		return api.NewProblem(api.CodeMalformed, "the body could not be read to its end")
	}
	c.body = b
	return nil
}

// control returns who asks, under what, and how to recognise a retry.
func (c *call) control() (control.Call, error) {
	out := control.Call{
		Actor:  c.actor,
		Ticket: c.Header.Get(api.HeaderTicket),
		Run:    c.Header.Get(api.HeaderRun),
		Key:    c.Header.Get(api.HeaderIdempotencyKey),
		Request: audit.Request{
			ID:        c.requestID,
			Method:    c.Method,
			Path:      bounded(c.URL.Path, 512),
			UserAgent: bounded(c.UserAgent(), 256),
		},
	}
	if out.Key != "" {
		if _, err := uuid.Parse(out.Key); err != nil || len(out.Key) != 36 {
			return out, api.NewProblem(api.CodeIdempotencyKey, "Idempotency-Key must be a UUID, such as "+uuid.NewString())
		}
	}
	out.Ticket, out.Run = bounded(out.Ticket, 64), bounded(out.Run, api.MaxRunIDLength)
	if host, _, err := net.SplitHostPort(c.RemoteAddr); err == nil {
		out.Request.SourceIP = host
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
	return out, nil
}

// bounded makes a header's text safe to record: printable and short.
func bounded(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// require refuses, and records, a call that the actor's role does not permit.
func (s *server) require(c *call, p identity.Permission) error {
	if c.actor.Role.Can(p) {
		return nil
	}
	roles := identity.RolesWith(p)
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return s.refuse(c, audit.Refusal{
		Code:   string(api.CodeRole),
		Detail: fmt.Sprintf("%s has role %s, which may not %s; roles that may: %s", c.actor.Name, c.actor.Role, p, strings.Join(words, ", ")),
	})
}

// refuse records a refusal that was decided here and returns it as a problem.
func (s *server) refuse(c *call, refusal audit.Refusal) error {
	who, err := c.control()
	if err != nil {
		return err
	}
	outcome, err := s.Controller.Refuse(c.Context(), who, c.subject, refusal, nil)
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

// page reads the paging parameters. The cursor is a seq or a name.
func (c *call) page() (limit int, cursor string, err error) {
	limit, cursor = api.DefaultPageSize, c.URL.Query().Get("cursor")
	if text := c.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > api.MaxPageSize {
			return 0, "", badParameter("limit", fmt.Sprintf("must be a number between 1 and %d", api.MaxPageSize))
		}
	}
	return limit, cursor, nil
}

// before reads a cursor that is a seq.
func before(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || seq < 1 {
		return 0, badParameter("cursor", "must be the next of a page")
	}
	return seq, nil
}

func badParameter(name, detail string) error {
	return api.NewProblem(api.CodeMalformed, "query parameter "+name+" "+detail)
}

func (c *call) timeParameter(name string) (time.Time, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, badParameter(name, "must be an RFC 3339 time, such as 2026-01-31T14:05:00Z")
	}
	return t, nil
}
