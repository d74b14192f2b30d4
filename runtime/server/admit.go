package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// admit learns who calls and reads what they sent, within bounds. From here on
// a refused call that would have recorded something is recorded itself.
func (s *server) admit(c *call, w http.ResponseWriter) error {
	if c.op.Open {
		return s.admitStranger(c, w)
	}
	if err := s.authenticate(c); err != nil {
		return err
	}
	if wait := s.failures.exhausted(c.actor.Name, s.Now()); wait > 0 && c.Method != http.MethodGet {
		return tooMany(fmt.Sprintf("%s has left too many refusals in the log", c.actor.Name), wait)
	}
	c.subject = c.about()
	c.secret = c.op.Request != nil && c.op.Kind == lb.KindCertificate
	if err := c.checkHeaders(); err != nil {
		return s.refuseProblem(c, err)
	}
	if c.op.Request == nil {
		return nil
	}
	if err := c.readBody(w, maxRequestBytes); err != nil {
		return s.refuseProblem(c, err)
	}
	return s.refuseSecrets(c)
}

// admitStranger reads the body of a call that anybody may make. What is wrong
// with it is not recorded.
func (s *server) admitStranger(c *call, w http.ResponseWriter) error {
	if c.op.Request == nil {
		return nil
	}
	// The only such call brings a secret.
	c.secret = true
	if err := c.checkHeaders(); err != nil {
		return err
	}
	if err := c.readBody(w, maxStrangerBytes); err != nil {
		return err
	}
	return nil
}

// about is what the call is about as far as its path tells.
func (c *call) about() control.Subject {
	resource, op := "", ""
	switch {
	case c.op.Kind != "":
		resource, op = c.address().String(), string(lb.OpUpdate)
		if c.Method == http.MethodDelete {
			op = string(lb.OpDelete)
		} else if c.Header.Get(api.HeaderIfNoneMatch) != "" {
			op = string(lb.OpCreate)
		}
	case c.op.ID == "plan":
		op = "plan"
	case c.op.ID == "putRun":
		resource, op = "run/"+c.PathValue("id"), "register"
	case c.op.ID == "openTicket":
		resource, op = "ticket", "open"
	case c.op.ID == "amendTicket":
		resource, op = "ticket/"+c.PathValue("id"), "amend"
	case c.op.ID == "actOnTicket":
		resource, op = "ticket/"+c.PathValue("id"), c.PathValue("action")
	case c.op.ID == "explainAccess":
		resource, op = "access", "explain"
	case c.op.ID == "createToken":
		resource, op = "token", "create"
	case c.op.ID == "listTokens":
		resource, op = "token", "list"
	case c.op.ID == "revokeToken":
		resource, op = "token/"+c.PathValue("id"), "revoke"
	case c.op.ID == "seeDrift":
		resource, op = "drift", "see"
	case c.op.ID == "acceptDrift":
		resource, op = "drift", audit.OpAcceptDrift
	case c.op.ID == "rollBack":
		resource, op = "configuration", "rollback"
	case c.op.ID == "putRunAddresses":
		resource, op = "addresses/"+c.PathValue("id"), "attach"
	}
	return control.Subject{Resource: resource, Op: op}
}

// requestID keeps a sane id of the caller's or makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get(api.HeaderRequestID)
	if id == "" || len(id) > 64 || strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 || bounded(id, 64) != id {
		return uuid.NewString()
	}
	return id
}

// singleHeaders mean something only once. Of two, a proxy on the way may have
// looked at the other.
var singleHeaders = []string{
	api.HeaderTicket, api.HeaderRun, api.HeaderIdempotencyKey, api.HeaderIfMatch, api.HeaderIfNoneMatch, "Content-Type",
}

func (c *call) checkHeaders() *api.Problem {
	for _, name := range singleHeaders {
		if len(c.Header.Values(name)) > 1 {
			return api.NewProblem(api.CodeMalformed, "header "+name+" must be sent once")
		}
	}
	key := c.Header.Get(api.HeaderIdempotencyKey)
	if key == "" {
		return nil
	}
	id, err := uuid.Parse(key)
	if err != nil || len(key) != 36 {
		return api.NewProblem(api.CodeIdempotencyKey, "Idempotency-Key must be a UUID, such as "+uuid.NewString())
	}
	c.key = id.String()
	return nil
}

func (c *call) readBody(w http.ResponseWriter, limit int64) *api.Problem {
	if media, _, err := mime.ParseMediaType(c.Header.Get("Content-Type")); err != nil || media != api.ContentJSON {
		return api.NewProblem(api.CodeMediaType, "send the body as Content-Type: application/json")
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, c.Body, limit))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return api.NewProblem(api.CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", limit))
		}
		return api.NewProblem(api.CodeMalformed, "the body could not be read to its end")
	}
	c.body = b
	return nil
}

// refuseProblem refuses a call by a problem that was found here. Calls that only
// read leave no entry.
func (s *server) refuseProblem(c *call, p *api.Problem) error {
	if c.Method == http.MethodGet || c.Method == http.MethodHead {
		return p
	}
	return s.refuse(c, audit.Refusal{Code: string(p.Code), Detail: p.Detail})
}

// refuseSecrets stops a secret in the wrong place at the door: what is accepted
// is logged for good.
func (s *server) refuseSecrets(c *call) error {
	// Escapes must not hide what is looked for: what is kept is without them.
	plain := jsontext.Value(bytes.Clone(c.body))
	body := string(c.body)
	if plain.Canonicalize() == nil {
		body += "\n" + string(plain)
	}
	what := ""
	switch {
	case identity.HoldsToken(body):
		what = "a token"
	case !c.secret && lb.HoldsPrivateKey(body):
		what = "a private key"
	default:
		return nil
	}
	c.secret = true
	detail := "the body holds " + what + " where none belongs; it was not kept, but treat it as leaked"
	return s.refuse(c, audit.Refusal{Code: string(api.CodeInvalid), Detail: detail, Violations: []lb.Violation{{Detail: "holds " + what}}})
}

// bounded makes text of a header or path safe to record.
func bounded(s string, limit int) string { return control.Recordable(s, limit) }
