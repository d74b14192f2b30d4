package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestEveryCommandShowsAnExample asks every command that does something for its
// help.
func TestEveryCommandShowsAnExample(t *testing.T) {
	var visit func(cmd *cobra.Command, path []string)
	visited := 0
	visit = func(cmd *cobra.Command, path []string) {
		for _, sub := range cmd.Commands() {
			visit(sub, append(path[:len(path):len(path)], sub.Name()))
		}
		if cmd.HasSubCommands() {
			return
		}
		visited++
		t.Run(strings.Join(path, " "), func(t *testing.T) {
			var out bytes.Buffer
			root := newRoot()
			root.SetArgs(append(path, "--help"))
			root.SetOut(&out)
			if err := root.Execute(); err != nil {
				t.Fatal(err)
			}
			example := "  auditlb " + strings.Join(path, " ")
			if _, examples, ok := strings.Cut(out.String(), "Examples:\n"); !ok || !strings.HasPrefix(examples, example) {
				t.Errorf("no example that begins with %q in:\n%s", example, &out)
			}
			if !strings.Contains(out.String(), "Usage:\n  auditlb ") || cmd.Short == "" {
				t.Errorf("no usage or description in:\n%s", &out)
			}
		})
	}
	visit(newRoot(), nil)
	if visited < 15 {
		t.Errorf("visited %d commands", visited)
	}
}
