package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// TestKill9LeavesNoGapInASink kills the program over and over while it streams: the file has
// every entry of the log in whole lines, some of them again, and none out of turn.
func TestKill9LeavesNoGapInASink(t *testing.T) {
	in := newInstallation(t)
	path := filepath.Join(filepath.Dir(in.path), "log.jsonl")
	config, err := os.OpenFile(in.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(config, "sink \"archive\" {\n  file {\n    path = %q\n  }\n}\n", path); err != nil {
		t.Fatal(err)
	}
	config.Close()
	workers := []*crashWorker{{address: "pool/a"}, {address: "pool/b"}, {address: "pool/c"}}
	const enough = 20
	for round := 0; round < 6 || in.extent(t).Size < enough && round < 60; round++ {
		crash(t, in, workers)
	}
	p := in.serve(t)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		t.Fatalf("after SIGTERM: %v\n%s", err, p.logged())
	}
	extent := in.extent(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	next, count := int64(0), 0
	for line := range bytes.Lines(text) {
		var e api.EntryRecord
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("line %d: %v", count+1, err)
		}
		if e.Seq > next {
			t.Fatalf("entry %d follows %d", e.Seq, next-1)
		}
		next = max(next, e.Seq+1)
		count++
	}
	if next != extent.Size || next < enough {
		t.Errorf("%d of %d entries", next, extent.Size)
	}
	t.Logf("%d entries in %d lines", next, count)
}

// extent is how far the log of an installation reaches.
func (in *installation) extent(t *testing.T) audit.Extent {
	t.Helper()
	reader, err := sqlite.OpenReader(in.config.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	extent, err := reader.Extent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return extent
}
