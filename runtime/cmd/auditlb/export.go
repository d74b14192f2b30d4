package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/evidence"
)

func newExport(c *cli) *cobra.Command {
	var q evidence.Query
	var since, until, file string
	cmd := &cobra.Command{
		Use:   "export (--ticket ID | --run ID | --since TIME [--until TIME])",
		Short: "Write what happened into one evidence bundle that anybody can check",
		Long: `Write a bundle (ZIP): the entries with their bodies, a proof of each, the signed
checkpoint with the cosignatures of witnesses, the tickets with their approvals,
as JSON and as a page to read. Besides the entries that match it has those they
refer to: their tickets, their runs, and the plans that they fulfil.

auditlb verify FILE checks it offline, with nothing but the log's public key, and
says what it proves and what it does not.`,
		Example: `  auditlb export --ticket CHG-1042
  auditlb export --run github/acme/infra/123/1 --file evidence.zip
  auditlb export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z
  auditlb verify --public-key log.pub evidence-CHG-1042.zip`,
		Args: exactly(0, "no arguments, only flags"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = timeFlag("since", since); err != nil {
				return err
			}
			if q.Until, err = timeFlag("until", until); err != nil {
				return err
			}
			if q == (evidence.Query{}) {
				return usageError{errors.New("say what to export: --ticket, --run, --since or --until")}
			}
			return c.export(cmd, q, file)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Ticket, "ticket", "", "what was done under this ticket, and the ticket itself")
	flags.StringVar(&q.Run, "run", "", "what was done in this run")
	flags.StringVar(&since, "since", "", "what was recorded at or after this time, RFC 3339")
	flags.StringVar(&until, "until", "", "what was recorded before this time, RFC 3339")
	flags.StringVar(&file, "file", "", "where to write it; - for standard output (default: evidence-….zip in the current directory)")
	return cmd
}

// bundleWritten is what export prints.
type bundleWritten struct {
	File    string `json:"file"`
	Entries int    `json:"entries"`
	First   int64  `json:"first"`
	Last    int64  `json:"last"`
	Origin  string `json:"origin"`
}

func (c *cli) export(cmd *cobra.Command, q evidence.Query, file string) error {
	cl, err := c.client()
	if err != nil {
		return err
	}
	progress := newProgress(cmd.ErrOrStderr(), "proved")
	bundle, err := evidence.Collect(cmd.Context(), cl, q, "auditlb "+version, progress.show)
	progress.end()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := bundle.Write(&out); err != nil {
		return err
	}
	if file == "-" {
		_, err := cmd.OutOrStdout().Write(out.Bytes())
		return err
	}
	if file == "" {
		file = "evidence-" + nameOf(q) + ".zip"
	}
	if err := writeFile(file, out.Bytes()); err != nil {
		return err
	}
	done := bundleWritten{File: file, Entries: len(bundle.Proofs), First: bundle.Proofs[0].Seq, Last: bundle.Proofs[len(bundle.Proofs)-1].Seq, Origin: bundle.Manifest.Origin}
	return c.print(cmd, done, func(out io.Writer) {
		fmt.Fprintf(out, "%s: %d entries of %s. Check it with: auditlb verify --public-key log.pub %s\n", done.File, done.Entries, done.Origin, done.File)
	})
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// nameOf is what a query is called in a file's name.
func nameOf(q evidence.Query) string {
	name := q.Ticket
	switch {
	case name != "":
	case q.Run != "":
		name = q.Run
	case !q.Since.IsZero():
		name = "since-" + q.Since.UTC().Format("20060102T150405Z")
	default:
		name = "until-" + q.Until.UTC().Format("20060102T150405Z")
	}
	return notInNames.ReplaceAllString(name, "-")
}

// writeFile writes a file that must not be there yet: evidence is not
// overwritten by accident.
func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already; name another file with --file", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}
