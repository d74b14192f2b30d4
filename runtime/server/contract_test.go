package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	stderrors "errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/errors"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// contract is a transport that fails the test when a call departs from the
// OpenAPI document that the server itself hands out: an answer that the document
// does not describe, or an accepted request that it forbids.
type contract struct {
	t         testing.TB
	transport *http.Transport
	mux       *http.ServeMux // finds the operation of a request
	// underLoad leaves the comparison out: it takes longer than the calls.
	underLoad bool

	document *document

	mu sync.Mutex // guards what follows
	// operations and codes are what was seen so far.
	operations map[string]int
	codes      map[api.Code]int
	// sources are the transports of calls from other addresses, see [from].
	sources map[string]*http.Transport
}

// newContract speaks with an endpoint that an authority in PEM vouches for; "" for
// plain HTTP.
func newContract(t *testing.T, endpoint, caPEM string) *contract {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	if caPEM != "" {
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(caPEM))
	}
	resp, err := (&http.Client{Transport: transport}).Get(endpoint + "/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	doc, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("openapi.json: %d, %v", resp.StatusCode, err)
	}
	read, err := readDocument(string(doc))
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	c := &contract{t: t, sources: map[string]*http.Transport{}, transport: transport, mux: http.NewServeMux(), document: read, operations: map[string]int{}, codes: map[api.Code]int{}}
	for _, op := range api.Operations {
		c.mux.Handle(op.Method+" "+op.Path, operation(op.ID))
	}
	return c
}

// document is an OpenAPI document that was read.
type document struct {
	mu        sync.Mutex // the validator takes one call at a time
	validator validator.Validator
}

// documents are those that were read. To read one takes longer than most tests, and
// all servers hand out the same.
var documents struct {
	sync.Mutex // guards read
	read       map[string]*document
}

func readDocument(text string) (*document, error) {
	documents.Lock()
	defer documents.Unlock()
	if d := documents.read[text]; d != nil {
		return d, nil
	}
	parsed, err := libopenapi.NewDocument([]byte(text))
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(parsed)
	if len(errs) > 0 {
		return nil, stderrors.Join(errs...)
	}
	if documents.read == nil {
		documents.read = map[string]*document{}
	}
	d := &document{validator: v}
	documents.read[text] = d
	return d, nil
}

// operation is a handler only so that a mux can find it.
type operation string

func (operation) ServeHTTP(http.ResponseWriter, *http.Request) {}

// RoundTrip implements http.RoundTripper.
func (c *contract) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := c.through(req).RoundTrip(req)
	if err != nil || c.underLoad {
		return resp, err
	}
	received, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	rewind := func() {
		req.Body, resp.Body = io.NopCloser(bytes.NewReader(sent)), io.NopCloser(bytes.NewReader(received))
	}
	defer rewind()

	c.mu.Lock()
	defer c.mu.Unlock()
	if problem := resp.Header.Get("Content-Type") == api.ContentProblem; problem {
		c.note(received)
	}
	handler, _ := c.mux.Handler(req)
	op, known := handler.(operation)
	if !known || strings.HasSuffix(req.URL.Path, "/") || strings.Contains(req.URL.Path, "//") {
		return resp, nil // the document has no such path
	}
	c.operations[string(op)]++
	rewind()
	req = oneSegment(string(op), req)
	c.document.mu.Lock()
	defer c.document.mu.Unlock()
	if ok, errs := c.document.validator.ValidateHttpResponse(req, resp); !ok {
		c.t.Errorf("the answer to %s %s (%d) is not what the document says: %s\n%s", req.Method, req.URL, resp.StatusCode, describe(errs), received)
	}
	rewind()
	if resp.StatusCode/100 == 2 {
		if ok, errs := c.document.validator.ValidateHttpRequestSync(req); !ok {
			c.t.Errorf("%s %s was accepted and the document forbids it: %s\n%s", req.Method, req.URL, describe(errs), sent)
		}
	}
	return resp, nil
}

// oneSegment is a request for a tile with its index in one segment: OpenAPI has
// no parameters that go over several.
func oneSegment(op string, req *http.Request) *http.Request {
	prefix := map[string]string{"tile": "/tlog/tile/0/", "entryBundle": "/tlog/tile/entries/"}[op]
	if prefix == "" {
		return req
	}
	req = req.Clone(req.Context())
	req.URL.Path, req.URL.RawPath = prefix+"000", ""
	return req
}

type sourceKey struct{}

// from makes a call from another address of loopback, such as 127.0.0.7.
func from(source string) option {
	return func(_ *rig, req *http.Request) {
		*req = *req.WithContext(context.WithValue(req.Context(), sourceKey{}, source))
	}
}

// through is the transport that a request goes through.
func (c *contract) through(req *http.Request) *http.Transport {
	source, ok := req.Context().Value(sourceKey{}).(string)
	if !ok {
		return c.transport
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	transport := c.sources[source]
	if transport == nil {
		transport = c.transport.Clone()
		transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}).DialContext
		c.t.Cleanup(transport.CloseIdleConnections)
		c.sources[source] = transport
	}
	return transport
}

func (c *contract) note(problem []byte) {
	for code := range api.Statuses {
		if bytes.Contains(problem, []byte(`"code":"`+string(code)+`"`)) {
			c.codes[code]++
		}
	}
}

func describe(errs []*errors.ValidationError) string {
	var b strings.Builder
	for _, e := range errs {
		fmt.Fprintf(&b, "\n  %s: %s", e.Message, e.Reason)
		for _, s := range e.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n    %s at %s", s.Reason, s.FieldPath)
		}
	}
	return b.String()
}
