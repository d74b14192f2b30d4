package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// BeforeNewest takes an object back to before its newest change.
const BeforeNewest = -1

// Rollback is what is to be taken back: an object, what a run did, or everything.
type Rollback struct {
	Address    lb.Address
	Run        string
	Everything bool
	// To is the revision of the configuration to go back to, or, of an object,
	// BeforeNewest. A run knows itself where to.
	To int64
	// Governance takes freeze windows and policies back with everything else.
	Governance bool
	// Expect, if not empty, is the set digest of what was previewed, and PreviewAt the
	// entry that the preview was as of, if known.
	Expect    string
	PreviewAt int64
}

// subject is what the call is about, for the record of a refusal.
func (r *Rollback) subject() Subject {
	const op = "rollback"
	switch {
	case r.Run != "":
		return Subject{runPrefix + "/" + r.Run, op}
	case r.Everything:
		return Subject{"configuration", op}
	}
	return Subject{r.Address.String(), op}
}

// Undoing is a rollback that was worked out.
type Undoing struct {
	Rollback
	// At is the newest entry that it takes into account.
	At int64
	// Effects are by address; without any there is nothing to do.
	Effects    []Undo
	Conflicts  []Conflict
	Impossible []Impossible
	// Left are freeze windows and policies that are not as they were, and stay.
	Left []lb.Address
	// Digest is that of the set of effects, see [ticket.SetDigest].
	Digest string

	// changedByRun has the first change of each object by the run that is taken back.
	changedByRun map[lb.Address]int64
}

// Conflict is a change that would be taken back although it is another one.
type Conflict struct {
	Address lb.Address
	audit.LastChange
	// More stands for changes that were not looked at: there are too many.
	More bool

	change string
}

// String names the change.
func (c *Conflict) String() string {
	if c.More {
		return fmt.Sprintf("%s, more than %d times", c.Address, audit.MaxUndone)
	}
	by := fmt.Sprintf("%s in revision %d by %s at %s", c.Address, c.Revision, c.Actor, c.At.Format(time.RFC3339))
	if c.Ticket != "" {
		by += " under ticket " + c.Ticket
	}
	if c.Run != "" {
		by += " in run " + c.Run
	}
	return by
}

// Impossible is an object that can't be restored, and why.
type Impossible struct {
	Address    lb.Address
	Code       string
	Detail     string
	Violations lb.Violations
}

// RollBack makes a rollback, as it was worked out: all of it at once, or nothing. With
// nothing to do the outcome is Unchanged.
func (c *Controller) RollBack(ctx context.Context, call Call, u *Undoing) (Outcome, error) {
	call, err := c.consult(ctx, call)
	if err != nil {
		return Outcome{}, err
	}
	set, weight, err := c.prepare(ctx, u.changes())
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, u.subject(), weight, func(b *batch) (draft, error) {
		if err := b.stands(u); err != nil {
			return draft{}, err
		}
		if u.Expect != "" && u.Expect != u.Digest {
			return draft{}, b.notAsPreviewed(u)
		}
		if len(set) == 0 && len(u.Impossible) == 0 {
			return draft{existing: &Outcome{Unchanged: true}}, nil
		}
		if d, err := b.impossible(u); err != nil {
			return d, err
		}
		return c.changeAll(b, call, set, weight, u.permitted)
	})
}

func (u *Undoing) changes() []Change {
	out := make([]Change, len(u.Effects))
	for i := range u.Effects {
		out[i] = u.Effects[i].Change
	}
	return out
}

// impossible refuses a rollback of what can't be restored.
func (b *batch) impossible(u *Undoing) (draft, error) {
	if len(u.Impossible) == 0 {
		return draft{}, nil
	}
	x := &u.Impossible[0]
	d := draft{subject: Subject{x.Address.String(), u.subject().Op}}
	refused := refuse(x.Code, "%s", x.Detail)
	refused.Violations = x.Violations
	if more := len(u.Impossible) - 1; more > 0 {
		refused.Detail += fmt.Sprintf("; nor can %d other objects", more)
	}
	return d, refused
}

// permitted holds the conflicts of a rollback to its ticket: one that says that they are
// to be overridden, or whose approvers saw exactly these effects.
func (u *Undoing) permitted(t *ticket.Ticket) error {
	if len(u.Conflicts) == 0 || t.OverrideConflicts {
		return nil
	}
	if t.Binding != nil && t.Type != ticket.Emergency && ticket.SetDigest(t.Binding.Effects) == u.Digest {
		return nil
	}
	names := make([]string, 0, maxNamed+1)
	for i := range u.Conflicts[:min(len(u.Conflicts), maxNamed)] {
		names = append(names, u.Conflicts[i].String())
	}
	if more := len(u.Conflicts) - maxNamed; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	r := refuse(CodeRollbackConflict, "changed since by others, which would be taken back too: %s. It takes a ticket that overrides conflicts, or one that is bound to exactly these effects", strings.Join(names, "; "))
	for i := range u.Conflicts[:min(len(u.Conflicts), lb.MaxViolations)] {
		c := &u.Conflicts[i]
		r.Violations = append(r.Violations, lb.Violation{Pointer: "/conflicts/" + fmt.Sprint(i), Detail: c.String()})
	}
	if !u.Conflicts[0].More {
		r.Current = &u.Conflicts[0].LastChange
	}
	return r
}
