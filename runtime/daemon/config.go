// Package daemon puts a runtime together from its configuration: the log, the
// gate, the management API and the data plane.
package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2/hclsimple"

	"github.com/auditlb/terraform-provider-auditlb/runtime/authority"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/witness"
)

// Defaults of the configuration.
const (
	DefaultManagementAddress = "127.0.0.1:9443"
	DefaultShutdownTimeout   = 30 * time.Second
	// EnvSecretsKey holds the age identity that private keys are sealed to,
	// in place of a file.
	EnvSecretsKey = "AUDITLB_SECRETS_KEY"
)

// Config is the configuration file of `auditlb serve`, in HCL.
type Config struct {
	// DataDir holds the log and, unless told otherwise, the keys.
	DataDir string `hcl:"data_dir"`
	// ShutdownTimeout is how long requests in flight may take after SIGTERM.
	// Default: 30s.
	ShutdownTimeout string `hcl:"shutdown_timeout,optional"`

	Management *Management `hcl:"management,block"`
	Log        *Log        `hcl:"log,block"`
	Secrets    *Secrets    `hcl:"secrets,block"`

	// OIDC are the identity providers that are trusted.
	OIDC []OIDC `hcl:"oidc,block"`
	// Authorities are where change tickets live that do not live here.
	Authorities []Authority `hcl:"authority,block"`
	// WriteBackAfter is how long nothing may have happened under such a ticket before
	// its authority is told what did, in one comment: at most 2m. Default: 15s.
	WriteBackAfter string `hcl:"write_back_after,optional"`

	// Sinks are where the log is streamed to.
	Sinks []Sink `hcl:"sink,block"`
	// CheckpointCopies are where the log's checkpoints are kept outside.
	CheckpointCopies []CheckpointCopy `hcl:"checkpoint_copy,block"`
	// Retention says how long bodies stay. Default: for good.
	Retention *Retention `hcl:"retention,block"`
}

// Management is where the management API listens.
type Management struct {
	// Address is host:port. Default: 127.0.0.1:9443.
	Address string `hcl:"address,optional"`
	TLS     *TLS   `hcl:"tls,block"`
	// InsecureHTTP permits plain HTTP on an address that is not loopback, for
	// use behind something that speaks TLS and says so, with X-Forwarded-Proto: https;
	// else the console's cookies are not secure ones.
	InsecureHTTP bool `hcl:"insecure_http,optional"`
	// Console serves the web pages at /console/, on the same address. Default: true.
	Console *bool `hcl:"console,optional"`
	// ClientCertificates say for whom client certificates speak. The first that
	// matches counts.
	ClientCertificates []ClientCertificate `hcl:"client_certificate,block"`
}

// TLS is the management API's own certificate.
type TLS struct {
	CertFile string `hcl:"cert_file"`
	KeyFile  string `hcl:"key_file"`
	// ClientCAFile holds the authorities of client certificates, in PEM. Default:
	// none, and no client certificate is asked for.
	ClientCAFile string `hcl:"client_ca_file,optional"`
}

// Log is the audit log.
type Log struct {
	// Origin names the log in its checkpoints, for good. Default: made once.
	Origin string `hcl:"origin,optional"`
	// KeyFile holds the key that signs checkpoints. Default: log.key in the
	// data directory, made on the first start.
	KeyFile string `hcl:"key_file,optional"`
	// MinFreeBytes is the free disk space below which changes are refused.
	// Default: 32 MiB; -1 for none.
	MinFreeBytes int64 `hcl:"min_free_bytes,optional"`
	// WitnessPolicyFile says which witnesses cosign the log's checkpoints, and how many it
	// takes (C2SP tlog-policy). Default: none, and nobody does.
	WitnessPolicyFile string `hcl:"witness_policy_file,optional"`
	// WitnessEvery is how often witnesses are brought a new checkpoint, at most.
	// Default: 10s.
	WitnessEvery string `hcl:"witness_every,optional"`
	// LastCheckpointFile holds the newest checkpoint that this node saw, so that a
	// start on a log that lacks some of it is refused. Best on another disk than the log.
	// Default: log.checkpoint in the data directory.
	LastCheckpointFile string `hcl:"last_checkpoint_file,optional"`
	// PublicEntries lets anybody read the entries' headers under /tlog/, which say
	// who changed what: for tools that can't show a token. Default: false; hashes
	// and checkpoints are public in any case.
	PublicEntries bool `hcl:"public_entries,optional"`
}

// Secrets is how private keys are encrypted at rest.
type Secrets struct {
	// KeyFile holds an age identity. Default: secrets.key in the data
	// directory, made on the first start. AUDITLB_SECRETS_KEY comes first.
	KeyFile string `hcl:"key_file,optional"`
}

// LoadConfig reads a configuration file. Its errors name the file, line and setting.
func LoadConfig(path string) (Config, error) {
	var c Config
	if err := hclsimple.DecodeFile(path, nil, &c); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	c.setDefaults()
	err := c.check()
	return c, err
}

func (c *Config) setDefaults() {
	if c.ShutdownTimeout == "" {
		c.ShutdownTimeout = DefaultShutdownTimeout.String()
	}
	if c.WriteBackAfter == "" {
		c.WriteBackAfter = authority.DefaultQuiet.String()
	}
	if c.Management == nil {
		c.Management = &Management{}
	}
	if c.Management.Address == "" {
		c.Management.Address = DefaultManagementAddress
	}
	if c.Log == nil {
		c.Log = &Log{}
	}
	if c.Log.KeyFile == "" {
		c.Log.KeyFile = filepath.Join(c.DataDir, "log.key")
	}
	if c.Log.WitnessEvery == "" {
		c.Log.WitnessEvery = witness.DefaultEvery.String()
	}
	if c.Secrets == nil {
		c.Secrets = &Secrets{}
	}
	if c.Secrets.KeyFile == "" {
		c.Secrets.KeyFile = filepath.Join(c.DataDir, "secrets.key")
	}
}

func (c *Config) check() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("data_dir is required: where the log is kept"))
	}
	if d, err := time.ParseDuration(c.ShutdownTimeout); err != nil || d < 0 {
		errs = append(errs, fmt.Errorf("shutdown_timeout: %q must be a duration such as 30s", c.ShutdownTimeout))
	}
	if d, err := time.ParseDuration(c.WriteBackAfter); err != nil || d <= 0 || d > authority.DefaultMaxDelay {
		errs = append(errs, fmt.Errorf("write_back_after: %q must be a duration such as 15s, at most %s", c.WriteBackAfter, authority.DefaultMaxDelay))
	}
	if err := c.Log.checkWitnesses(); err != nil {
		errs = append(errs, err)
	}
	if c.Retention != nil {
		if err := c.Retention.check(); err != nil {
			errs = append(errs, err)
		}
	}
	host, _, err := net.SplitHostPort(c.Management.Address)
	if err != nil {
		errs = append(errs, fmt.Errorf("management.address: %q must be host:port, such as %s", c.Management.Address, DefaultManagementAddress))
	} else if c.Management.TLS == nil && !c.Management.InsecureHTTP && !lb.IsLoopback(host) {
		errs = append(errs, fmt.Errorf("management.address: %s is not loopback, and tokens must not cross a network in the clear: add management.tls with cert_file and key_file, or set management.insecure_http = true behind something that speaks TLS", c.Management.Address))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

func (c *Config) shutdownTimeout() time.Duration {
	d, _ := time.ParseDuration(c.ShutdownTimeout) // checked
	return d
}

func (c *Config) writeBackAfter() time.Duration {
	d, _ := time.ParseDuration(c.WriteBackAfter) // checked
	return d
}

// secretsKey returns the age identity's text from the environment, or "".
func secretsKey() string { return os.Getenv(EnvSecretsKey) }
