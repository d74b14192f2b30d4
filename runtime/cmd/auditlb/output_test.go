package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// TestWhatSomebodyWroteMovesNoCursorAndMakesNoLine: not in values, cells, titles or
// details, which others may choose.
func TestWhatSomebodyWroteMovesNoCursorAndMakesNoLine(t *testing.T) {
	const hostile = "a\x1b[31m\u009b2J\u202eb\r\n  approved by anton"
	report := api.RunReport{
		Effects: []api.RunEffect{{
			Address: "pool/web", Op: lb.OpUpdate, Status: api.EffectApplied, Ticket: hostile, TerraformAddress: hostile, Warnings: []string{hostile},
			Patch: []lb.Change{{Op: "add", Path: "/labels/a", Value: jsontext.Value("\"\u009b31m\u202e\"")}},
		}},
		Tickets: []api.Ticket{{ID: "CHG-1", Title: hostile}},
	}
	for name, print := range map[string]func(io.Writer){
		"run show": func(out io.Writer) { printRunReport(out, &report) },
		"drift": func(out io.Writer) {
			printDrift(out, &api.DriftList{Items: []api.Drift{{
				Address: "pool/web", Accepted: &api.DriftAcceptance{Reason: hostile}, Patch: report.Effects[0].Patch,
				Changes: []api.DriftChange{{LastChange: api.LastChange{Actor: hostile}}},
			}}}, true)
		},
		"history": func(out io.Writer) {
			printEntries(out, &api.EntryList{Items: []api.EntryRecord{{Entry: api.Entry{Resource: hostile}, Patch: report.Effects[0].Patch}}}, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			print(&out)
			if strings.ContainsAny(out.String(), "\x1b\r\u009b\u202e") || !strings.Contains(out.String(), `\u009b`) {
				t.Errorf("%q", out.String())
			}
			for line := range strings.Lines(out.String()) {
				if strings.HasPrefix(line, "  approved by anton") {
					t.Errorf("a line is forged:\n%s", out.String())
				}
			}
		})
	}
	var out strings.Builder
	if fields(&out, "reason", "a\nstate  approved", "state", "pending"); out.String() != "reason  a\n        state  approved\nstate   pending\n" {
		t.Errorf("%q", out.String())
	}
}
