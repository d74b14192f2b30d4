package provider

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/client"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// addViolations puts each violation on the attribute that caused it.
func (c codec) addViolations(diags *diag.Diagnostics, summary string, vs lb.Violations, note string) {
	for _, v := range vs {
		at := c.attributePath(v.Pointer)
		if at.Equal(path.Empty()) {
			diags.AddError(summary, upperFirst(v.Detail)+"."+note)
			continue
		}
		diags.AddAttributeError(visiblePath(at), summary, fmt.Sprintf("%s: %s.%s", at, v.Detail, note))
	}
}

// visiblePath is as much of a path as Terraform finds in a configuration's
// source: an attribute, or an element of a map in one. A path further into an
// attribute makes it point at the resource as a whole.
func visiblePath(at path.Path) path.Path {
	visible := path.Empty()
	for i, step := range at.Steps() {
		switch step := step.(type) {
		case path.PathStepAttributeName:
			if i > 0 {
				return visible
			}
			visible = visible.AtName(string(step))
		case path.PathStepElementKeyString:
			return visible.AtMapKey(string(step))
		}
	}
	return visible
}

// addError reports a failed call about an object. Doing is the call in words,
// such as "update", and revision what the caller believed the object to be at.
func (c codec) addError(diags *diag.Diagnostics, at lb.Address, doing lb.Op, revision int64, err error) {
	var violations lb.Violations
	if errors.As(err, &violations) {
		c.addViolations(diags, "Invalid "+at.String(), violations, "")
		return
	}
	var problem *api.Problem
	if !errors.As(err, &problem) || errors.Is(err, client.ErrLogin) {
		addCallError(diags, fmt.Sprintf("Can't %s %s", doing, at), err)
		return
	}
	switch {
	case problem.Code == api.CodePreconditionFailed:
		diags.AddError(conflict(at, doing, revision, problem))
	case problem.Code == api.CodeReferenced:
		diags.AddError(
			fmt.Sprintf("%s is still in use", at),
			fmt.Sprintf("It is referred to by %s. Remove those references first, or delete those objects in the same configuration.%s", strings.Join(problem.Referents, ", "), trace(problem)),
		)
	case problem.Code == api.CodeTicketDiffers:
		c.addViolations(diags, fmt.Sprintf("%s is not as it was approved", at), problem.Violations,
			" Plan again and have exactly that approved."+trace(problem))
	case len(problem.Violations) > 0:
		c.addViolations(diags, "Invalid "+at.String(), problem.Violations, trace(problem))
	default:
		diags.AddError(fmt.Sprintf("Can't %s %s", doing, at), upperFirst(problem.Detail)+trace(problem))
	}
}

// conflict tells who came first, and what to do about it.
func conflict(at lb.Address, doing lb.Op, revision int64, problem *api.Problem) (summary, detail string) {
	current := problem.Current
	if current == nil {
		return fmt.Sprintf("%s is not as planned", at),
			"It was deleted or changed by somebody else after this plan was made. Nothing was changed. Plan again to see what is there now." + trace(problem)
	}
	if doing == lb.OpCreate {
		return fmt.Sprintf("%s exists already", at),
			fmt.Sprintf("%s Nothing was changed. Import the object to manage it here (its import id is %q), or choose another name.%s", lastChange(current), at.Name, trace(problem))
	}
	return fmt.Sprintf("%s was changed by somebody else", at),
		fmt.Sprintf("%s This plan was made against revision %d. Nothing was changed. Plan again to see the difference and decide anew.%s", lastChange(current), revision, trace(problem))
}

// lastChange is a sentence on who changed an object last.
func lastChange(c *api.LastChange) string {
	done := map[lb.Op]string{lb.OpCreate: "created", lb.OpUpdate: "changed", lb.OpDelete: "deleted"}[c.Op]
	if done == "" {
		done = "changed"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "It was %s by %s at %s", done, c.Actor, c.At.UTC().Format(time.RFC3339))
	if c.Ticket != "" {
		fmt.Fprintf(&b, " under ticket %s", c.Ticket)
	}
	if c.Run != "" {
		fmt.Fprintf(&b, " in run %s", c.Run)
	}
	fmt.Fprintf(&b, " (revision %d).", c.Revision)
	return b.String()
}

// trace is where a refusal can be looked up.
func trace(p *api.Problem) string {
	where := []string{"code " + string(p.Code)}
	if p.Seq != 0 {
		where = append(where, fmt.Sprintf("recorded as entry %d", p.Seq))
	}
	if p.RequestID != "" {
		where = append(where, "request "+p.RequestID)
	}
	return " (" + strings.Join(where, ", ") + ")"
}

// addCallError reports a failed call that is about no object's attribute.
func addCallError(diags *diag.Diagnostics, summary string, err error) {
	var problem *api.Problem
	switch {
	case errors.Is(err, client.ErrLogin):
		diags.AddError(summary, "No session could be had: "+err.Error()+". See oidc in the provider block.")
	case errors.As(err, &problem):
		diags.AddError(summary, upperFirst(problem.Detail)+trace(problem))
	case client.IsUnreachable(err):
		diags.AddError(summary, fmt.Sprintf("The management API can't be reached: %s. Check the provider's endpoint (AUDITLB_ENDPOINT), that auditlb is running there, "+
			"and ca_cert_pem (AUDITLB_CA_CERT_PEM) if its certificate comes from an authority of your own. The call was tried several times; it is safe to run Terraform again.", err))
	default:
		diags.AddError(summary, upperFirst(err.Error())+".")
	}
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
