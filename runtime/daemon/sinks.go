package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/server"
	"github.com/auditlb/terraform-provider-auditlb/runtime/sink"
)

// SinksDir is the folder within the data directory that dead letters go to.
const SinksDir = "sinks"

// Sink is where the log is streamed to. What its attributes mean and may be stands with
// [sink.Config]. It has one of the three blocks.
type Sink struct {
	Name     string   `hcl:"name,label"`
	Format   string   `hcl:"format,optional"`
	Envelope string   `hcl:"envelope,optional"`
	Types    []string `hcl:"types,optional"`
	From     string   `hcl:"from,optional"`
	Attempts int      `hcl:"attempts,optional"`
	// DeadLetterFile is where entries go that are refused for good. Default: sinks/NAME.dead.jsonl
	// in the data directory.
	DeadLetterFile string `hcl:"dead_letter_file,optional"`

	File    *SinkFile    `hcl:"file,block"`
	Webhook *SinkWebhook `hcl:"webhook,block"`
	OTLP    *SinkOTLP    `hcl:"otlp,block"`
}

// SinkFile is a file of lines of JSON.
type SinkFile struct {
	Path     string `hcl:"path"`
	MaxBytes int64  `hcl:"max_bytes,optional"`
	Keep     int    `hcl:"keep,optional"`
}

// SinkWebhook is where entries are posted to.
type SinkWebhook struct {
	URL string `hcl:"url"`
	// SecretFile and SecretEnv say where the secret stands that signs: it is no part of
	// the configuration.
	SecretFile string `hcl:"secret_file,optional"`
	SecretEnv  string `hcl:"secret_env,optional"`
	Batch      int    `hcl:"batch,optional"`

	HeaderFiles  map[string]string `hcl:"header_files,optional"`
	CAFile       string            `hcl:"ca_file,optional"`
	Timeout      string            `hcl:"timeout,optional"`
	InsecureHTTP bool              `hcl:"insecure_http,optional"`
}

// SinkOTLP is a collector of OpenTelemetry logs.
type SinkOTLP struct {
	Endpoint string `hcl:"endpoint"`

	HeaderFiles  map[string]string `hcl:"header_files,optional"`
	CAFile       string            `hcl:"ca_file,optional"`
	Timeout      string            `hcl:"timeout,optional"`
	InsecureHTTP bool              `hcl:"insecure_http,optional"`
}

func (s *Sink) config(dataDir string) (sink.Config, error) {
	c := sink.Config{
		Name: s.Name, Format: sink.Format(s.Format), Envelope: s.Envelope, From: s.From, Attempts: s.Attempts, DeadLetterFile: s.DeadLetterFile,
	}
	for _, t := range s.Types {
		c.Types = append(c.Types, audit.Type(t))
	}
	if c.DeadLetterFile == "" {
		c.DeadLetterFile = filepath.Join(dataDir, SinksDir, s.Name+".dead.jsonl")
	}
	var errs []error
	collect := func(err error) { errs = append(errs, err) }
	var err error
	c.DeadLetterFile, err = filepath.Abs(c.DeadLetterFile)
	collect(err)
	if s.File != nil {
		c.File = &sink.FileConfig{MaxBytes: s.File.MaxBytes, Keep: s.File.Keep}
		if s.File.Path != "" {
			c.File.Path, err = filepath.Abs(s.File.Path)
			collect(err)
		}
	}
	if w := s.Webhook; w != nil {
		c.Webhook = &sink.WebhookConfig{URL: w.URL, Batch: w.Batch}
		c.Webhook.Secret, err = sinkSecret(w.SecretFile, w.SecretEnv)
		collect(err)
		c.Webhook.HTTPConfig, err = sinkHTTP("webhook", w.HeaderFiles, w.CAFile, w.Timeout, w.InsecureHTTP)
		collect(err)
	}
	if o := s.OTLP; o != nil {
		c.OTLP = &sink.OTLPConfig{Endpoint: o.Endpoint}
		c.OTLP.HTTPConfig, err = sinkHTTP("otlp", o.HeaderFiles, o.CAFile, o.Timeout, o.InsecureHTTP)
		collect(err)
	}
	return c, errors.Join(errs...)
}

func sinkSecret(file, env string) (sink.Secret, error) {
	switch {
	case file != "" && env != "":
		return nil, errors.New("webhook.secret_file and webhook.secret_env exclude each other")
	case file != "":
		return sink.SecretFile(file), nil
	case env != "":
		text := os.Getenv(env)
		if text == "" {
			return nil, fmt.Errorf("webhook.secret_env: %s is not set", env)
		}
		return sink.SecretText(text), nil
	}
	return nil, nil
}

func sinkHTTP(block string, headers map[string]string, caFile, timeout string, insecure bool) (sink.HTTPConfig, error) {
	c := sink.HTTPConfig{InsecureHTTP: insecure}
	for name, file := range headers {
		if c.Headers == nil {
			c.Headers = map[string]sink.Secret{}
		}
		c.Headers[name] = sink.SecretFile(file)
	}
	var err error
	if c.Timeout, err = duration(block+".timeout", timeout); err != nil {
		return c, err
	}
	if caFile != "" {
		if c.CAPEM, err = os.ReadFile(caFile); err != nil {
			return c, fmt.Errorf("%s.ca_file: %w", block, err)
		}
	}
	return c, nil
}

// sinks makes the runner of the configured sinks.
func (c *Config) sinks(logger *slog.Logger) (*sink.Runner, error) {
	var configs []sink.Config
	var errs []error
	for i := range c.Sinks {
		config, err := c.Sinks[i].config(c.DataDir)
		if err != nil {
			errs = append(errs, fmt.Errorf("configuration: sink %q: %w", c.Sinks[i].Name, err))
			continue
		}
		configs = append(configs, config)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	runner, err := sink.New(configs, sink.Options{Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return runner, nil
}

// source is the log as sinks stream it.
func (d *Daemon) source() sink.Source {
	return sink.Source{Log: d.Store, Positions: d.Store, Origin: d.Controller.Origin(), Record: server.Record}
}
