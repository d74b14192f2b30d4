package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

func newVerify(c *cli) *cobra.Command {
	var config, dataDir, keyFile string
	cmd := &cobra.Command{
		Use:   "verify (--config FILE | --data-dir DIR)",
		Short: "Recompute a log and compare it with its signed checkpoint",
		Long: `Read a whole log, running or stopped, and check it against its own signed
checkpoint: every entry's header, hash, order and index, every body, every
stored hash of the Merkle tree, and that the current state is the fold of the
entries. The first bad entry is named. Exit code 4 means something is wrong.

What this proves: nobody changed the log without the signing key. Whoever has
that key can sign another history; only a checkpoint kept elsewhere shows that.
Give the public key from a place you trust with --public-key: by default it
is read from the data directory itself.`,
		Example: `  auditlb verify --config /etc/auditlb/auditlb.hcl
  auditlb verify --data-dir /var/lib/auditlb --public-key log.pub`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.output != outputTable && c.output != outputJSON {
				return usageError{fmt.Errorf("--output %q must be %s or %s", c.output, outputTable, outputJSON)}
			}
			if config != "" {
				cfg, err := daemon.LoadConfig(config)
				if err != nil {
					return err
				}
				dataDir = cfg.DataDir
			}
			if dataDir == "" {
				return usageError{errors.New("say which log: --config FILE or --data-dir DIR")}
			}
			own := keyFile == ""
			if own {
				keyFile = filepath.Join(dataDir, daemon.PublicKeyName)
			}
			return c.verify(cmd, dataDir, keyFile, own)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration of the runtime whose log is verified")
	cmd.Flags().StringVar(&dataDir, "data-dir", "", "data directory of the log")
	cmd.Flags().StringVar(&keyFile, "public-key", "", "file with the log's public key (default: log.pub in the data directory)")
	cmd.MarkFlagsMutuallyExclusive("config", "data-dir")
	return cmd
}

func (c *cli) verify(cmd *cobra.Command, dataDir, keyFile string, own bool) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("public key in %s: %w", keyFile, err)
	}
	reader, err := sqlite.OpenReader(dataDir)
	if err != nil {
		return err
	}
	defer reader.Close()
	report, err := audit.Verify(cmd.Context(), reader, verifier, progress(cmd.ErrOrStderr(), "verified"))
	if err != nil {
		return fmt.Errorf("the log could not be read, which says nothing of whether it is right: %w", err)
	}
	err = c.print(cmd, report, func(out io.Writer) { printReport(out, &report, own) })
	if err == nil && !report.OK() {
		err = errMismatch
	}
	return err
}

func printReport(out io.Writer, r *audit.Report, own bool) {
	if r.OK() {
		fmt.Fprintf(out, "OK: %d entries verify against the signed checkpoint\n", r.Size)
	} else {
		fmt.Fprintf(out, "MISMATCH: the log is not what its checkpoint signs; the first is %s\n", r.Findings[0].Error())
		for _, f := range r.Findings {
			fmt.Fprintf(out, "  %s\n", f.Error())
		}
		if len(r.Findings) == audit.MaxFindings {
			fmt.Fprintln(out, "  there may be more")
		}
	}
	fields(out, "origin", r.Origin, "size", fmt.Sprint(r.Size), "root", r.Root)
	if own {
		fmt.Fprintln(out, "The public key came from the data directory itself; --public-key takes one from a place you trust.")
	}
}

// progress reports on work that takes longer than a second, on a terminal.
func progress(out io.Writer, verb string) func(done, total int64) {
	if !isTerminal(out) {
		return nil
	}
	began, shown := time.Now(), time.Time{}
	return func(done, total int64) {
		now := time.Now()
		if now.Sub(began) < time.Second || (now.Sub(shown) < 200*time.Millisecond && done < total) {
			return
		}
		shown = now
		fmt.Fprintf(out, "\r%s %d of %d entries", verb, done, total)
		if done == total {
			fmt.Fprintln(out)
		}
	}
}
