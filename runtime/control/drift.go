package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// Bounds of drift.
const (
	// MaxDriftAccepted is how long drift can be accepted for.
	MaxDriftAccepted = 90 * 24 * time.Hour
	// MaxDriftChanges bounds the changes of a drift that are returned, and
	// maxDriftCounted those that are looked at.
	MaxDriftChanges = 20
	maxDriftCounted = 500
)

// Drift is an object that is not as a workspace left it: something else changed it
// since, with a difference that is still there, or another workspace manages it too.
type Drift struct {
	Address   lb.Address
	Kind      audit.DriftKind
	Workspace string
	// Baseline is the entry by which the workspace last changed or imported the object,
	// and Left the revision that the object had then.
	Baseline audit.Entry
	Left     int64
	// Revision is the entry that changed the object last.
	Revision int64
	// Changes are those since the baseline, newest first, at most MaxDriftChanges of
	// Count. Counting stops early: More is set when there are more.
	Changes []DriftChange
	Count   int
	More    bool
	// Was is the object as the workspace left it and Is as it is now; nil for none. Of a
	// baseline whose body was erased, Erased is the entry that held it, and Was unknown.
	Was, Is jsontext.Value
	Erased  *audit.Row
	// Managers are the newest entries of the other workspaces that manage the object.
	Managers []audit.Entry
	// Accepted is set when the drift is to be ignored.
	Accepted *AcceptedDrift
	// Seen is the entry that says that this was seen; 0 when none does.
	Seen int64
}

// DriftChange is one change since the baseline.
type DriftChange struct {
	audit.Entry
	// OwnTicket reports whether a run of the workspace planned or changed something
	// under the same ticket.
	OwnTicket bool
}

// AcceptedDrift is an acceptance with the entry that made it.
type AcceptedDrift struct {
	audit.AcceptedDrift
	Seq int64
}

// sighting is what an entry says of a drift.
func (d *Drift) sighting() audit.Sighting {
	s := audit.Sighting{Workspace: d.Workspace, Kind: d.Kind, Baseline: d.Left, Revision: d.Revision, Changes: d.Count, Owner: ownerIn(d.Is)}
	if d.Kind == audit.DriftImported {
		s.Baseline = 0
	}
	if s.Owner == "" {
		s.Owner = ownerIn(d.Was)
	}
	switch {
	case len(d.Changes) > 0:
		s.Last = d.Changes[0].LastChange()
	default:
		s.Last = d.Baseline.LastChange()
	}
	for _, m := range d.Managers {
		s.Managers = append(s.Managers, m.WorkspaceName())
	}
	return s
}

// ownerIn is the owner of an object, or "".
func ownerIn(object jsontext.Value) string {
	var owned struct {
		Owner string `json:"owner"`
	}
	if object == nil || json.Unmarshal(object, &owned) != nil {
		return ""
	}
	return owned.Owner
}

// SeeDrift records that a caller saw a drift. The same drift is one entry, however
// often it is seen.
func (c *Controller) SeeDrift(ctx context.Context, call Call, d *Drift) (Outcome, error) {
	address, seen := d.Address.String(), d.sighting()
	digest, err := seen.Digest(address)
	if err != nil {
		return Outcome{}, err
	}
	after, err := lb.Canonical(seen)
	if err != nil {
		return Outcome{}, err
	}
	return c.submit(ctx, call, Subject{address, string(d.Kind)}, len(after), func(b *batch) (draft, error) {
		drawn := draft{kind: audit.TypeDrift, base: d.Revision, effect: digest, body: audit.Body{After: after}}
		if err := b.checkRun(call); err != nil {
			return drawn, err
		}
		seq, ok, err := b.planOf(digest, "")
		if err != nil || !ok {
			return drawn, err
		}
		outcome, err := b.outcome(seq)
		if errors.Is(err, errBodyErased) {
			err = nil
		}
		outcome.Unchanged = true
		return draft{existing: &outcome}, err
	})
}

// DriftAcceptance asks that a drift be ignored for a while, or, with Withdraw, no longer.
type DriftAcceptance struct {
	Workspace string
	Address   lb.Address
	Until     time.Time
	Reason    string
	// Revision, if not 0, is the one that the object must be at: what was looked at.
	Revision int64
	Withdraw bool
}

func (a *DriftAcceptance) check(now time.Time) lb.Violations {
	var vs lb.Violations
	if msg := ticket.CheckReason(a.Reason); msg != "" {
		vs = append(vs, lb.Violation{Pointer: "/reason", Detail: msg})
	}
	switch {
	case a.Withdraw:
	case !a.Until.After(now):
		vs = append(vs, lb.Violation{Pointer: "/until", Detail: "must be a time to come: drift is accepted for a while, never for good"})
	case a.Until.Sub(now) > MaxDriftAccepted:
		vs = append(vs, lb.Violation{Pointer: "/until", Detail: fmt.Sprintf("is more than %d days away", int(MaxDriftAccepted.Hours()/24))})
	}
	return vs
}

// AcceptDrift leaves a drift out of lists and warnings until a time, or until the
// object changes again. It takes a ticket that admits an update of the object.
func (c *Controller) AcceptDrift(ctx context.Context, call Call, a DriftAcceptance, bodies Bodies) (Outcome, error) {
	call, err := c.consult(ctx, call)
	if err != nil {
		return Outcome{}, err
	}
	found, err := c.DriftOf(ctx, a.Workspace, a.Address, bodies)
	if err != nil {
		return Outcome{}, err
	}
	resource, op := audit.DriftResource(a.Workspace, a.Address.String()), audit.OpAcceptDrift
	if a.Withdraw {
		op = audit.OpWithdrawDrift
	}
	return c.submit(ctx, call, Subject{resource, op}, 0, func(b *batch) (draft, error) {
		d := draft{kind: audit.TypeDrift}
		var held audit.AcceptedDrift
		revision, err := b.state(resource, &held)
		if err != nil {
			return d, err
		}
		if revision != 0 {
			d.base = revision
			if d.body.Before, err = lb.Canonical(held); err != nil {
				return d, err
			}
		}
		if _, err := b.gate(call, lb.OpUpdate, a.Address); err != nil {
			return d, err
		}
		if vs := a.check(b.time()); len(vs) > 0 {
			return d, refuseFields(CodeInvalid, "the acceptance is not valid", vs)
		}
		if a.Withdraw {
			if revision == 0 {
				return d, refuse(CodeNotFound, "no drift of %s is accepted for workspace %s", a.Address, a.Workspace)
			}
			return d, nil
		}
		if err := b.acceptable(a, found); err != nil {
			return d, err
		}
		d.body.After, err = lb.Canonical(audit.AcceptedDrift{
			Workspace: a.Workspace, Address: a.Address.String(), Kind: found.Kind, Revision: found.Revision,
			Until: a.Until.UTC().Truncate(time.Second), Ticket: call.Ticket, Reason: a.Reason, By: call.Actor.Name, At: b.time(),
		})
		return d, err
	})
}

// acceptable refuses to accept what is no drift, or not the one that was looked at.
func (b *batch) acceptable(a DriftAcceptance, found *Drift) error {
	if found == nil || found.Kind == audit.DriftImported {
		return refuse(CodeNotFound, "%s is as workspace %s left it, or is none of its objects: there is no drift to accept", a.Address, a.Workspace)
	}
	current := b.view.get(a.Address)
	moved := current == nil && found.Is != nil || current != nil && current.Last.Revision != found.Revision
	if moved || a.Revision != 0 && a.Revision != found.Revision {
		return refuse(CodePreconditionFailed, "%s was changed since it was looked at: it is at revision %d now; look at it again", a.Address, found.Revision)
	}
	return nil
}

// accepted is the acceptance that covers a drift, or nil.
func (c *Controller) accepted(ctx context.Context, d *Drift) (*AcceptedDrift, error) {
	current, err := c.opts.Store.Current(ctx, audit.DriftResource(d.Workspace, d.Address.String()))
	if err != nil || current == nil || current.State == nil {
		return nil, err
	}
	a := AcceptedDrift{Seq: current.Seq}
	if err := json.Unmarshal(current.State, &a.AcceptedDrift); err != nil {
		return nil, fmt.Errorf("state of %s: %w", current.Resource, err)
	}
	if a.Workspace != d.Workspace || a.Kind != d.Kind || a.Revision != d.Revision || !c.opts.Now().Before(a.Until) {
		return nil, nil
	}
	return &a, nil
}

// WorkspaceOf is the workspace that a call's run belongs to, or "" for none and for one
// that is not registered.
func (c *Controller) WorkspaceOf(ctx context.Context, call Call) (string, error) {
	if call.runVerified() && call.Actor.Verified.Run.Workspace != "" {
		return call.Actor.Verified.Run.Workspace, nil
	}
	if call.Run == "" {
		return "", nil
	}
	run, err := c.RunByID(ctx, call.Run)
	if err != nil || run == nil {
		return "", err
	}
	return run.Workspace()
}

// via is what a change was made with, as far as its request tells.
func via(e *audit.Entry) string {
	agent := ""
	if e.Request != nil {
		agent = e.Request.UserAgent
	}
	switch {
	case strings.HasPrefix(e.Actor.Name, systemPrefix):
		return ViaSystem
	case strings.HasPrefix(agent, "terraform-provider-auditlb/"):
		return ViaTerraform
	case strings.HasPrefix(agent, "auditlb/"):
		return ViaCommandLine
	}
	return ViaAPI
}

// What changes are made with. It is claimed by the client, and proves nothing.
const (
	ViaTerraform   = "terraform"
	ViaCommandLine = "command line"
	ViaAPI         = "api"
	ViaSystem      = "system"

	systemPrefix = "system/"
)

// Via is what the change was made with.
func (d *DriftChange) Via() string { return via(&d.Entry) }
