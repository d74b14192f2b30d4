package api

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// PointForms says how a point in time is written.
const PointForms = "a revision such as 42, an RFC 3339 time, now, or run:ID for a run"

// Point is a moment of the configuration.
type Point struct {
	// Revision is the configuration: the fold of all entries with seq <= Revision.
	Revision int64 `json:"revision"`
	// Time is when the entry with that seq was recorded.
	Time time.Time `json:"time"`
}

// PastObject is an object as it was.
type PastObject struct {
	Object
	// BodyState is set when the log no longer holds the body that the object would be read
	// from (see EntryRecord). When it is erased or unavailable, Object is left out.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}

// State is a page of the configuration at a point in time, in order of address.
type State struct {
	At    Point        `json:"at"`
	Items []PastObject `json:"items"`
	Next  string       `json:"next,omitzero"`
}

// Diff is a page of what differs between two points in time, in order of address.
type Diff struct {
	From  Point        `json:"from"`
	To    Point        `json:"to"`
	Items []ObjectDiff `json:"items"`
	Next  string       `json:"next,omitzero"`
}

// ObjectDiff is what differs about one object.
type ObjectDiff struct {
	Address string `json:"address"`
	// Op leads from one to the other: create, update or delete.
	Op lb.Op `json:"op"`
	// From and To are the changes that made the object what it was at either point;
	// left out where there was no such object.
	From *LastChange `json:"from,omitzero"`
	To   *LastChange `json:"to,omitzero"`
	// Before, After and Patch are left out when a body they would be read from is gone.
	Before jsontext.Value `json:"before,omitzero"`
	After  jsontext.Value `json:"after,omitzero"`
	Patch  []lb.Change    `json:"patch"`
	// BodyState and BodyErasedBy are of the body that is gone, if one is.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}

// Blame says for each attribute of an object who set it.
type Blame struct {
	Address string `json:"address"`
	At      Point  `json:"at"`
	// Revision is the object's own at that point.
	Revision int64 `json:"revision"`
	// Deleted is set when the object had been deleted by then; it has no attributes.
	Deleted bool `json:"deleted,omitzero"`
	// Change is the last change of the object by then.
	Change     LastChange        `json:"change"`
	Attributes []BlamedAttribute `json:"attributes"`
	// BodyState and BodyErasedBy are set when the object's own body is gone.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}

// BlamedAttribute is an attribute with the change that set it.
type BlamedAttribute struct {
	// Pointer is a JSON pointer into the object. Arrays are one attribute, as are empty
	// objects.
	Pointer string         `json:"pointer"`
	Value   jsontext.Value `json:"value"`
	Change  LastChange     `json:"change"`
	// BodyState is set when the body of Change is gone: then it, or a change before it,
	// set the attribute.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
}
