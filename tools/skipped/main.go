// Command skipped says which tests a test run skipped and why. It reads the
// files that gotestsum --jsonfile writes:
//
//	go -C tools run ./skipped FILE...
//
// With AUDITLB_REQUIRE=1 a skip is a failure: continuous integration must not
// pass because a test never ran.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// requireVariable turns skips into failures.
const requireVariable = "AUDITLB_REQUIRE"

var errSkipped = errors.New("tests were skipped, and " + requireVariable + "=1 allows none")

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Getenv(requireVariable) == "1"); err != nil {
		fmt.Fprintln(os.Stderr, "skipped:", err)
		os.Exit(1)
	}
}

func run(files []string, out io.Writer, require bool) error {
	if len(files) == 0 {
		return errors.New("name at least one file that gotestsum --jsonfile wrote")
	}
	var found report
	for _, name := range files {
		if err := found.readFile(name); err != nil {
			return err
		}
	}
	if found.passed+found.failed+len(found.skips) == 0 {
		return errors.New("no test ran at all")
	}
	found.print(out)
	if require && len(found.skips) > 0 {
		return errSkipped
	}
	return nil
}

// event is one line of go test -json (see go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// skip is a test that did not run to its end.
type skip struct{ pkg, test, reason string }

type report struct {
	passed, failed int
	skips          []skip
}

func (r *report) readFile(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := r.read(file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *report) read(in io.Reader) error {
	type key struct{ pkg, test string }
	output := map[key][]string{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return err
		}
		if e.Test == "" {
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "output":
			output[k] = append(output[k], e.Output)
		case "skip":
			r.skips = append(r.skips, skip{e.Package, e.Test, reason(output[k])})
			delete(output, k)
		case "pass":
			r.passed++
			delete(output, k)
		case "fail":
			r.failed++
			delete(output, k)
		}
	}
	return lines.Err()
}

// reason is what the test printed, without the lines go test adds.
func reason(output []string) string {
	var kept []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		kept = append(kept, line)
	}
	if len(kept) == 0 {
		return "no reason given"
	}
	return strings.Join(kept, " ")
}

func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%d tests passed, %d failed, %d skipped.\n", r.passed, r.failed, len(r.skips))
	for _, s := range r.skips {
		fmt.Fprintf(out, "  skipped: %s %s\n    %s\n", s.pkg, s.test, s.reason)
	}
}
