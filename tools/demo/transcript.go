package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// transcript prints what a user would type and what came of it.
type transcript struct{ out io.Writer }

// heading begins a step.
func (t transcript) heading(text string) {
	fmt.Fprintf(t.out, "\n── %s %s\n\n", text, strings.Repeat("─", max(0, 74-len(text))))
}

// note says something about what is seen.
func (t transcript) note(format string, args ...any) {
	fmt.Fprintf(t.out, "# "+format+"\n", args...)
}

// typed prints a command line.
func (t transcript) typed(line string) { fmt.Fprintf(t.out, "$ %s\n", line) }

// run prints the command as typed and its output while it runs. It returns the
// output, and the error of a command that failed.
func (t transcript) run(typed string, cmd *exec.Cmd) (string, error) {
	t.typed(typed)
	var kept bytes.Buffer
	cmd.Stdout = io.MultiWriter(t.out, &kept)
	cmd.Stderr = cmd.Stdout
	err := cmd.Run()
	fmt.Fprintln(t.out)
	if err != nil {
		err = fmt.Errorf("%s: %w", typed, err)
	}
	return kept.String(), err
}
