// Command docs writes the provider's pages in docs/ from templates/, examples/
// and the provider's own schema. It needs no network:
//
//	go -C tools run ./docs -bin ../bin
//
// tfplugindocs by itself would fetch a terraform; here the one that was found
// reads the schema out of the provider in the bin directory.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/tools/internal/tfcli"
)

const schemaTimeout = 2 * time.Minute

// configuration makes Terraform load the provider.
const configuration = `terraform {
  required_providers {
    auditlb = { source = "auditlb/auditlb" }
  }
}
`

func main() {
	bin := flag.String("bin", "../bin", "where the built provider is")
	root := flag.String("root", "..", "the provider's repository")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := generate(ctx, *root, *bin)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, root, bin string) error {
	terraform, err := tfcli.Find(ctx, bin)
	if err != nil {
		return err
	}
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "auditlb-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	schema := filepath.Join(dir, "schema.json")
	if err := writeSchema(ctx, terraform, dir, bin, schema); err != nil {
		return fmt.Errorf("read the provider's schema: %w", err)
	}
	// The command runs in tools/, whose go.mod names the version of tfplugindocs.
	cmd := exec.CommandContext(ctx, "go", "tool", "tfplugindocs", "generate",
		"--provider-dir", root, "--provider-name", "auditlb", "--providers-schema", schema)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// writeSchema writes what `terraform providers schema -json` says of the
// provider in bin.
func writeSchema(ctx context.Context, terraform, dir, bin, file string) error {
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(configuration), 0o600); err != nil {
		return err
	}
	workspace := tfcli.Workspace{Terraform: terraform, Dir: dir, CLIConfig: filepath.Join(dir, "cli.tfrc")}
	if err := tfcli.WriteOverride(workspace.CLIConfig, bin); err != nil {
		return err
	}
	out, err := workspace.Command(ctx, "providers", "schema", "-json").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return err
	}
	renamed, err := underShortName(out)
	if err != nil {
		return err
	}
	return os.WriteFile(file, renamed, 0o600)
}

// underShortName renames the provider's schema to "auditlb", the one name that
// tfplugindocs looks for whatever registry the program at hand defaults to.
func underShortName(schemas []byte) ([]byte, error) {
	var doc struct {
		FormatVersion string                     `json:"format_version"`
		Schemas       map[string]json.RawMessage `json:"provider_schemas"`
	}
	if err := json.Unmarshal(schemas, &doc); err != nil {
		return nil, err
	}
	for address, schema := range doc.Schemas {
		if strings.HasSuffix(address, "/auditlb/auditlb") {
			doc.Schemas = map[string]json.RawMessage{"auditlb": schema}
			return json.Marshal(doc)
		}
	}
	return nil, errors.New("terraform named no provider auditlb/auditlb")
}
