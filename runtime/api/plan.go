package api

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// PlanRequest is the body of POST /v1/plans: a change that somebody intends.
type PlanRequest struct {
	Kind lb.Kind `json:"kind"`
	Name string  `json:"name"`
	Op   lb.Op   `json:"op"`
	// Object is the object as it would be; left out for a deletion. Values not
	// known yet are left out and listed in Unknown.
	Object jsontext.Value `json:"object,omitzero"`
	// Unknown lists JSON pointers into Object whose values are not known yet.
	Unknown []string `json:"unknown,omitzero"`
}

// Plan answers a planned change.
type Plan struct {
	// Seq is the plan's entry. Planning the same change again in the same run
	// answers the same entry.
	Seq          int64  `json:"seq"`
	Op           lb.Op  `json:"op"`
	EffectDigest string `json:"effect_digest"`
	// Base is the revision of the object that the change was planned for; 0 when there
	// was none, or when it is to be created.
	Base  int64       `json:"base,omitzero"`
	Patch []lb.Change `json:"patch"`
	// Warnings are things that would stop the change if it were applied now,
	// but may be in order by then.
	Warnings []string `json:"warnings"`
	// Repeated is set when the run had planned the same before: the answer is then what
	// was answered to that.
	Repeated bool `json:"repeated,omitzero"`
}
