package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"

	"github.com/auditlb/terraform-provider-auditlb/runtime/archive"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/bucket"
	"github.com/auditlb/terraform-provider-auditlb/runtime/daemon"
)

// maxKept bounds a file that holds a checkpoint.
const maxKept = 64 << 10

// errNoneKept means that there is no checkpoint where one was looked for: that says
// nothing of the log, and must not look as if it did.
var errNoneKept = errors.New("no checkpoint of this log there")

// verifyOutside compares a log that was verified with what is kept outside of it:
// checkpoints at a path, and archived bodies in a directory or where the configuration
// says. What is wrong goes to the report.
func verifyOutside(ctx context.Context, src audit.Source, verifier note.Verifier, checkpoints string, bodies *archive.Archive, report *audit.Report) error {
	if checkpoints != "" {
		findings, checked, err := checkElsewhere(ctx, src, verifier, checkpoints)
		if err != nil {
			return err
		}
		report.Elsewhere = checked
		report.Findings = append(report.Findings, findings...)
	}
	if bodies != nil {
		findings, checked, err := bodies.Verify(ctx, src, report.Size)
		if err != nil {
			return fmt.Errorf("the archive could not be read, which says nothing of whether it is right: %w", err)
		}
		report.ArchivedRight = checked
		report.Findings = append(report.Findings, findings...)
	}
	report.Findings = report.Findings[:min(len(report.Findings), audit.MaxFindings)]
	return nil
}

// openArchive opens the archive that flags name, or nil.
func openArchive(dir, config string) (*archive.Archive, error) {
	switch {
	case dir == "":
		return nil, nil
	case dir == "config":
		if config == "" {
			return nil, usageError{errors.New("--archive config takes --config")}
		}
		cfg, err := daemon.LoadConfig(config)
		if err != nil {
			return nil, err
		}
		bodies, err := cfg.OpenArchive()
		if err == nil && bodies == nil {
			err = usageError{errors.New("--archive config: the configuration has no retention.archive")}
		}
		return bodies, err
	case !isDir(dir):
		return nil, usageError{fmt.Errorf("--archive: there is no directory %s", dir)}
	}
	b, err := bucket.OpenDir(dir)
	if err != nil {
		return nil, fmt.Errorf("--archive: %w", err)
	}
	return archive.New(b), nil
}

// checkElsewhere compares a log with checkpoints of it that were kept elsewhere: in
// a file, or in a directory that a checkpoint_copy writes to or that holds nothing but
// such files.
func checkElsewhere(ctx context.Context, src audit.Source, verifier note.Verifier, path string) (findings []audit.Finding, checked int, err error) {
	extent, err := src.Extent(ctx)
	if err != nil {
		return nil, 0, err
	}
	open, err := openWithAnyKey(ctx, src, verifier)
	if err != nil {
		return nil, 0, err
	}
	findings, checked, err = audit.CheckElsewhere(readElsewhere(ctx, path, verifier.Name()), extent.Size, audit.HashReader(ctx, src), open)
	if err == nil && checked == 0 {
		err = errNoneKept
	}
	if err != nil {
		return nil, checked, fmt.Errorf("--checkpoint %s: %w", path, err)
	}
	return findings, checked, nil
}

// openWithAnyKey opens checkpoints of a log that the key signed, or one that the log, as
// far as it is verified, says it had before.
func openWithAnyKey(ctx context.Context, src audit.Source, verifier note.Verifier) (func([]byte) (audit.Checkpoint, error), error) {
	rows, err := src.RowsOf(ctx, audit.ResourceLog, 0, 1000)
	if err != nil {
		return nil, err
	}
	keys := []note.Verifier{verifier}
	for i := range rows {
		if key, err := audit.ParseLogKey(rows[i].Body); err == nil && key.Origin == verifier.Name() {
			if v, err := note.NewVerifier(key.PublicKey); err == nil {
				keys = append(keys, v)
			}
		}
	}
	return func(text []byte) (cp audit.Checkpoint, err error) {
		for _, v := range keys {
			if cp, err = audit.OpenCheckpoint(text, v); err == nil {
				return cp, nil
			}
		}
		return cp, err
	}, nil
}

// readElsewhere reads the checkpoints at a path.
func readElsewhere(ctx context.Context, path, origin string) iter.Seq2[audit.Elsewhere, error] {
	return func(yield func(audit.Elsewhere, error) bool) {
		info, err := os.Stat(path)
		if err != nil {
			yield(audit.Elsewhere{}, err)
			return
		}
		if !info.IsDir() {
			text, err := readCheckpoint(path)
			yield(audit.Elsewhere{From: path, Note: text}, err)
			return
		}
		if ours := filepath.Join(path, filepath.FromSlash(daemon.CheckpointPrefix(origin))); isDir(ours) {
			path = ours
		}
		kept, err := bucket.OpenDir(path)
		if err != nil {
			yield(audit.Elsewhere{}, err)
			return
		}
		defer kept.Close()
		for key, err := range kept.List(ctx, "") {
			var text []byte
			if err == nil {
				text, err = kept.Get(ctx, key)
			}
			if !yield(audit.Elsewhere{From: filepath.Join(path, filepath.FromSlash(key)), Note: text}, err) {
				return
			}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readCheckpoint reads a checkpoint, or the one that a proof or a bundle holds.
func readCheckpoint(path string) ([]byte, error) {
	if e, err := readEvidence(path); err == nil {
		return e.checkpoint(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKept+1))
	if err == nil && len(text) > maxKept {
		err = fmt.Errorf("%s is too large for a checkpoint", path)
	}
	return text, err
}

// printOutside says of a report what is not in the log.
func printOutside(out io.Writer, r *audit.Report) {
	if gone := r.Erased; gone != nil {
		if gone.Erased > 0 {
			fmt.Fprintf(out, "%d bodies erased by policy (entries %d to %d say so)\n", gone.Erased, gone.First, gone.Last)
		}
		if gone.Archived > 0 {
			fmt.Fprintf(out, "%d bodies archived by policy (entries %d to %d say so)\n", gone.Archived, gone.First, gone.Last)
		}
	}
	if r.Elsewhere > 0 {
		fmt.Fprintf(out, "%d checkpoints kept elsewhere were compared\n", r.Elsewhere)
	}
	if r.ArchivedRight > 0 {
		fmt.Fprintf(out, "%d archived bodies are what their entries commit to\n", r.ArchivedRight)
	}
}
