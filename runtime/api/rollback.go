package api

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// RollbackRequest is the body of POST /v1/rollbacks. Exactly one of Resource, Run and
// Everything says what is taken back.
type RollbackRequest struct {
	// Resource is an object's address, such as pool/web.
	Resource string `json:"resource,omitzero"`
	// Run takes each object that the run changed to what it was before.
	Run string `json:"run,omitzero"`
	// Everything takes the whole configuration back.
	Everything bool `json:"everything,omitzero"`
	// To is the point in time to go back to, see PointForms; a run stands for the moment
	// just before its first change. Left out of a resource: before its newest change,
	// which is refused if that is a rollback. Not of a run.
	To string `json:"to,omitzero"`
	// IncludeGovernance takes freeze windows and policies back with everything else.
	IncludeGovernance bool `json:"include_governance,omitzero"`
	// DryRun answers what would be done, and does nothing. In a run the effects are
	// recorded as its plans.
	DryRun bool `json:"dry_run,omitzero"`
	// Expect is the EffectsDigest of a preview: another one is refused. PreviewAt is that
	// preview's At, so that the refusal can say what was changed since.
	Expect    string `json:"expect,omitzero"`
	PreviewAt int64  `json:"preview_at,omitzero"`
}

// Rollback answers POST /v1/rollbacks: what it does, or would do.
type Rollback struct {
	// Resource, Run and Everything are as asked for.
	Resource   string `json:"resource,omitzero"`
	Run        string `json:"run,omitzero"`
	Everything bool   `json:"everything,omitzero"`
	// To is the revision of the configuration that a preview goes back to. Of a run there
	// is none: each object has its own.
	To *int64 `json:"to,omitzero"`
	// DryRun is set when nothing was done.
	DryRun bool `json:"dry_run,omitzero"`
	// At is the newest entry that a preview takes into account.
	At int64 `json:"at,omitzero"`
	// PlannedIn is the run that the effects of a preview were recorded in as plans.
	PlannedIn string `json:"planned_in,omitzero"`
	// Revision is the configuration afterwards; left out of a preview and when there was
	// nothing to do.
	Revision int64 `json:"revision,omitzero"`
	// EffectsDigest is the hex SHA-256 of the set of effects. A ticket that is bound to
	// exactly these has it as its SetDigest.
	EffectsDigest string `json:"effects_digest"`
	// Uses is how many changes of a ticket it takes.
	Uses int `json:"uses"`
	// Effects are by address; without any there is nothing to do.
	Effects []RollbackEffect `json:"effects"`
	// Conflicts are changes that would be taken back although they are others than the
	// one that is meant: the run's, or else the oldest of all. What was changed in one run,
	// or without one under one ticket, is one change. It takes a ticket that overrides them,
	// or one that is bound to exactly these effects. Only of a preview.
	Conflicts []RollbackConflict `json:"conflicts"`
	// Impossible are objects that can't be restored: nothing is done while there is one.
	Impossible []RollbackImpossible `json:"impossible"`
	// Left are freeze windows and policies that are not as they were, and stay as they are.
	Left     []string `json:"left,omitzero"`
	Warnings []string `json:"warnings"`
}

// RollbackEffect is what is done to one object.
type RollbackEffect struct {
	Address      string `json:"address"`
	Op           lb.Op  `json:"op"`
	EffectDigest string `json:"effect_digest"`
	// From is the entry that made the object what it is, or that deleted it, and To the
	// revision of the object that is restored; left out when there was none.
	From int64 `json:"from"`
	To   int64 `json:"to,omitzero"`
	// Seq is the entry that was recorded: the change, or of a preview in a run the plan.
	Seq    int64          `json:"seq,omitzero"`
	Before jsontext.Value `json:"before,omitzero"`
	After  jsontext.Value `json:"after,omitzero"`
	Patch  []lb.Change    `json:"patch"`
	// Undone are the entries that are taken back, newest first, at most 1,000; UndoneMore is
	// set when there are more.
	Undone     []int64 `json:"undone"`
	UndoneMore bool    `json:"undone_more,omitzero"`
}

// RollbackConflict is a change that is another one than what is to be taken back.
type RollbackConflict struct {
	Address  string    `json:"address"`
	Revision int64     `json:"revision,omitzero"`
	Op       lb.Op     `json:"op,omitzero"`
	Actor    string    `json:"actor,omitzero"`
	Ticket   string    `json:"ticket,omitzero"`
	Run      string    `json:"run,omitzero"`
	At       time.Time `json:"at,omitzero"`
	// More stands, alone, for further changes: there are too many to be looked at.
	More bool `json:"more,omitzero"`
}

// RollbackImpossible is an object that can't be restored, and why.
type RollbackImpossible struct {
	Address    string         `json:"address"`
	Code       Code           `json:"code"`
	Detail     string         `json:"detail"`
	Violations []lb.Violation `json:"violations,omitzero"`
}
