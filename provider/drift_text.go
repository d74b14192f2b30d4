package provider

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bounds of what a warning shows.
const (
	maxDriftLines   = 20
	maxDriftChanges = 5
	maxDriftValue   = 60
)

// driftSummary names the object, so that Terraform doesn't fold the warnings of several
// into one.
func driftSummary(at lb.Address, kind string, managers []api.DriftManager) string {
	switch kind {
	case api.DriftDeleted:
		return fmt.Sprintf("%s was deleted outside of this configuration", at)
	case api.DriftRecreated:
		return fmt.Sprintf("%s was deleted and recreated outside of this configuration", at)
	case api.DriftAdopted:
		return fmt.Sprintf("%s was adopted by %s", at, workspaces(managers))
	case api.DriftImported:
		return fmt.Sprintf("%s was imported", at)
	}
	return fmt.Sprintf("%s was changed outside of this configuration", at)
}

// driftDetail says who made an object different, what is different, and what is next.
func (r *objectResource) driftDetail(d *api.Drift, next string) string {
	var b strings.Builder
	changes := d.Changes[:min(len(d.Changes), maxDriftChanges)]
	for i := range changes {
		if i > 0 {
			b.WriteString("\nBefore that it")
		} else {
			b.WriteString("It")
		}
		b.WriteString(driftSentence(&changes[i]))
	}
	switch more := d.Count - len(changes); {
	case more == 1:
		fmt.Fprintf(&b, "\nThere was 1 more change since revision %d.", d.Baseline.Revision)
	case more > 1:
		fmt.Fprintf(&b, "\nThere were %d more changes since revision %d.", more, d.Baseline.Revision)
	}
	if len(d.Managers) > 0 {
		b.WriteString("\n" + managersSentence(d.Managers))
	}
	if d.PatchState != "" {
		fmt.Fprintf(&b, "\nWhat it was before is not known any more: the body of revision %d was erased by policy in entry %d.", d.Baseline.Revision, d.PatchErasedBy)
	}
	lines := r.driftLines(d)
	if len(lines) == 0 {
		return b.String() + "\n" + next
	}
	// Terraform leaves indented lines as they are.
	fmt.Fprintf(&b, "\n\nWhat is different since revision %d, which workspace %s left:\n  %s\n\n%s", d.Baseline.Revision, d.Workspace, strings.Join(lines, "\n  "), next)
	return b.String()
}

// driftSentence says who made a change, when, under what and with what.
func driftSentence(c *api.DriftChange) string {
	done := map[lb.Op]string{lb.OpCreate: "created", lb.OpDelete: "deleted"}[c.Op]
	if done == "" {
		done = "changed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, " was %s by %s at %s under ticket %s", done, c.Actor, c.At.UTC().Format(time.RFC3339), c.Ticket)
	if !c.OwnTicket && !c.Own {
		b.WriteString(", which is none of this workspace's,")
	}
	switch {
	case c.Run != "" && c.Own:
		fmt.Fprintf(&b, " in run %s of this workspace", c.Run)
	case c.Run != "" && c.Workspace != "":
		fmt.Fprintf(&b, " in run %s of workspace %s", c.Run, c.Workspace)
	case c.Run != "": // that nobody registered, such as a rollback's
		fmt.Fprintf(&b, " in run %s", c.Run)
	case c.Via == api.ViaCommandLine:
		b.WriteString(" with the command line")
	case c.Via == api.ViaSystem:
		b.WriteString(" by the runtime itself")
	case c.Via == api.ViaTerraform:
		b.WriteString(" with Terraform")
	default:
		b.WriteString(" through the API")
	}
	fmt.Fprintf(&b, " (revision %d).", c.Revision)
	if c.Emergency {
		b.WriteString(" It was done under an emergency ticket.")
	}
	switch back := c.Rollback; {
	case back == nil:
	case back.Run != "":
		fmt.Fprintf(&b, " It was a rollback of run %s.", back.Run)
	case back.To == 0:
		b.WriteString(" It was a rollback to before there was one.")
	default:
		fmt.Fprintf(&b, " It was a rollback to revision %d.", back.To)
	}
	return b.String()
}

// driftLines are the differences by attribute.
func (r *objectResource) driftLines(d *api.Drift) []string {
	var lines []string
	for i, c := range d.Patch {
		if c.Path == "" {
			continue // all of it
		}
		if i == maxDriftLines {
			return append(lines, fmt.Sprintf("and %d more", len(d.Patch)-i))
		}
		name := c.Path
		if at := r.attributePath(c.Path); !at.Equal(path.Empty()) {
			name = at.String()
		}
		switch {
		case c.Old == nil:
			lines = append(lines, fmt.Sprintf("%s: + %s", name, shortValue(c.Value)))
		case c.Value == nil:
			lines = append(lines, fmt.Sprintf("%s: - %s", name, shortValue(c.Old)))
		default:
			lines = append(lines, fmt.Sprintf("%s: %s → %s", name, shortValue(c.Old), shortValue(c.Value)))
		}
	}
	return lines
}

// shortValue is the beginning of a value. What can't be seen is written out: it would
// move the cursor, or show text the other way round.
func shortValue(v jsontext.Value) string {
	var b strings.Builder
	for i, r := range []rune(string(v)) {
		switch {
		case i == maxDriftValue:
			return b.String() + "…"
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// waysOn says what may be done about a drift.
func waysOn(d *api.Drift) string {
	return fmt.Sprintf("An apply takes it back, where the configuration says otherwise; terraform apply -refresh-only accepts it into the state; auditlb drift accept %s --workspace %q leaves it out of these warnings for a while.", d.Address, d.Workspace)
}

func workspaces(managers []api.DriftManager) string {
	names := make([]string, len(managers))
	for i, m := range managers {
		names[i] = m.Workspace
	}
	if len(names) == 1 {
		return "workspace " + names[0]
	}
	return "workspaces " + strings.Join(names, ", ")
}

// managersSentence names the other workspaces that manage an object.
func managersSentence(managers []api.DriftManager) string {
	parts := make([]string, len(managers))
	for i, m := range managers {
		parts[i] = fmt.Sprintf("workspace %s manages it too: %s by %s at %s in run %s (entry %d).",
			m.Workspace, managed(m.Op), m.Actor, m.At.UTC().Format(time.RFC3339), m.Run, m.Seq)
	}
	return upperFirst(strings.Join(parts, " "))
}

// managed is what an operation made of an object, in words.
func managed(op string) string {
	switch lb.Op(op) {
	case lb.OpCreate:
		return "created"
	case lb.OpUpdate:
		return "changed"
	}
	return op
}

// unattributed says why it is not known who did it.
func unattributed(err error) string {
	return " What else is known of it could not be asked for: " + err.Error() + "."
}
