package witness

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsimple"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// DefaultAddress is where a witness listens.
const DefaultAddress = "127.0.0.1:9444"

// Config is the configuration file of `auditlb witness`, in HCL.
type Config struct {
	// Name names the witness, for good, such as witness.example.com/w1.
	Name string `hcl:"name"`
	// DataDir holds what the witness signed and, unless told otherwise, its key.
	DataDir string `hcl:"data_dir"`
	// KeyFile holds the key. Default: witness.key in the data directory, made on the
	// first start.
	KeyFile string `hcl:"key_file,optional"`
	// Address is host:port. Default: 127.0.0.1:9444.
	Address string `hcl:"address,optional"`
	// TLS is for https. Without it, put something in front that speaks TLS: what is
	// said is signed and no secret, but who is between can keep it from being said.
	TLS *TLSFiles `hcl:"tls,block"`
	// Logs are those that the witness signs for.
	Logs []LogConfig `hcl:"log,block"`
}

// TLSFiles are a certificate and its key, in PEM.
type TLSFiles struct {
	CertFile string `hcl:"cert_file"`
	KeyFile  string `hcl:"key_file"`
}

// LogConfig is a log by one of its public keys, in the form of log.pub. A log whose
// key changes has a block for each.
type LogConfig struct {
	PublicKey     string `hcl:"public_key,optional"`
	PublicKeyFile string `hcl:"public_key_file,optional"`
	// Origin is the first line of the log's checkpoints. Default: the key's name.
	Origin string `hcl:"origin,optional"`
}

// LoadConfig reads a configuration file. Its errors name the file and the setting.
func LoadConfig(path string) (Config, error) {
	var c Config
	if err := hclsimple.DecodeFile(path, nil, &c); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Join(c.DataDir, "witness.key")
	}
	if c.Address == "" {
		c.Address = DefaultAddress
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	return c, nil
}

func (c *Config) check() error {
	var errs []error
	if !validName(c.Name) {
		errs = append(errs, fmt.Errorf("name: %q must be a name without spaces and +, such as witness.example.com/w1", c.Name))
	}
	if c.DataDir == "" {
		errs = append(errs, errors.New("data_dir is required: where the witness remembers what it signed"))
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		errs = append(errs, fmt.Errorf("address: %q must be host:port, such as %s", c.Address, DefaultAddress))
	}
	return errors.Join(errs...)
}

// LoadKey reads the witness's key, or makes it.
func (c *Config) LoadKey() (*Key, error) {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	return LoadKey(c.KeyFile, c.Name)
}

// URL is where the witness is reached by its address, if nothing stands in front.
func (c *Config) URL() string {
	if c.TLS != nil {
		return "https://" + c.Address
	}
	return "http://" + c.Address
}

// Open opens the witness that is configured.
func (c *Config) Open(logger *slog.Logger) (*Server, *Key, error) {
	logs, err := c.logs()
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	key, err := c.LoadKey()
	if err != nil {
		return nil, nil, err
	}
	s, err := NewServer(Options{DataDir: c.DataDir, Key: key, Logs: logs, Logger: logger})
	return s, key, err
}

func (c *Config) logs() ([]KnownLog, error) {
	if len(c.Logs) == 0 {
		return nil, errors.New("no log: add a log block with the public_key of each log to sign for")
	}
	var logs []KnownLog
	known := map[string]bool{}
	for i, block := range c.Logs {
		key, err := block.key()
		if err != nil {
			return nil, fmt.Errorf("log %d: %w", i+1, err)
		}
		origin := block.Origin
		if origin == "" {
			origin = key.Name()
		}
		id := fmt.Sprintf("%s\n%s+%08x", origin, key.Name(), key.KeyHash())
		if known[id] {
			return nil, fmt.Errorf("log %d: the public key is there already", i+1)
		}
		known[id] = true
		logs = append(logs, KnownLog{origin, key})
	}
	return logs, nil
}

func (l *LogConfig) key() (note.Verifier, error) {
	text := l.PublicKey
	switch {
	case text != "" && l.PublicKeyFile != "":
		return nil, errors.New("public_key and public_key_file exclude each other")
	case l.PublicKeyFile != "":
		b, err := readBounded(l.PublicKeyFile)
		if err != nil {
			return nil, fmt.Errorf("public_key_file: %w", err)
		}
		text = strings.TrimSpace(string(b))
	case text == "":
		return nil, errors.New("public_key or public_key_file is required: a log of auditlb has it in log.pub")
	}
	key, err := f_note.NewVerifier(text)
	if err != nil {
		return nil, errors.New("the public key is not valid: it is a line of name+hash+key")
	}
	return key, nil
}

func (t *TLSFiles) config() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}, nil
}
