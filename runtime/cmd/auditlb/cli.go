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
	insecureHTTP                        bool
}

// client returns a client of the management API.
func (c *cli) client() (*client.Client, error) {
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
	if token == "" {
		return nil, usageError{errors.New("no token: set AUDITLB_TOKEN or give --token-file")}
	}
	cfg := client.Config{
		Endpoint:     first(c.endpoint, os.Getenv("AUDITLB_ENDPOINT"), defaultEndpoint),
		Token:        api.Secret(token),
		InsecureHTTP: c.insecureHTTP,
		UserAgent:    "auditlb/" + version,
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

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
