package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
)

const (
	defaultEndpoint = "http://127.0.0.1:9443"
	outputTable     = "table"
	outputJSON      = "json"
)

// cli holds the flags that all commands share.
type cli struct {
	endpoint, tokenFile, caFile, output string
	clientCertFile, clientKeyFile       string
	insecureHTTP                        bool
	// ownTicket is set by a command to which the environment's ticket means nothing.
	ownTicket bool
}

// client returns a client of the management API.
func (c *cli) client() (*client.Client, error) { return c.clientUnder("") }

// clientUnder returns a client that names a ticket, without one that of the
// environment.
func (c *cli) clientUnder(ticketID string) (*client.Client, error) { return c.clientIn("", ticketID) }

// clientIn is clientUnder for the calls of a run.
func (c *cli) clientIn(run, ticketID string) (*client.Client, error) {
	if c.output != outputTable && c.output != outputJSON {
		return nil, usageError{fmt.Errorf("--output %q must be %s or %s", c.output, outputTable, outputJSON)}
	}
	token := os.Getenv("AUDITLB_TOKEN")
	if c.tokenFile != "" {
		b, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("token file: %w", err)
		}
		token = strings.TrimSpace(string(b))
	}
	cfg := client.Config{
		Endpoint:     first(c.endpoint, os.Getenv("AUDITLB_ENDPOINT"), defaultEndpoint),
		Token:        api.Secret(token),
		Ticket:       c.changeTicket(ticketID),
		Run:          run,
		InsecureHTTP: c.insecureHTTP,
		UserAgent:    "auditlb/" + version,
	}
	if err := c.readClientCertificate(&cfg); err != nil {
		return nil, err
	}
	if token == "" {
		if cfg.Login = login(cfg); cfg.Login == nil && cfg.ClientCertPEM == "" {
			return nil, usageError{errors.New("no token: set AUDITLB_TOKEN or give --token-file, or show a client certificate with --client-cert-file and --client-key-file")}
		}
	}
	if file := first(c.caFile, os.Getenv("AUDITLB_CA_CERT_FILE")); file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("CA certificate: %w", err)
		}
		cfg.CACertPEM = string(b)
	}
	return client.New(cfg)
}

// changeTicket is the ticket that calls name: the one that is given, else that of the
// environment.
func (c *cli) changeTicket(given string) string {
	if given != "" || c.ownTicket {
		return given
	}
	return os.Getenv("AUDITLB_CHANGE_TICKET")
}

// readClientCertificate reads the pair that is to be shown, if one is.
func (c *cli) readClientCertificate(cfg *client.Config) error {
	certFile := first(c.clientCertFile, os.Getenv("AUDITLB_CLIENT_CERT_FILE"))
	keyFile := first(c.clientKeyFile, os.Getenv("AUDITLB_CLIENT_KEY_FILE"))
	if certFile == "" && keyFile == "" {
		return nil
	}
	if certFile == "" || keyFile == "" {
		return usageError{errors.New("a client certificate takes both --client-cert-file and --client-key-file")}
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("key of the client certificate: %w", err)
	}
	cfg.ClientCertPEM, cfg.ClientKeyPEM = string(cert), api.Secret(key)
	return nil
}

// login is where an ID token comes from; nil for nowhere. A client certificate,
// which is given on purpose, goes before what a CI offers of its own accord, but
// not before a token that was handed over for auditlb.
func login(cfg client.Config) client.TokenSource {
	source, _, ok := client.HandedOver(os.Getenv)
	if !ok && cfg.ClientCertPEM == "" {
		audience := first(os.Getenv("AUDITLB_OIDC_AUDIENCE"), client.Audience(cfg.Endpoint))
		source, _, _ = client.Detect(os.Getenv, audience)
	}
	return source
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
