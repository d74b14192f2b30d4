package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}
`
	skipping = `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: needs a tmpfs\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
`
	failing = `{"Action":"fail","Package":"p","Test":"TestC"}
`
	noTestFiles = `{"Action":"skip","Package":"q"}
`
)

func TestSkippedTestsAreNamedWithTheirReason(t *testing.T) {
	tests := []struct {
		name    string
		events  string
		require bool
		want    []string
		err     error
	}{
		{"nothing skipped", passing, true, []string{"1 tests passed, 0 failed, 0 skipped"}, nil},
		{"a skip is told", passing + skipping, false, []string{"p TestB", "b_test.go:7: needs a tmpfs"}, nil},
		{"a skip fails when required", passing + skipping, true, []string{"p TestB"}, errSkipped},
		{"a failure is counted", passing + failing, false, []string{"1 tests passed, 1 failed, 0 skipped"}, nil},
		{"a package without tests is no skip", passing + noTestFiles, true, []string{"0 skipped"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "events.json")
			if err := os.WriteFile(file, []byte(tt.events), 0o600); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := run([]string{file}, &out, tt.require); !errors.Is(err, tt.err) {
				t.Errorf("run = %v, want %v", err, tt.err)
			}
			for _, want := range tt.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("output %q lacks %q", out.String(), want)
				}
			}
		})
	}
}

func TestARunWithoutTestsFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{file}, &strings.Builder{}, false); err == nil {
		t.Error("a run in which nothing ran passed")
	}
}
