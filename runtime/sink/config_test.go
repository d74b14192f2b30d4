package sink_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

func TestAConfigurationThatIsWrongIsRefusedByField(t *testing.T) {
	const url = "https://siem.example.com/s3cret"
	hook := func(change func(*sink.WebhookConfig)) func(*sink.Config) {
		return func(c *sink.Config) { change(c.Webhook) }
	}
	file := func(change func(*sink.FileConfig)) func(*sink.Config) {
		return func(c *sink.Config) { c.Webhook, c.File = nil, &sink.FileConfig{Path: "/x"}; change(c.File) }
	}
	otlp := func(change func(*sink.OTLPConfig)) func(*sink.Config) {
		return func(c *sink.Config) { c.Webhook, c.OTLP = nil, &sink.OTLPConfig{Endpoint: url}; change(c.OTLP) }
	}
	for _, tt := range []struct {
		name, field, says string
		change            func(*sink.Config)
	}{
		{"name", "name", "", func(c *sink.Config) { c.Name = "Not A Name" }},
		{"format", "format", "ocsf", func(c *sink.Config) { c.Format = "xml" }},
		{"envelope", "envelope", "cloudevents", func(c *sink.Config) { c.Envelope = "paper" }},
		{"types", "types", "reject", func(c *sink.Config) { c.Types = []audit.Type{"reject", "everything"} }},
		{"from", "from", "beginning", func(c *sink.Config) { c.From = "yesterday" }},
		{"attempts", "attempts", "100", func(c *sink.Config) { c.Attempts = 101 }},
		{"no attempts", "attempts", "1", func(c *sink.Config) { c.Attempts = -1 }},
		{"no target", "file, webhook or otlp", "only one", func(c *sink.Config) { c.Webhook = nil }},
		{"two targets", "file, webhook or otlp", "only one", func(c *sink.Config) { c.OTLP = &sink.OTLPConfig{} }},
		{"dead letters", "dead_letter_file", "absolute", func(c *sink.Config) { c.DeadLetterFile = "x" }},
		{"path", "file.path", "absolute", file(func(f *sink.FileConfig) { f.Path = "x" })},
		{"max_bytes", "file.max_bytes", "-1", file(func(f *sink.FileConfig) { f.MaxBytes = -2 })},
		{"keep", "file.keep", "left out", file(func(f *sink.FileConfig) { f.Keep = -1 })},
		{"no url", "webhook.url", "required", hook(func(w *sink.WebhookConfig) { w.URL = "" })},
		{"a url that is none", "webhook.url", "https://", hook(func(w *sink.WebhookConfig) { w.URL = "s3cret" })},
		{"another scheme", "webhook.url", "https://", hook(func(w *sink.WebhookConfig) { w.URL = "ftp://x/s3cret" })},
		{"in the clear", "webhook.url", "insecure_http", hook(func(w *sink.WebhookConfig) { w.URL = "http://siem.example.com/s3cret" })},
		{"credentials in the url", "webhook.url", "header_files", hook(func(w *sink.WebhookConfig) { w.URL = "https://u:s3cret@x/" })},
		{"a fragment", "webhook.url", "fragment", hook(func(w *sink.WebhookConfig) { w.URL = url + "#x" })},
		{"batch", "webhook.batch", "64", hook(func(w *sink.WebhookConfig) { w.Batch = 65 })},
		{"no secret", "webhook.secret_file", "required", hook(func(w *sink.WebhookConfig) { w.Secret = nil })},
		{"a secret that is none", "webhook.secret_file", "whsec_", hook(func(w *sink.WebhookConfig) { w.Secret = sink.SecretText("s3cret") })},
		{"a secret that is short", "webhook.secret_file", "24 to 64", hook(func(w *sink.WebhookConfig) { w.Secret = sink.SecretText("whsec_c2hvcnQ=") })},
		{"an empty secret", "webhook.secret_file", "1 to 4", hook(func(w *sink.WebhookConfig) { w.Secret = sink.SecretText(" \n") })},
		{"a secret's file", "webhook.secret_file", "/nowhere", hook(func(w *sink.WebhookConfig) { w.Secret = sink.SecretFile("/nowhere") })},
		{"timeout", "webhook.timeout", "1m", hook(func(w *sink.WebhookConfig) { w.Timeout = time.Hour })},
		{"ca_file", "webhook.ca_file", "PEM", hook(func(w *sink.WebhookConfig) { w.CAPEM = []byte("x") })},
		{"a field of ours", "webhook.header_files", "itself", hook(func(w *sink.WebhookConfig) {
			w.Headers = map[string]sink.Secret{"webhook-signature": sink.SecretText("x")}
		})},
		{"a field's name", "webhook.header_files", "no name", hook(func(w *sink.WebhookConfig) { w.Headers = map[string]sink.Secret{"a b": sink.SecretText("x")} })},
		{"a field's value", "webhook.header_files", "not fit", hook(func(w *sink.WebhookConfig) { w.Headers = map[string]sink.Secret{"a": sink.SecretText("s3cret\nb: c")} })},
		{"endpoint", "otlp.endpoint", "insecure_http", otlp(func(o *sink.OTLPConfig) { o.Endpoint = "http://s3cret.example.com" })},
		{"otlp's timeout", "otlp.timeout", "1m", otlp(func(o *sink.OTLPConfig) { o.Timeout = -1 })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := toWebhook(t, "siem", url)
			tt.change(&c)
			_, err := sink.New([]sink.Config{c}, sink.Options{})
			var wrong *sink.ConfigError
			if !errors.As(err, &wrong) || wrong.Field != tt.field || !strings.Contains(wrong.Problem, tt.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestSinksDoNotShareNamesOrFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.jsonl")
	one, same := toFile(path), toFile(path)
	if _, err := sink.New([]sink.Config{one, same}, sink.Options{}); err == nil || !strings.Contains(err.Error(), "name is there twice") {
		t.Error(err)
	}
	same = toFile(path)
	same.Name = "other"
	if _, err := sink.New([]sink.Config{one, same}, sink.Options{}); err == nil || !strings.Contains(err.Error(), "file.path") {
		t.Error(err)
	}
}

func TestHTTPIsForLoopbackOrAskedFor(t *testing.T) {
	for _, url := range []string{"http://localhost:1/x", "http://127.0.0.1:1", "http://[::1]:1", "https://siem.example.com"} {
		if _, err := sink.New([]sink.Config{toWebhook(t, "siem", url)}, sink.Options{}); err != nil {
			t.Error(err)
		}
	}
	c := toWebhook(t, "siem", "http://siem.example.com")
	c.Webhook.InsecureHTTP = true
	if _, err := sink.New([]sink.Config{c}, sink.Options{}); err != nil {
		t.Error(err)
	}
}

func TestSeveralSecretsAreReadFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("\n "+secret+"\r\n"+later+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := sink.SecretFile(file)()
	if err != nil {
		t.Fatal(err)
	}
	if signers, err := sink.ParseSecrets(text); err != nil || len(signers) != 2 {
		t.Errorf("%d %v", len(signers), err)
	}
	if _, err := sink.ParseSecrets(strings.Join(slices.Repeat([]string{secret}, 5), "\n")); err == nil {
		t.Error("five secrets are taken")
	}
}
