package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// explore sets everything up and leaves it running until the context ends.
func (d *demo) explore(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.introduce, d.declare, d.serve} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	file, err := d.writeExports()
	if err != nil {
		return err
	}
	d.out.heading("Yours until Ctrl-C; in another terminal")
	d.out.typed("source " + file)
	d.out.typed("terraform apply -var weight_b=5")
	d.out.typed("auditlb history pool/web")
	d.out.typed("auditlb rollback pool/web")
	d.out.note("the console is at %s/console/; sign in with the token above", d.runtime.Endpoint)
	select {
	case <-ctx.Done():
		d.out.note("stopping; everything is removed")
		return nil
	case <-d.runtime.Ended():
		return errors.New("auditlb ended by itself")
	}
}

// writeExports writes a file for a shell that makes the demo's programs, its
// runtime and its configuration the ones at hand.
func (d *demo) writeExports() (string, error) {
	var b strings.Builder
	pairs := append([]string{"TF_CLI_CONFIG_FILE=" + d.workspace.CLIConfig}, d.workspace.Env...)
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		b.WriteString("export " + name + "=" + shellQuote(value) + "\n")
	}
	b.WriteString("export PATH=" + shellQuote(filepath.Dir(d.program)) + ":\"$PATH\"\n")
	b.WriteString("cd " + shellQuote(d.workspace.Dir) + "\n")
	file := filepath.Join(d.dir, "env")
	return file, os.WriteFile(file, []byte(b.String()), 0o600)
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
