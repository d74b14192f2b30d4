package sink

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// ConfigError says which setting of a sink is wrong, and why.
type ConfigError struct {
	Sink string
	// Field is the setting's name in HCL, such as webhook.url.
	Field   string
	Problem string
}

// Error implements error.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("sink %q: %s %s", e.Sink, e.Field, e.Problem)
}

// check sets defaults and returns what is wrong first.
func (c *Config) check() error {
	wrong := func(field, problem string, args ...any) error {
		return &ConfigError{c.Name, field, fmt.Sprintf(problem, args...)}
	}
	setDefault(&c.Format, JSON)
	setDefault(&c.From, FromBeginning)
	setDefault(&c.Attempts, DefaultAttempts)
	if problem := lb.CheckName(c.Name); problem != "" {
		return wrong("name", "%s", problem)
	}
	if !slices.Contains(Formats, c.Format) {
		return wrong("format", "%q must be one of %v", c.Format, Formats)
	}
	if c.Envelope != "" && c.Envelope != CloudEvents {
		return wrong("envelope", "%q must be %s, or left out", c.Envelope, CloudEvents)
	}
	for _, t := range c.Types {
		if !slices.Contains(audit.Types, t) {
			return wrong("types", "%q must be among %v", t, audit.Types)
		}
	}
	if c.From != FromBeginning && c.From != FromNow {
		return wrong("from", "%q must be %s or %s", c.From, FromBeginning, FromNow)
	}
	if c.Attempts < 1 || c.Attempts > MaxAttempts {
		return wrong("attempts", "%d must be between 1 and %d", c.Attempts, MaxAttempts)
	}
	n := 0
	for _, set := range []bool{c.File != nil, c.Webhook != nil, c.OTLP != nil} {
		if set {
			n++
		}
	}
	if n != 1 {
		return wrong("file, webhook or otlp", "must be there, and only one of them")
	}
	if c.File == nil && !filepath.IsAbs(c.DeadLetterFile) {
		return wrong("dead_letter_file", "%q must be an absolute path", c.DeadLetterFile)
	}
	switch {
	case c.File != nil:
		return c.File.check(wrong)
	case c.Webhook != nil:
		return c.Webhook.check(wrong)
	}
	return c.OTLP.check(wrong)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

type wrongFunc func(field, problem string, args ...any) error

func (f *FileConfig) check(wrong wrongFunc) error {
	setDefault(&f.MaxBytes, DefaultMaxFileBytes)
	switch {
	case !filepath.IsAbs(f.Path):
		return wrong("file.path", "%q must be an absolute path", f.Path)
	case f.MaxBytes < -1:
		return wrong("file.max_bytes", "%d must be a size in bytes, or -1 for a file that never turns over", f.MaxBytes)
	case f.Keep < 0:
		return wrong("file.keep", "%d must be a number of files, or left out to keep all", f.Keep)
	}
	return nil
}

func (w *WebhookConfig) check(wrong wrongFunc) error {
	setDefault(&w.Batch, 1)
	if problem := checkURL(w.URL, w.InsecureHTTP); problem != "" {
		return wrong("webhook.url", "%s", problem)
	}
	if w.Batch < 1 || w.Batch > MaxBatch {
		return wrong("webhook.batch", "%d must be between 1 and %d", w.Batch, MaxBatch)
	}
	if w.Secret == nil {
		return wrong("webhook.secret_file", "is required, or secret_env: receivers know by the signature who has sent it")
	}
	text, err := w.Secret()
	if err != nil {
		return wrong("webhook.secret_file", "can't be read: %v", err)
	}
	if _, err := ParseSecrets(text); err != nil {
		return wrong("webhook.secret_file", "%v", err)
	}
	return w.HTTPConfig.check(wrong, "webhook")
}

func (o *OTLPConfig) check(wrong wrongFunc) error {
	if problem := checkURL(o.Endpoint, o.InsecureHTTP); problem != "" {
		return wrong("otlp.endpoint", "%s", problem)
	}
	return o.HTTPConfig.check(wrong, "otlp")
}

func (h *HTTPConfig) check(wrong wrongFunc, block string) error {
	setDefault(&h.Timeout, DefaultTimeout)
	if h.Timeout < 0 || h.Timeout > MaxTimeout {
		return wrong(block+".timeout", "%s must be at most %s", h.Timeout, MaxTimeout)
	}
	if len(h.CAPEM) > 0 && !x509.NewCertPool().AppendCertsFromPEM(h.CAPEM) {
		return wrong(block+".ca_file", "holds no certificate in PEM")
	}
	if len(h.Headers) > maxHeaders {
		return wrong(block+".header_files", "has %d fields; at most %d are sent", len(h.Headers), maxHeaders)
	}
	for name, value := range h.Headers {
		field := block + ".header_files"
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return wrong(field, "%q is no name of a field", name)
		case slices.Contains(ourHeaders, canonical) || strings.HasPrefix(canonical, "Webhook-"):
			return wrong(field, "%s is set by auditlb itself", name)
		}
		if _, err := value.header(); err != nil {
			return wrong(field, "%s: %v", name, err)
		}
	}
	return nil
}

// ourHeaders can't be set by a configuration.
var ourHeaders = []string{"Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "User-Agent"}

// checkURL returns what is wrong with a receiver's URL, without repeating it: there may
// be a secret in it.
func checkURL(text string, insecure bool) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "is required"
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return "must be a URL such as https://siem.example.com/auditlb"
	case u.User != nil:
		return "must not have credentials in it: put them into a file and name that in header_files"
	case u.Fragment != "":
		return "must not have a fragment"
	case u.Scheme == "http" && !insecure && !lb.IsLoopback(u.Hostname()):
		return "must be https, as it is not on loopback; or set insecure_http = true and have the log cross the network in clear text"
	}
	return ""
}
