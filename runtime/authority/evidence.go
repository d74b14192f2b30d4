package authority

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

const (
	// MaxEvidenceEntries is how many entries one comment lists.
	MaxEvidenceEntries = 50

	maxEvidenceField    = 128
	maxCheckpointBytes  = 4096
	evidenceIndentation = "    "
)

// Evidence is what was done under a ticket since the last comment on it.
type Evidence struct {
	// Ticket is the ticket's id.
	Ticket string
	// Applied and Refused count all entries, listed or not.
	Applied, Refused int
	// Entries are what is to be listed, oldest first. Of more than
	// [MaxEvidenceEntries] the first ones are shown.
	Entries []EntryLine
	// Truncated is how many more there are than Entries.
	Truncated int
	// Through is the seq of the last entry that was counted.
	Through int64
	// Checkpoint is a signed checkpoint of the log that covers them, and LogOrigin the
	// log's name. Both may be empty.
	Checkpoint, LogOrigin string
	// Endpoint is where the log can be read, such as https://lb.example.com:8443. May
	// be empty.
	Endpoint string
}

// EntryLine is one entry in a comment.
type EntryLine struct {
	Seq   int64
	Time  time.Time
	Actor string
	// Run may be empty.
	Run string
	// Op is create, update or delete; Resource is kind/name.
	Op, Resource string
	// Refusal is the code of a refusal, empty for what was applied.
	Refusal string
}

// EvidenceText renders evidence as a comment: plain text that also reads well where it
// is taken for Jira's markup or for Markdown. What is indented is a block of code in
// Markdown, so that nobody is mentioned by it.
func EvidenceText(e Evidence) string {
	var b strings.Builder
	fmt.Fprintf(&b, "auditlb: %s applied under %s", counted(e.Applied, "change was", "changes were"), word(e.Ticket))
	if e.Refused > 0 {
		fmt.Fprintf(&b, ", %s refused", counted(e.Refused, "was", "were"))
	}
	b.WriteString(".\n")
	shown := e.Entries[:min(len(e.Entries), MaxEvidenceEntries)]
	if len(shown) > 0 {
		b.WriteString("\n")
	}
	for _, line := range shown {
		b.WriteString(evidenceIndentation + line.String() + "\n")
	}
	if more := e.Truncated + len(e.Entries) - len(shown); more > 0 {
		fmt.Fprintf(&b, "%sand %d more\n", evidenceIndentation, more)
	}
	if note := indented(e.Checkpoint); note != "" {
		b.WriteString("\nThe log's signed checkpoint that covers this")
		if e.LogOrigin != "" {
			b.WriteString(" (" + word(e.LogOrigin) + ")")
		}
		b.WriteString(", each line behind four spaces:\n\n" + note)
	}
	if e.Endpoint != "" {
		b.WriteString("\nThe entries can be read at " + word(e.Endpoint) + "\n")
	}
	return b.String()
}

// String is the entry in one line: "entry 7, 2026-03-01T09:00:00Z: update pool/web by
// alice in run github/acme/infra/12/1".
func (l EntryLine) String() string {
	s := fmt.Sprintf("entry %d, %s: %s %s by %s", l.Seq, l.Time.UTC().Format(time.RFC3339), word(l.Op), word(l.Resource), word(l.Actor))
	if l.Run != "" {
		s += " in run " + word(l.Run)
	}
	if l.Refusal != "" {
		s += ", refused: " + word(l.Refusal)
	}
	return s
}

func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// word bounds a text and takes from it what could be markup, a mention or a second
// line. Names, addresses and ids have nothing of it; a run's id can.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._@+:/-", r)) {
			return r
		}
		return '?'
	}, s)
	s = s[:min(len(s), maxEvidenceField)]
	if strings.HasPrefix(s, "@") || strings.Contains(s, "/@") || strings.Contains(s, ":@") {
		s = strings.ReplaceAll(s, "@", "?")
	}
	return s
}

// indented puts a checkpoint's lines behind four spaces. The empty line in it gets
// them too, so that it doesn't end the block.
func indented(note string) string {
	note = strings.TrimSuffix(note, "\n")
	if note == "" || len(note) > maxCheckpointBytes ||
		strings.ContainsFunc(note, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return ""
	}
	return evidenceIndentation + strings.ReplaceAll(note, "\n", "\n"+evidenceIndentation) + "\n"
}
