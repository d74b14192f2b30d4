package api

import (
	"time"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// DriftKinds lists how an object may not be as a workspace left it: something else
// changed it; it is gone; it was deleted and made anew; another workspace manages it
// too; the workspace imported it, and has not changed it since.
var DriftKinds = []string{DriftChanged, DriftDeleted, DriftRecreated, DriftAdopted, DriftImported}

// The kinds of drift.
const (
	DriftChanged   = "changed"
	DriftDeleted   = "deleted"
	DriftRecreated = "recreated"
	DriftAdopted   = "adopted"
	DriftImported  = "imported"
)

// What changes are made with, as the caller's user agent says.
const (
	ViaTerraform   = "terraform"
	ViaCommandLine = "command line"
	ViaAPI         = "api"
	ViaSystem      = "system"
)

// Drift is an object that is not as a workspace left it.
type Drift struct {
	// Address is kind/name.
	Address string `json:"address"`
	// Kind is one of DriftKinds.
	Kind      string `json:"kind"`
	Workspace string `json:"workspace"`
	// Baseline is the last change by the workspace, or its import; of an object that is
	// just imported, the last change by whoever.
	Baseline DriftBaseline `json:"baseline"`
	// Revision is the entry that changed the object last.
	Revision int64 `json:"revision"`
	// Changes are those since the baseline, newest first, at most 20 of Count.
	Changes []DriftChange `json:"changes"`
	// Count counts the changes since the baseline, up to 500.
	Count int `json:"count"`
	// Patch leads from the object at the baseline to what it is now.
	Patch []lb.Change `json:"patch"`
	// PatchState is left out when Patch is known. Otherwise it says what became of the
	// body of the baseline, see EntryRecord.BodyState, and PatchErasedBy in which entry.
	PatchState    string `json:"patch_state,omitzero"`
	PatchErasedBy int64  `json:"patch_erased_by,omitzero"`
	// Managers are the other workspaces that manage the object.
	Managers []DriftManager `json:"managers"`
	// Accepted is set when the drift is to be ignored for a while.
	Accepted *DriftAcceptance `json:"accepted,omitzero"`
	// Seen is the entry that says that this was seen.
	Seen int64 `json:"seen,omitzero"`
}

// DriftBaseline says by what, and how, a workspace left an object.
type DriftBaseline struct {
	// Revision is the object's at that time.
	Revision int64 `json:"revision"`
	// Seq is the entry: the change itself, or the import.
	Seq int64 `json:"seq"`
	// Op is create, update or imported.
	Op     string    `json:"op"`
	Actor  string    `json:"actor"`
	Ticket string    `json:"ticket,omitzero"`
	Run    string    `json:"run,omitzero"`
	At     time.Time `json:"at"`
}

// DriftChange is one change of an object since the baseline.
type DriftChange struct {
	LastChange
	// Workspace is that of the change's run, and Own whether it is the same as that
	// which the drift is about.
	Workspace string `json:"workspace,omitzero"`
	Own       bool   `json:"own,omitzero"`
	// OwnTicket is set when a run of the workspace planned or changed something under
	// the same ticket.
	OwnTicket bool `json:"own_ticket,omitzero"`
	// Emergency marks what was done under an emergency ticket.
	Emergency bool `json:"emergency,omitzero"`
	// Rollback is set on what took something back.
	Rollback *RollbackRef `json:"rollback,omitzero"`
	// Via is what the change was made with: terraform, command line, api or system. It
	// is what the client says of itself.
	Via string `json:"via"`
}

// DriftManager is a workspace that manages an object, with its newest entry about it.
type DriftManager struct {
	Workspace string `json:"workspace"`
	Seq       int64  `json:"seq"`
	// Op is create, update or imported.
	Op     string    `json:"op"`
	Actor  string    `json:"actor"`
	Ticket string    `json:"ticket,omitzero"`
	Run    string    `json:"run,omitzero"`
	At     time.Time `json:"at"`
}

// DriftList is a page of drift, by address.
type DriftList struct {
	// Workspace is the one that the list is about: that of the call's run or the only one
	// there is, when none was named. Empty when there are several.
	Workspace string `json:"workspace,omitzero"`
	// Workspaces lists those there are, at most 1,000, when the list is about none or
	// about one that manages nothing.
	Workspaces []string `json:"workspaces,omitzero"`
	// Managed counts the objects that the workspace manages.
	Managed int     `json:"managed"`
	Items   []Drift `json:"items"`
	// Accepted counts the accepted drift that the page leaves out.
	Accepted int    `json:"accepted"`
	Next     string `json:"next,omitzero"`
}

// DriftQuery selects drift.
type DriftQuery struct {
	// Workspace is by default that of the call's run or, without a run, the only one.
	Workspace string
	// Resource is the address of one object; empty: all.
	Resource string
	// All asks for accepted drift too, and for what was imported and is as it was.
	All    bool
	Limit  int
	Cursor string
}

// DriftSightingRequest is the body of POST /v1/drift/sightings: somebody looks at an
// object and has seen an earlier revision of it.
type DriftSightingRequest struct {
	Address string `json:"address"`
	// Base is the revision that was seen before; left out when Imported is set.
	Base int64 `json:"base,omitzero"`
	// Imported says that the run's workspace takes the object over as it is.
	Imported bool `json:"imported,omitzero"`
}

// DriftSighting answers a sighting.
type DriftSighting struct {
	// Drift is left out when there is none: nothing is different.
	Drift *Drift `json:"drift,omitzero"`
}

// DriftAcceptanceRequest is the body of POST /v1/drift/acceptances.
type DriftAcceptanceRequest struct {
	Address   string `json:"address"`
	Workspace string `json:"workspace"`
	// Until is when the drift is to be shown again, at most 90 days ahead.
	Until time.Time `json:"until,omitzero"`
	// Reason is why it may stay.
	Reason string `json:"reason"`
	// Revision, if given, is the one that the object must be at: what was looked at.
	Revision int64 `json:"revision,omitzero"`
	// Withdraw ends an acceptance.
	Withdraw bool `json:"withdraw,omitzero"`
}

// DriftAcceptance is drift that is left out of lists and of Terraform's warnings until
// it ends, or the object changes again.
type DriftAcceptance struct {
	Address   string    `json:"address"`
	Workspace string    `json:"workspace"`
	Kind      string    `json:"kind,omitzero"`
	Revision  int64     `json:"revision,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Ticket    string    `json:"ticket"`
	Reason    string    `json:"reason,omitzero"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	// Seq is the entry that says so.
	Seq int64 `json:"seq"`
	// Withdrawn is set in the answer to a withdrawal.
	Withdrawn bool `json:"withdrawn,omitzero"`
}

// MaxDriftAccepted is how long drift can be accepted for.
const MaxDriftAccepted = 90 * 24 * time.Hour
