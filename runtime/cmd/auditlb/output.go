package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// print writes v as JSON, or calls table for people.
func (c *cli) print(cmd *cobra.Command, v any, table func(io.Writer)) error {
	out := cmd.OutOrStdout()
	if c.output == outputJSON {
		b, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s\n", b)
		return err
	}
	table(out)
	return nil
}

// visible is text with what can't be seen written out: it would end a line, move the
// cursor, or show text the other way round.
func visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) && r != unicode.ReplacementChar {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// columns writes rows in aligned columns under a heading.
func columns(out io.Writer, heading []string, rows [][]string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heading, "\t"))
	for _, row := range rows {
		cells := make([]string, len(row))
		for i := range row {
			cells[i] = visible(row[i])
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t "))
	}
	w.Flush()
}

// fields writes names and values, one a line; empty values are left out. The further
// lines of a value stand below its first.
func fields(out io.Writer, pairs ...string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "%s\t%s\n", pairs[i], strings.ReplaceAll(pairs[i+1], "\n", "\n\t"))
		}
	}
	w.Flush()
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func printProblem(out io.Writer, p *api.Problem) {
	fmt.Fprintf(out, "auditlb: %s\n", p.Detail)
	if len(p.Violations) > 1 {
		for _, v := range p.Violations {
			fmt.Fprintf(out, "  %s %s\n", v.Pointer, v.Detail)
		}
	}
	recorded := ""
	if p.Seq > 0 {
		recorded = fmt.Sprintf(", recorded as entry %d", p.Seq)
	}
	request := ""
	if p.RequestID != "" {
		request = ", request " + p.RequestID
	}
	fmt.Fprintf(out, "  (%s%s%s)\n", p.Code, recorded, request)
}

// colour codes are used only on a terminal.
const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// printPatch writes a patch as people read a diff: what was, what is.
func printPatch(out io.Writer, patch []lb.Change) {
	minus, plus, end := "-", "+", ""
	if isTerminal(out) {
		minus, plus, end = red+"-", green+"+", plain
	}
	for _, c := range patch {
		if c.Path == "" {
			// A whole object: one line for each of its attributes.
			for _, sign := range []struct {
				mark  string
				value jsontext.Value
			}{{minus, c.Old}, {plus, c.Value}} {
				for _, line := range attributes(sign.value) {
					fmt.Fprintf(out, "  %s %s%s\n", sign.mark, line, end)
				}
			}
			continue
		}
		if c.Old != nil {
			fmt.Fprintf(out, "  %s %s: %s%s\n", minus, attributePath(c.Path), visible(string(c.Old)), end)
		}
		if c.Value != nil {
			fmt.Fprintf(out, "  %s %s: %s%s\n", plus, attributePath(c.Path), visible(string(c.Value)), end)
		}
	}
}

// attributes lists an object's members, one a line, nested ones by their path.
func attributes(value jsontext.Value) []string {
	if value == nil {
		return nil
	}
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		return []string{string(value)}
	}
	return flatten("", v)
}

func flatten(path string, v any) []string {
	object, ok := v.(map[string]any)
	if !ok || len(object) == 0 {
		text, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			text = []byte(err.Error())
		}
		return []string{visible(fmt.Sprintf("%s: %s", path, text))}
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		lines = append(lines, flatten(strings.TrimPrefix(path+"."+key, "."), object[key])...)
	}
	return lines
}

// attributePath writes a JSON pointer as people write attributes: members.a.weight.
func attributePath(pointer string) string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return strings.Join(parts, ".")
}

// summary says in a line what an entry did.
func summary(e *api.EntryRecord) string {
	if e.Outcome == "refused" {
		return "refused: " + e.Code
	}
	parts := []string{patchSummary(e.Patch)}
	if e.BodyState == api.BodyErased || e.BodyState == api.BodyUnavailable {
		parts = append(parts, "(body "+bodyState(e.BodyState, e.BodyErasedBy)+")")
	}
	if text := rollbackText(e); text != "" {
		parts = append(parts, "("+text+")")
	}
	if e.Emergency {
		parts = append(parts, "(EMERGENCY)")
	}
	if e.Unplanned {
		parts = append(parts, "(unplanned)")
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func patchSummary(patch []lb.Change) string {
	const most = 3
	var parts []string
	for _, c := range patch {
		if c.Path == "" {
			parts = append(parts, "(whole object)")
			continue
		}
		if len(parts) == most {
			return fmt.Sprintf("%s, and %d more", strings.Join(parts, ", "), len(patch)-most)
		}
		parts = append(parts, change(c))
	}
	return strings.Join(parts, ", ")
}

func change(c lb.Change) string {
	path := attributePath(c.Path)
	switch c.Op {
	case "add":
		return "+" + path
	case "remove":
		return "-" + path
	}
	return fmt.Sprintf("%s %s → %s", path, short(c.Old), short(c.Value))
}

func short(v jsontext.Value) string {
	const most = 24
	if s := []rune(string(v)); len(s) > most {
		return string(s[:most]) + "…"
	}
	return string(v)
}
