package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/hashicorp/go-retryablehttp"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// call is one call of the API.
type call struct {
	method string
	// path holds the segments below the endpoint, unescaped.
	path  []string
	query url.Values
	// body is marshalled as JSON; nil sends none.
	body any
	// change marks calls that name the ticket and the run.
	change       bool
	precondition Precondition
	// limit bounds the answer, in bytes; 0: MaxResponseBytes.
	limit int
}

// revealSecrets marshals the text of secrets. Only what goes to the API is
// marshalled with it.
var revealSecrets = json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, s api.Secret) error {
	return enc.WriteToken(jsontext.String(s.Reveal()))
}))

// do makes the call and decodes its answer into out. An answer that is a
// problem comes back as *api.Problem.
func (c *Client) do(ctx context.Context, k call, out any) error {
	data, err := c.roundTrip(ctx, k, api.ContentJSON)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, out); err != nil {
		// The decoder's error may quote the input; an answer is not repeated.
		return &UnexpectedError{Method: k.method, Path: k.urlPath(), Reason: "the answer is not the JSON that this version expects"}
	}
	return nil
}

// roundTrip makes the call and returns the bytes of a successful answer.
func (c *Client) roundTrip(ctx context.Context, k call, accept string) ([]byte, error) {
	req, err := c.request(ctx, k, accept)
	if err != nil {
		return nil, err
	}
	if c.sessions == nil {
		if c.cfg.Token != "" { // else a client certificate speaks
			req = authorized(req, c.cfg.Token)
		}
		data, _, err := c.send(k, req)
		return data, err
	}
	bearer, err := c.sessions.bearer(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.urlPath(), err)
	}
	data, _, err := c.send(k, authorized(req, bearer))
	if !HasCode(err, api.CodeUnauthenticated) {
		return data, err
	}
	// The runtime was restarted, or the session was revoked. The call has not
	// happened, or its idempotency key, which stays the same, tells what it did.
	if bearer, err = c.sessions.replace(ctx, bearer); err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.urlPath(), err)
	}
	data, _, err = c.send(k, authorized(req, bearer))
	return data, err
}

// authorized returns the request with a bearer token. The request itself stays
// as it is, since the transport may not be done with it.
func authorized(req *retryablehttp.Request, bearer api.Secret) *retryablehttp.Request {
	req = req.WithContext(req.Context())
	req.Header = req.Header.Clone()
	req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	return req
}

// send makes the attempts of a call and returns a successful answer.
func (c *Client) send(k call, req *retryablehttp.Request) ([]byte, http.Header, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", k.method, k.urlPath(), err)
	}
	defer resp.Body.Close()
	limit := MaxResponseBytes
	if k.limit > 0 {
		limit = k.limit
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: read answer: %w", k.method, k.urlPath(), err)
	}
	if len(data) > limit {
		return nil, nil, &UnexpectedError{Method: k.method, Path: k.urlPath(), Reason: fmt.Sprintf("the answer is larger than %d bytes", limit)}
	}
	if resp.StatusCode/100 == 2 {
		c.checkpoint.observe(resp.Header)
		return data, resp.Header, nil
	}
	return nil, nil, problemOf(k, resp, data)
}

// request builds a call, but for the bearer.
func (c *Client) request(ctx context.Context, k call, accept string) (*retryablehttp.Request, error) {
	u := *c.base
	escaped := u.EscapedPath() + k.urlPath()
	u.Path, _ = url.PathUnescape(escaped)
	u.RawPath = escaped
	u.RawQuery = k.query.Encode()
	var body []byte
	if k.body != nil {
		var err error
		if body, err = json.Marshal(k.body, revealSecrets, json.Deterministic(true)); err != nil {
			return nil, fmt.Errorf("%s %s: encode body: %w", k.method, k.urlPath(), err)
		}
	}
	var rawBody any
	if body != nil {
		rawBody = bytes.NewReader(body)
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, k.method, u.String(), rawBody)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k.method, k.urlPath(), err)
	}
	h := req.Header
	h.Set("Accept", accept+", "+api.ContentProblem)
	if c.cfg.UserAgent != "" {
		h.Set("User-Agent", c.cfg.UserAgent)
	}
	if body != nil {
		h.Set("Content-Type", api.ContentJSON)
	}
	if k.method != http.MethodGet {
		// The key belongs to the call, not to the attempt: the request is built
		// once and sent again as it is.
		h.Set(api.HeaderIdempotencyKey, uuid.NewString())
	}
	if k.change {
		setNonEmpty(h, api.HeaderTicket, c.cfg.Ticket)
		setNonEmpty(h, api.HeaderRun, c.cfg.Run)
	}
	k.precondition.set(h)
	return req, nil
}

func setNonEmpty(h http.Header, key, value string) {
	if value != "" {
		h.Set(key, value)
	}
}

// urlPath is the call's path, escaped.
func (k call) urlPath() string {
	var b strings.Builder
	for _, segment := range k.path {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(segment))
	}
	return b.String()
}

// problemOf turns a refusal into an error.
func problemOf(k call, resp *http.Response, data []byte) error {
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if mediaType == api.ContentProblem {
		problem := &api.Problem{}
		if err := json.Unmarshal(data, problem); err == nil && problem.Code != "" {
			return problem
		}
	}
	return &UnexpectedError{
		Method: k.method,
		Path:   k.urlPath(),
		Status: resp.StatusCode,
		Reason: "the answer is not from an auditlb management API; look at the endpoint and at what stands before it",
	}
}

// UnexpectedError is an answer outside the contract: something other than the
// management API, or another version of it, answered.
type UnexpectedError struct {
	Method, Path string
	// Status is the answer's HTTP status, or 0 when the status was as expected.
	Status int
	Reason string
}

// Error implements error. It never repeats the answer.
func (e *UnexpectedError) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s %s: %s", e.Method, e.Path, e.Reason)
	}
	return fmt.Sprintf("%s %s: status %d: %s", e.Method, e.Path, e.Status, e.Reason)
}

// IsNotFound reports whether err says that what was asked for does not exist.
func IsNotFound(err error) bool { return HasCode(err, api.CodeNotFound) }

// HasCode reports whether err is a problem of the code. A failed login is none,
// whatever its code: it says nothing of what was asked for.
func HasCode(err error, code api.Code) bool {
	var problem *api.Problem
	return errors.As(err, &problem) && problem.Code == code && !errors.Is(err, ErrLogin)
}
