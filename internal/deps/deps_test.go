// Package deps holds the tree to the import directions that ARCHITECTURE.md
// draws. It has nothing but this test.
package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/auditlb/terraform-provider-auditlb"

// layer is a folder of the module and everything below it that no other layer
// claims. Tests are free: the provider's boot the runtime.
type layer struct {
	path string
	// imports are the other layers it may import.
	imports []string
	// pure layers do no I/O: they import none of ioPackages but those in except.
	pure   bool
	except []string
}

// parts are what a running balancer is put together from.
var parts = []string{
	"runtime/server", "runtime/console", "runtime/sink", "runtime/witness", "runtime/decision", "runtime/traffic", "runtime/dataplane", "runtime/store", "runtime/agebox",
	"runtime/authority", "runtime/archive", "runtime/bucket", "runtime/control", "runtime/policy", "runtime/audit", "runtime/ticket", "runtime/identity", "runtime/lb",
}

var layers = []layer{
	{path: "", imports: []string{"provider"}},
	{path: "provider", imports: []string{"runtime/client", "runtime/api", "runtime/lb"}},
	// Boots the whole runtime for the provider's tests, which alone import it.
	{path: "provider/acctest", imports: append([]string{"provider", "runtime/runtimetest", "runtime/daemon", "runtime/client", "runtime/api"}, parts...)},

	{path: "runtime/cmd", imports: append([]string{"runtime/daemon", "runtime/tfconfig", "runtime/evidence", "runtime/client", "runtime/api"}, parts...)},
	{path: "runtime/daemon", imports: append([]string{"runtime/api"}, parts...)},
	// Boots a runtime for tests, which alone import it.
	{path: "runtime/runtimetest", imports: append([]string{"runtime/daemon", "runtime/client", "runtime/api"}, parts...)},
	{path: "runtime/server", imports: []string{"runtime/api", "runtime/control", "runtime/history", "runtime/runreport", "runtime/audit", "runtime/ticket", "runtime/identity", "runtime/lb"}},
	{path: "runtime/store", imports: []string{"runtime/control", "runtime/history", "runtime/audit", "runtime/ticket", "runtime/identity", "runtime/lb"}},
	{path: "runtime/control", imports: []string{"runtime/history", "runtime/policy", "runtime/audit", "runtime/ticket", "runtime/identity", "runtime/lb"}},
	// Speaks to systems that know nothing of the write path, and is asked by way of it.
	{path: "runtime/authority", imports: []string{"runtime/ticket", "runtime/lb"}},
	// The data plane is handed snapshots: it never sees a store or the write path.
	{path: "runtime/dataplane", imports: []string{"runtime/lb"}},
	{path: "runtime/decision", imports: []string{"runtime/dataplane"}},
	// Looks at the data plane's counters, and answers as the API does.
	{path: "runtime/traffic", imports: []string{"runtime/dataplane", "runtime/api", "runtime/lb"}},
	// Streams the log to others: it is handed what it reads and how that is rendered.
	{path: "runtime/sink", imports: []string{"runtime/api", "runtime/audit", "runtime/lb"}},
	// Either end of having a log cosigned: it is handed the log it brings to others.
	{path: "runtime/witness"},
	// Keeps objects in directories and S3; it knows nothing of what they are.
	{path: "runtime/bucket", imports: []string{"runtime/lb"}},
	// Bodies in buckets: it is handed rows, and never sees a store.
	{path: "runtime/archive", imports: []string{"runtime/bucket", "runtime/audit", "runtime/lb"}},
	// Evidence for those who trust nobody: collected by the client, checked without it.
	{path: "runtime/evidence", imports: []string{"runtime/client", "runtime/api", "runtime/audit", "runtime/witness", "runtime/lb"}},
	// Web pages: a client of the API like any other, which happens to call it in process.
	{path: "runtime/console", imports: []string{"runtime/client", "runtime/api", "runtime/lb"}},
	{path: "runtime/client", imports: []string{"runtime/api", "runtime/audit", "runtime/lb"}},
	{path: "runtime/api", imports: []string{"runtime/lb"}},
	{path: "runtime/agebox"},
	{path: "runtime/identity", imports: []string{"runtime/lb"}},
	{path: "runtime/ticket", imports: []string{"runtime/lb"}, pure: true},
	{path: "runtime/policy", imports: []string{"runtime/lb"}, pure: true},
	// Objects as configuration for Terraform.
	{path: "runtime/tfconfig", imports: []string{"runtime/lb"}, pure: true},
	{path: "runtime/history", imports: []string{"runtime/audit", "runtime/lb"}, pure: true},
	{path: "runtime/runreport", imports: []string{"runtime/audit", "runtime/lb"}, pure: true},
	{path: "runtime/audit", imports: []string{"runtime/lb"}, pure: true},
	// lb reads addresses with net.SplitHostPort and TLS key pairs from memory.
	{path: "runtime/lb", pure: true, except: []string{"net"}},

	{path: "internal/deps"},
}

// ioPackages are the standard library's ways out of the process.
var ioPackages = []string{"net", "net/http", "net/rpc", "net/smtp", "os", "os/exec", "os/user", "io/ioutil", "database/sql", "log", "log/slog", "syscall"}

// pkg is what go list tells of a package, without its tests.
type pkg struct {
	ImportPath string
	Imports    []string
}

func TestImportsPointOneWay(t *testing.T) {
	packages := list(t)
	if len(packages) == 0 {
		t.Fatal("go list named no packages")
	}
	for _, p := range packages {
		for _, problem := range check(p) {
			t.Error(problem)
		}
	}
}

func TestABrokenDirectionIsFound(t *testing.T) {
	tests := []struct {
		name     string
		from, to string
		ok       bool
	}{
		{"provider to client", "/provider", module + "/runtime/client", true},
		{"provider to control", "/provider", module + "/runtime/control", false},
		{"provider to its test support", "/provider", module + "/provider/acctest", false},
		{"test support to the runtime", "/provider/acctest", module + "/runtime/store/sqlite", true},
		{"data plane to a package of its own", "/runtime/dataplane", module + "/runtime/dataplane/health", true},
		{"data plane to store", "/runtime/dataplane/health", module + "/runtime/store/sqlite", false},
		{"data plane to control", "/runtime/dataplane", module + "/runtime/control", false},
		{"authority to control", "/runtime/authority", module + "/runtime/control", false},
		{"policy to ticket", "/runtime/policy", module + "/runtime/ticket", false},
		{"control to store", "/runtime/control", module + "/runtime/store/sqlite", false},
		{"client to server", "/runtime/client", module + "/runtime/server", false},
		{"lb to audit", "/runtime/lb", module + "/runtime/audit", false},
		{"lb to net", "/runtime/lb", "net", true},
		{"lb to net/http", "/runtime/lb", "net/http", false},
		{"audit to net", "/runtime/audit", "net", false},
		{"ticket to database/sql", "/runtime/ticket", "database/sql", false},
		{"server to net/http", "/runtime/server", "net/http", true},
		{"main to the runtime", "", module + "/runtime/lb", false},
		{"a package without a layer", "/runtime/elsewhere", "fmt", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			problems := check(pkg{ImportPath: module + tt.from, Imports: []string{tt.to}})
			if (len(problems) == 0) != tt.ok {
				t.Errorf("allowed = %t, want %t (%q)", len(problems) == 0, tt.ok, problems)
			}
		})
	}
}

// check returns what a package imports against the rules.
func check(p pkg) []string {
	from, ok := layerOf(p.ImportPath)
	if !ok {
		return []string{fmt.Sprintf("%s belongs to no layer: add it to the table here and to .golangci.yml, and say what it may import", p.ImportPath)}
	}
	var problems []string
	for _, path := range p.Imports {
		if from.pure && slices.Contains(ioPackages, path) && !slices.Contains(from.except, path) {
			problems = append(problems, fmt.Sprintf("%s imports %s: %s does no I/O", p.ImportPath, path, from.path))
		}
		if path != module && !strings.HasPrefix(path, module+"/") {
			continue
		}
		to, ok := layerOf(path)
		if !ok || to.path != from.path && !slices.Contains(from.imports, to.path) {
			problems = append(problems, fmt.Sprintf("%s imports %s: %q may import only %q", p.ImportPath, path, from.path, from.imports))
		}
	}
	return problems
}

// layerOf returns the most specific layer that a package lies in. Only the
// module's root package lies in the layer "".
func layerOf(importPath string) (layer, bool) {
	path := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	var found layer
	ok := false
	for _, l := range layers {
		within := path == l.path || l.path != "" && strings.HasPrefix(path, l.path+"/")
		if within && (!ok || len(l.path) > len(found.path)) {
			found, ok = l, true
		}
	}
	return found, ok
}

// list returns every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}
