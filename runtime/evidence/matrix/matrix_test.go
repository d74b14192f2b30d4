package matrix

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables in docs/EVIDENCE.md anew")

// The document is the golden file, between these two lines.
const (
	document = "../../../docs/EVIDENCE.md"
	begin    = "<!-- What follows is written by: go test ./runtime/evidence/matrix -update -->\n"
	end      = "<!-- Here ends what the test writes. -->\n"
)

// TestTheTamperMatrixIsTheOneInTheDocument makes every attack, and asks everybody who
// could notice.
func TestTheTamperMatrixIsTheOneInTheDocument(t *testing.T) {
	s := newScene(t)
	var onLog, onFiles table
	onLog.head = []string{"what is done to the log"}
	for _, d := range detectors {
		onLog.head = append(onLog.head, d.name)
	}
	onFiles.head = []string{"what is done to the file", "verify FILE", "verify FILE --witness-policy", "held against the log"}
	for i := range attacks {
		a := &attacks[i]
		t.Run(a.name, func(t *testing.T) {
			c := a.make(t, s)
			c.endpoint, c.token = serve(t, c.dir), s.token
			var cells []string
			for _, d := range detectors {
				cells = append(cells, d.ask(t, &c))
			}
			if !a.control && unnoticed(cells) {
				t.Error("nobody noticed")
			}
			onLog.add(t, a.name, a.control, a.unseen, cells)
		})
	}
	now := crime{dir: s.now, kept: s.kept, endpoint: serve(t, s.now), token: s.token}
	for i := range forgeries {
		f := &forgeries[i]
		t.Run(f.name, func(t *testing.T) { onFiles.add(t, f.name, f.control, f.unseen, f.judge(t, s, &now)) })
	}
	if t.Failed() {
		return
	}
	compare(t, "\n### The log\n\n"+onLog.String()+"\n### Proofs and bundles\n\n"+onFiles.String()+"\n")
}

// compare holds the document to what was found, or writes it there.
func compare(t *testing.T, got string) {
	t.Helper()
	text, err := os.ReadFile(document)
	must(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	want, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has not the two lines between which the tables stand", document)
	}
	if *update {
		must(t, os.WriteFile(document, []byte(before+begin+got+end+after), 0o644))
		return
	}
	if got == want {
		return
	}
	t.Errorf("docs/EVIDENCE.md does not say what was found; if that is right, go test ./runtime/evidence/matrix -update")
	was := strings.Split(want, "\n")
	for _, line := range strings.Split(got, "\n") {
		if !slices.Contains(was, line) {
			t.Errorf("found: %s", line)
		}
	}
}

// table is in Markdown, with a list of why something was not noticed.
type table struct {
	head []string
	rows [][]string
	why  []string
}

// unnoticed reports whether nobody noticed anything.
func unnoticed(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return c != no })
}

// add adds a row. Nobody may cry wolf, and what some don't see must be explained.
func (tb *table) add(t *testing.T, name string, control bool, unseen string, cells []string) {
	t.Helper()
	all := !slices.ContainsFunc(cells, func(c string) bool { return c != yes })
	switch {
	case control && !unnoticed(cells):
		t.Errorf("a false alarm: %q", cells)
	case all != (unseen == ""):
		t.Errorf("%q, and why not by all is said so: %q", cells, unseen)
	}
	if control {
		name = "*" + name + "*"
	}
	tb.rows = append(tb.rows, append([]string{fmt.Sprintf("%d. %s", len(tb.rows)+1, name)}, cells...))
	if unseen != "" {
		tb.why = append(tb.why, fmt.Sprintf("- **%d.** %s", len(tb.rows), unseen))
	}
}

// String writes the table and the list.
func (tb *table) String() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(tb.head)
	line(slices.Repeat([]string{"---"}, len(tb.head)))
	for _, row := range tb.rows {
		line(row)
	}
	fmt.Fprintf(&b, "\nWhere it says no, or something else than yes:\n\n%s\n", strings.Join(tb.why, "\n"))
	return b.String()
}
