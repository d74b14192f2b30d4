package sink

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
)

// Format is how an entry is rendered.
type Format string

// The formats.
const (
	// JSON is the entry as the management API answers it, with body and patch.
	JSON Format = "json"
	// OCSF is an event of the Open Cybersecurity Schema Framework.
	OCSF Format = "ocsf"
)

// Formats lists the formats.
var Formats = []Format{JSON, OCSF}

// CloudEvents is the envelope of CloudEvents 1.0 in structured mode.
const CloudEvents = "cloudevents"

// Where a new sink begins.
const (
	FromBeginning = "beginning"
	FromNow       = "now"
)

// Defaults and bounds of a sink.
const (
	DefaultTimeout  = 15 * time.Second
	MaxTimeout      = time.Minute
	DefaultAttempts = 5
	MaxAttempts     = 100
	// DefaultMaxFileBytes is the size from which a file turns over.
	DefaultMaxFileBytes = 100 << 20
	// MaxBatch bounds the entries of one request.
	MaxBatch = 64

	maxHeaders = 20
)

// Config describes a sink. The names in HCL, which errors use, are the fields' in lower
// case with underscores. Exactly one of File, Webhook and OTLP is set.
type Config struct {
	// Name tells sinks apart and is what a position is kept under: a sink with another
	// name is a new one. Required, in the form of an object's name.
	Name string
	// Format is the format. Default: json.
	Format Format
	// Envelope is cloudevents, or empty for none.
	Envelope string
	// Types are the types of entry that are wanted. Default: all.
	Types []audit.Type
	// From is where a sink begins that has no position yet: beginning or now. Default:
	// beginning.
	From string
	// Attempts is how often an entry is sent that is refused for good, before it goes
	// to the dead letters: 1 to 100. Default: 5. A collector of OTLP is not asked again.
	Attempts int
	// DeadLetterFile is where those go. Required, but for files.
	DeadLetterFile string

	File    *FileConfig
	Webhook *WebhookConfig
	OTLP    *OTLPConfig
}

// FileConfig is a file of lines of JSON.
type FileConfig struct {
	// Path is the file. Required, absolute, in a folder that exists.
	Path string
	// MaxBytes is the size from which the file turns over. Default: 100 MiB; -1: never.
	MaxBytes int64
	// Keep is how many files of the past are kept. Default: all.
	Keep int
}

// WebhookConfig is where entries are posted to.
type WebhookConfig struct {
	// URL is where to. Required; https, but for loopback.
	URL string
	// Secret signs, see [ParseSecrets]. Required.
	Secret Secret
	// Batch is how many entries a request may have: 1 to 64. Default: 1. From 2 on the
	// body is a JSON array, also of one entry.
	Batch int
	HTTPConfig
}

// OTLPConfig is a collector that takes OTLP logs over HTTP.
type OTLPConfig struct {
	// Endpoint is the base URL: /v1/logs is added. Required; https, but for loopback.
	Endpoint string
	HTTPConfig
}

// HTTPConfig is how a receiver is reached.
type HTTPConfig struct {
	// Headers are fields that requests carry, read anew for each.
	Headers map[string]Secret
	// CAPEM holds the authorities of the receiver's certificate. Default: the system's.
	CAPEM []byte
	// Timeout bounds a request with its answer. Default: 15s.
	Timeout time.Duration
	// InsecureHTTP admits http:// to other machines. What is streamed then crosses the
	// network in clear text.
	InsecureHTTP bool
}
