package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// verifyFlags are what the command line says.
type verifyFlags struct {
	config, dataDir, keyFile string
	policyFile               string
	depth, resumeFile        string
	// checkpoint and archive are what is kept outside of the log.
	checkpoint, archive string
	jobs                int
}

func newVerify(c *cli) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify (FILE | --config FILE | --data-dir DIR)",
		Short: "Check a proof or an evidence bundle, or recompute a whole log",
		Long: `With FILE, a proof (auditlb proof) or a bundle (auditlb export): check it offline
with nothing but the log's public key, and say what it proves and what it does not.
With --witness-policy it must have the cosignatures that the policy asks for.

Otherwise: read a whole log, running or stopped, and check it against its own signed
checkpoint: every entry's header, hash, order and index, every body, every
stored hash of the Merkle tree, that the current state is the fold of the
entries, and that the database's own indexes hide nothing. The first bad entry is named. Exit code 4 means something is wrong.

--depth shape reads no bodies and takes half the time: it checks that the
headers are those that the checkpoint signs, their order, and the whole tree.
What it did not look at is said with the result.

--resume FILE keeps in a file how far the verification is, every few seconds, and
goes on from there the next time. Entries that were verified then are not read
again: the result says which and when. The file is removed when the log
verifies. It is as trustworthy as the place it is in: whoever can write it can
make it say that entries were verified which were not.

What this proves: nobody changed the log without the signing key. Whoever has
that key can sign another history; only a checkpoint kept elsewhere shows that:
--checkpoint compares the log with such, in a file or in the directory of a
checkpoint_copy.

Bodies that were erased by policy are counted, with the entries that say so; a
body that is gone and that no entry names is a mismatch. --archive reads the
archived ones too and checks each.

Give the public key from a place you trust with --public-key: by default it
is read from the data directory itself.`,
		Example: `  auditlb verify --public-key log.pub change.tlog-proof
  auditlb verify --public-key log.pub --witness-policy witnesses evidence-CHG-1042.zip
  auditlb verify --config /etc/auditlb/auditlb.hcl
  auditlb verify --data-dir /var/lib/auditlb --public-key log.pub
  auditlb verify --data-dir /var/lib/auditlb --depth shape
  auditlb verify --data-dir /var/lib/auditlb --resume ~/verify.progress`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.output != outputTable && c.output != outputJSON {
				return usageError{fmt.Errorf("--output %q must be %s or %s", c.output, outputTable, outputJSON)}
			}
			if len(args) == 1 {
				if f.config != "" || f.dataDir != "" {
					return usageError{errors.New("verify takes a file or a log, not both")}
				}
				return c.verifyFile(cmd, args[0], f.keyFile, f.policyFile)
			}
			return c.verify(cmd, f)
		},
	}
	cmd.Flags().StringVar(&f.config, "config", "", "configuration of the runtime whose log is verified")
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "data directory of the log")
	cmd.Flags().StringVar(&f.keyFile, "public-key", "", "file with the log's public key, or several, one a line (of a log, one; default: log.pub in its data directory)")
	cmd.Flags().StringVar(&f.policyFile, "witness-policy", "", "C2SP tlog-policy file: the cosignatures that a proof or bundle must have")
	cmd.Flags().StringVar(&f.depth, "depth", string(audit.DepthDeep), "how much to look at: shape or deep")
	cmd.Flags().IntVar(&f.jobs, "jobs", 0, "parts of the log checked at once (default: as many as there are processors)")
	cmd.Flags().StringVar(&f.resumeFile, "resume", "", "file that keeps how far the verification is, and to go on from if it exists")
	cmd.Flags().StringVar(&f.checkpoint, "checkpoint", "", "file or directory with checkpoints kept elsewhere, which the log must still contain")
	cmd.Flags().StringVar(&f.archive, "archive", "", `directory with archived bodies, to be checked too; "config" for where the configuration says`)
	cmd.MarkFlagsMutuallyExclusive("config", "data-dir")
	return cmd
}

func (c *cli) verify(cmd *cobra.Command, f verifyFlags) error {
	depth, err := audit.ParseDepth(f.depth)
	if err != nil {
		return usageError{fmt.Errorf("--%w", err)}
	}
	if f.jobs < 0 {
		return usageError{fmt.Errorf("--jobs %d must not be negative", f.jobs)}
	}
	if f.config != "" {
		cfg, err := daemon.LoadConfig(f.config)
		if err != nil {
			return err
		}
		f.dataDir = cfg.DataDir
	}
	if f.dataDir == "" {
		return usageError{errors.New("say which log: --config FILE or --data-dir DIR")}
	}
	own := f.keyFile == ""
	if own {
		f.keyFile = filepath.Join(f.dataDir, daemon.PublicKeyName)
	}
	text, err := os.ReadFile(f.keyFile)
	if err != nil {
		return fmt.Errorf("public key: %w", err)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("public key in %s: %w", f.keyFile, err)
	}
	bodies, err := openArchive(f.archive, f.config)
	if err != nil {
		return err
	}
	defer holdHeapFloor()()
	progress := newProgress(cmd.ErrOrStderr(), "verified")
	o := audit.Verification{Depth: depth, Jobs: f.jobs, Progress: progress.show, Version: version}
	if f.resumeFile != "" {
		o.Keep = func(state []byte) error { return replaceFile(f.resumeFile, state) }
		if o.Resume, err = os.ReadFile(f.resumeFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--resume: %w", err)
		}
	}
	reader, err := sqlite.OpenReader(f.dataDir)
	if err != nil {
		return err
	}
	defer reader.Close()
	report, err := o.Run(cmd.Context(), reader, verifier)
	progress.end()
	switch {
	case errors.Is(err, audit.ErrNotResumable):
		return fmt.Errorf("--resume %s: %w; remove the file to begin with the first entry", f.resumeFile, err)
	case cmd.Context().Err() != nil:
		return interrupted(f.resumeFile)
	case errors.Is(err, errNotKept):
		return err
	case err != nil:
		return fmt.Errorf("the log could not be read, which says nothing of whether it is right: %w", err)
	}
	if depth == audit.DepthDeep {
		found, err := reader.CheckIndexes(cmd.Context())
		if err != nil {
			return fmt.Errorf("the log could not be read, which says nothing of whether it is right: %w", err)
		}
		report.Findings = append(report.Findings, found...)
		report.Checked += ", every index of the database"
	}
	if err := verifyOutside(cmd.Context(), reader, verifier, f.checkpoint, bodies, &report); err != nil {
		return err
	}
	if err := c.print(cmd, report, func(out io.Writer) { printReport(out, &report, own) }); err != nil {
		return err
	}
	if !report.OK() {
		return errMismatch
	}
	if f.resumeFile != "" {
		if err := os.Remove(f.resumeFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--resume: %w", err)
		}
	}
	return nil
}

func interrupted(resumeFile string) error {
	if _, err := os.Stat(resumeFile); resumeFile == "" || err != nil {
		return errors.New("interrupted, which says nothing of whether the log is right")
	}
	return fmt.Errorf("interrupted, which says nothing of whether the log is right; the same command goes on from what %s keeps", resumeFile)
}

// errNotKept means that the file of --resume can't be written.
var errNotKept = errors.New("--resume: how far the verification is can't be kept")

// replaceFile writes a file whole or not at all.
func replaceFile(path string, b []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", errNotKept, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // for its owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone once it is renamed
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
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
	fields(out, "origin", r.Origin, "size", fmt.Sprint(r.Size), "root", r.Root, "depth", string(r.Depth),
		"checked", r.Checked, "not checked", r.NotChecked)
	printOutside(out, r)
	if before := r.Resumed; before != nil {
		fmt.Fprintf(out, "Entries 0 to %d were verified from %s to %s and not read again.\n",
			before.Size-1, before.Began.Format(time.RFC3339), before.At.Format(time.RFC3339))
	}
	if own {
		fmt.Fprintln(out, "The public key came from the data directory itself; --public-key takes one from a place you trust.")
	}
}
