package api

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// EffectStatuses lists what may have become of an effect of a run: applied as planned, in
// the run or another; planned and not applied so far; refused; applied and not planned.
var EffectStatuses = []string{EffectApplied, EffectNotApplied, EffectFailed, EffectUnplanned}

// What may have become of an effect.
const (
	EffectApplied    = "applied"
	EffectNotApplied = "not_applied"
	EffectFailed     = "failed"
	EffectUnplanned  = "unplanned"
)

// RunOutcomes lists the words for all effects of a run, of which the first holds that is
// so: something was refused; something was applied that nobody planned; there is more than
// a report looks at; some is applied; nothing is applied so far; everything is applied as
// planned; there was nothing to do.
var RunOutcomes = []string{RunFailed, RunUnplanned, RunUnclear, RunPartial, RunPlanned, RunApplied, RunNothing}

// The words for all effects of a run.
const (
	RunFailed    = "failed"
	RunUnplanned = "unplanned"
	RunUnclear   = "unclear"
	RunPartial   = "partial"
	RunPlanned   = "planned"
	RunApplied   = "applied"
	RunNothing   = "nothing"
)

// RunReport says what became of what a run planned: planned against applied, effect by
// effect, by address. It is a page of the effects; the rest is about all of them.
type RunReport struct {
	Run Run `json:"run"`
	// Link is the URL that the run claims, if it is one of http or https.
	Link string `json:"link,omitzero"`
	// Overall is one of RunOutcomes.
	Overall string       `json:"overall"`
	Counts  EffectCounts `json:"counts"`
	// Tickets are those under which the run planned, or what it planned was applied, and
	// recent ones that are bound to what it planned; at most 50.
	Tickets []Ticket `json:"tickets"`
	// Actors are who acted in the run, at most 50.
	Actors  []RunActor  `json:"actors"`
	Effects []RunEffect `json:"effects"`
	// LeftOut is how many entries of the run there are beyond those that the report looks
	// at, the oldest ones.
	LeftOut int    `json:"left_out,omitzero"`
	Next    string `json:"next,omitzero"`
}

// EffectCounts is how many effects there are of each status.
type EffectCounts struct {
	Applied    int `json:"applied"`
	NotApplied int `json:"not_applied"`
	Failed     int `json:"failed"`
	Unplanned  int `json:"unplanned"`
}

// RunActor is somebody who acted in a run.
type RunActor struct {
	Actor
	// Verified is set when their credential proved that they are the run.
	Verified bool `json:"verified"`
}

// RunEffect is an operation on an object, and what became of it.
type RunEffect struct {
	Address string `json:"address"`
	// TerraformAddress is what the run calls the object, if it said so.
	TerraformAddress string `json:"terraform_address,omitzero"`
	Op               lb.Op  `json:"op"`
	// Status is one of EffectStatuses.
	Status string `json:"status"`
	// EffectDigest is the plan's, else the change's.
	EffectDigest string `json:"effect_digest,omitzero"`
	// Ticket is that of the change, else of the refusal, else of the plan.
	Ticket string `json:"ticket,omitzero"`
	// Plan is the newest plan of the run, or what a change of the run fulfils: its Run
	// may be another.
	Plan *EffectEntry `json:"plan,omitzero"`
	// Apply is the change. Its Run may be another, or none.
	Apply *EffectEntry `json:"apply,omitzero"`
	// Refusal is the newest since the plan, also of what was applied after all.
	Refusal *EffectRefusal `json:"refusal,omitzero"`
	// Patch is what was done, else what was planned or tried.
	Patch []lb.Change `json:"patch"`
	// Unknown lists the paths of the plan whose values were not known yet, and Warnings
	// what it was answered with.
	Unknown  []string `json:"unknown,omitzero"`
	Warnings []string `json:"warnings,omitzero"`
	// Emergency marks what was done under an emergency ticket, and Rollback what took
	// something back.
	Emergency bool         `json:"emergency,omitzero"`
	Rollback  *RollbackRef `json:"rollback,omitzero"`
	// BodyState and BodyErasedBy are those of the entry that Patch is read from.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}

// EffectEntry is an entry about an effect.
type EffectEntry struct {
	Seq   int64     `json:"seq"`
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	Run   string    `json:"run,omitzero"`
	// Verified is set when the actor's credential proved that they are that run.
	Verified bool   `json:"verified,omitzero"`
	Ticket   string `json:"ticket,omitzero"`
}

// EffectRefusal is why an effect was refused.
type EffectRefusal struct {
	EffectEntry
	// Planning is set when it was to be planned, and not yet to be done.
	Planning bool `json:"planning,omitzero"`
	Code     Code `json:"code"`
	// Detail and what follows are left out when the refusal's body is gone.
	Detail string `json:"detail,omitzero"`
	// Violations name the fields that differ, or are wrong.
	Violations []lb.Violation `json:"violations,omitzero"`
	// Current is who changed the object last, when a precondition failed.
	Current *LastChange `json:"current,omitzero"`
}

// RunAddresses is the body of PUT /v1/run-addresses/{id}: what the resources of a run are
// called in its configuration.
type RunAddresses struct {
	// Addresses holds Terraform's address of each object, such as
	// module.edge.auditlb_pool.web of pool/web. At most MaxRunAddresses.
	Addresses map[string]string `json:"addresses"`
}

// RunAddressesKept answers what is kept of it.
type RunAddressesKept struct {
	// ID is the run's.
	ID        string            `json:"id"`
	Addresses map[string]string `json:"addresses"`
	// Seq is the entry that says so.
	Seq int64 `json:"seq"`
}

// Bounds of what a run says of its resources.
const (
	MaxRunAddresses = 5000
	// MaxTerraformAddressLength is in bytes.
	MaxTerraformAddressLength = 1024
	// MaxRunAddressesBytes bounds the whole as canonical JSON.
	MaxRunAddressesBytes = 1 << 20
)
