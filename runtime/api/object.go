package api

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Headers of a call.
const (
	HeaderTicket         = "Auditlb-Change-Ticket"
	HeaderRun            = "Auditlb-Run-Id"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderRequestID      = "X-Request-Id"
	HeaderIfMatch        = "If-Match"
	HeaderIfNoneMatch    = "If-None-Match"
	HeaderETag           = "ETag"
	HeaderLastEventID    = "Last-Event-ID"
	// HeaderCheckpoint is on the answer to a call that may have changed something: a
	// signed checkpoint of the log with that in it, in base64.
	HeaderCheckpoint = "Auditlb-Checkpoint"
)

// Media types.
const (
	ContentJSON    = "application/json"
	ContentProblem = "application/problem+json"
	ContentText    = "text/plain; charset=utf-8"
	ContentTile    = "application/octet-stream"
)

// Object is an object as the API answers it: what was declared, wrapped in
// where it stands in the log.
type Object struct {
	Kind lb.Kind `json:"kind"`
	Name string  `json:"name"`
	// Revision is the seq of the entry that last changed the object. It is
	// also the ETag.
	Revision   int64      `json:"revision"`
	LastChange LastChange `json:"last_change"`
	// Object is the declared object: a pool, listener, route or certificate.
	Object jsontext.Value `json:"object"`
}

// LastChange says who changed an object last, when, why and from where.
type LastChange struct {
	Revision int64     `json:"revision"`
	Op       lb.Op     `json:"op"`
	Actor    string    `json:"actor"`
	Ticket   string    `json:"ticket,omitzero"`
	Run      string    `json:"run,omitzero"`
	At       time.Time `json:"at"`
}

// ObjectList is a page of objects, sorted by name.
type ObjectList struct {
	Items []Object `json:"items"`
	// Next is the cursor of the next page; absent on the last one.
	Next string `json:"next,omitzero"`
}

// CertificateWrite is the body of PUT /v1/certificates/{name}.
type CertificateWrite struct {
	lb.Certificate
	// PrivateKeyPEM is the leaf's private key, PKCS #8, PKCS #1 or SEC 1, in
	// PEM. It is write-only: stored encrypted, never answered and never logged.
	// It may be left out when the stored key still matches the chain.
	PrivateKeyPEM Secret `json:"private_key_pem,omitzero"`
}

// Deleted answers a deletion.
type Deleted struct {
	// Revision is the seq of the entry that recorded the deletion.
	Revision int64 `json:"revision"`
}
