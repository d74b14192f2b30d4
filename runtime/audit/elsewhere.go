package audit

import (
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/tlog"
)

// Elsewhere is a checkpoint of a log as it was kept out of reach of whoever keeps the
// log.
type Elsewhere struct {
	// From says where it was kept, such as a file.
	From string
	Note []byte
}

// CheckElsewhere compares a log, of a size and with these stored hashes, with
// checkpoints that were kept elsewhere: each must be signed, as open checks, and the log
// must still begin with the entries it was signed for. This is what shows a history that
// was signed anew, or a log that was rolled back, by whoever has the key.
//
// The stored hashes are taken for the tree's: verification is what checks them. Checked
// counts the checkpoints; an error means that the log or a checkpoint could not be read.
func CheckElsewhere(notes iter.Seq2[Elsewhere, error], size int64, stored tlog.HashReader, open func([]byte) (Checkpoint, error)) (findings []Finding, checked int, err error) {
	roots := map[int64]tlog.Hash{}
	for kept, err := range notes {
		if err != nil {
			return nil, checked, fmt.Errorf("read checkpoint: %w", err)
		}
		checked++
		if len(findings) >= MaxFindings {
			continue
		}
		find := func(format string, args ...any) {
			findings = append(findings, Finding{Seq: -1, Problem: fmt.Sprintf(format, args...)})
		}
		cp, err := open(kept.Note)
		if err != nil {
			find("the checkpoint kept in %s is not one that this log's key signed", kept.From)
			continue
		}
		if cp.Size > size {
			find("the log does not contain what was signed: the checkpoint kept in %s is of %d entries, the log has %d; it was rolled back", kept.From, cp.Size, size)
			continue
		}
		root, ok := roots[cp.Size]
		if !ok {
			if root, err = rootAt(cp.Size, stored); err != nil {
				return nil, checked, fmt.Errorf("read the tree of %d entries: %w", cp.Size, err)
			}
			clear(roots) // checkpoints of one size follow each other, if there are several
			roots[cp.Size] = root
		}
		if root != cp.Root {
			find("the log does not contain what was signed: its first %d entries are not those of the checkpoint kept in %s; it was forked, or signed anew", cp.Size, kept.From)
		}
	}
	return findings, checked, nil
}

func rootAt(size int64, stored tlog.HashReader) (tlog.Hash, error) {
	t, err := LoadTree(size, stored)
	return t.Root(), err
}
