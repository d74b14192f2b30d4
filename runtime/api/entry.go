package api

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Entry is one record of the log. Its fields up to BodyDigest are exactly the
// canonical header that the Merkle tree commits to.
type Entry struct {
	Version int       `json:"v"`
	Seq     int64     `json:"seq"`
	Time    time.Time `json:"time"`
	// Type is one of EntryTypes.
	Type  string `json:"type"`
	Actor Actor  `json:"actor"`
	// Ticket is the change ticket the call named, whether or not it was accepted.
	Ticket string `json:"ticket,omitzero"`
	// Run is the run the call named.
	Run     *RunRef  `json:"run,omitzero"`
	Request *Request `json:"request,omitzero"`
	// Resource is what the entry is about: "pool/web", "ticket/CHG-1042", "run/…".
	Resource string `json:"resource,omitzero"`
	Op       string `json:"op,omitzero"`
	// Owner is who owns the object that the entry is about: after the change, or
	// before it where there is no after.
	Owner string `json:"owner,omitzero"`
	// Rollback is set on what takes something back.
	Rollback *RollbackRef `json:"rollback,omitzero"`
	// Base is the revision of the object that the change was made to; 0 when
	// there was none.
	Base int64 `json:"base,omitzero"`
	// EffectDigest identifies what a plan or apply does, whoever does it and whenever.
	EffectDigest string `json:"effect_digest,omitzero"`
	// Plan is the seq of the plan entry that an apply fulfils.
	Plan int64 `json:"plan,omitzero"`
	// Unplanned marks an apply that no plan announced.
	Unplanned bool `json:"unplanned,omitzero"`
	// Emergency marks what was done, or tried, under an emergency ticket.
	Emergency bool `json:"emergency,omitzero"`
	// Outcome is "ok" or "refused".
	Outcome string `json:"outcome"`
	// Code is the problem code of a refusal.
	Code string `json:"code,omitzero"`
	// BodyDigest is the hex SHA-256 of the body's salt and bytes.
	BodyDigest string `json:"body_digest,omitzero"`
}

// EntryTypes lists the types of entry.
var EntryTypes = []string{"plan", "apply", "reject", "ticket", "run", "drift", "identity", "system"}

// Actor is who called, as their credential says.
type Actor struct {
	// Name is the actor's name: a token's owner, or system/… for the runtime itself.
	Name string `json:"name"`
	// Credential identifies what they showed: "token/…", "session/…" or
	// "certificate/…"; never a secret.
	Credential string `json:"credential,omitzero"`
	Role       string `json:"role,omitzero"`
	// Provider, Issuer and Subject are an identity provider's word for the actor:
	// its name in the configuration, and what its token said.
	Provider string `json:"provider,omitzero"`
	Issuer   string `json:"issuer,omitzero"`
	Subject  string `json:"subject,omitzero"`
}

// RunRef ties an entry to a run.
type RunRef struct {
	ID string `json:"id"`
	// Verified is true when the caller's credential proves that they are the run;
	// without it the id is only claimed.
	Verified bool `json:"verified"`
	// Proved is what the credential said of the run, by the names of RunClaims.
	Proved map[string]string `json:"proved,omitzero"`
	// Workspace is the run's at that time: the proved one, else the claimed one, else
	// its repository, else "default".
	Workspace string `json:"workspace,omitzero"`
}

// RollbackRef says what an entry takes back.
type RollbackRef struct {
	// Run is the run that is taken back; empty when an object, or everything, goes
	// back to a revision.
	Run string `json:"run,omitzero"`
	// To is the revision of the configuration whose object is restored. Absent: there
	// was no such object.
	To int64 `json:"to,omitzero"`
}

// Request is the call that made an entry.
type Request struct {
	ID        string `json:"id"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	SourceIP  string `json:"source_ip,omitzero"`
	UserAgent string `json:"user_agent,omitzero"`
	// BodyDigest is the hex SHA-256 of the call's body. It is left out where
	// the body carries a secret.
	BodyDigest string `json:"body_digest,omitzero"`
}

// EntryRecord is an entry with what stands beside it.
type EntryRecord struct {
	Entry
	// LeafHash is the RFC 6962 §2.1 hash of the entry's canonical header, base64.
	LeafHash string `json:"leaf_hash"`
	// TerraformAddress is what the entry's run calls the object, as far as it said so, see
	// RunAddresses. It is no part of the entry.
	TerraformAddress string `json:"terraform_address,omitzero"`
	// Body is what the entry is about. It is left out of lists.
	Body *EntryBody `json:"body,omitzero"`
	// Patch leads from before to after: RFC 6902 with old values. In lists
	// it is present when asked for with include=patch.
	Patch []lb.Change `json:"patch,omitzero"`
	// Undone are, in a list that has the patches, the first of the entries that a rollback
	// takes back, newest first; UndoneMore is set when its body has more of them.
	Undone     []int64 `json:"undone,omitzero"`
	UndoneMore bool    `json:"undone_more,omitzero"`
	// BodyState is left out while the log holds the body. Otherwise, where the body
	// was asked for, it is one of the states below, and BodyErasedBy the seq of the entry
	// that says that the body was erased from the log.
	BodyState    string `json:"body_state,omitzero"`
	BodyErasedBy int64  `json:"body_erased_by,omitzero"`
	// Evidence is the entry byte for byte. In lists it is present when asked for
	// with include=evidence.
	Evidence *EntryEvidence `json:"evidence,omitzero"`
}

// States of a body that the log no longer holds.
const (
	// BodyErased is nowhere any more, by policy.
	BodyErased = "erased"
	// BodyArchived comes from the archive, checked against BodyDigest.
	BodyArchived = "archived"
	// BodyUnavailable can't be had just now, or is not what was archived.
	BodyUnavailable = "unavailable"
)

// EntryBody is what an entry is about. The entry's BodyDigest commits to it.
type EntryBody struct {
	Before jsontext.Value `json:"before,omitzero"`
	After  jsontext.Value `json:"after,omitzero"`
	// Unknown lists the paths of a plan whose values were not known yet.
	Unknown []string `json:"unknown,omitzero"`
	// Warnings are what a plan was answered with.
	Warnings []string `json:"warnings,omitzero"`
	// Rules are the rules of policies that decided on a change.
	Rules []RuleOutcome `json:"rules,omitzero"`
	// Refusal is why a call was refused.
	Refusal *Refusal `json:"refusal,omitzero"`
	// Undone are the entries of the object that a rollback takes back, newest first,
	// at most 1,000.
	Undone []int64 `json:"undone,omitzero"`
}

// RuleOutcome is what a policy's rule said of a change.
type RuleOutcome struct {
	// Policy is the policy's name, and Revision the one that decided.
	Policy   string `json:"policy"`
	Revision int64  `json:"revision"`
	Rule     string `json:"rule"`
	// Result is passed, denied, error, or skipped because of an emergency.
	Result  string `json:"result"`
	Message string `json:"message,omitzero"`
}

// Refusal is the recorded reason of a refused call.
type Refusal struct {
	Code       string         `json:"code"`
	Detail     string         `json:"detail"`
	Violations []lb.Violation `json:"violations,omitzero"`
	// Current is who changed the object last, when a precondition failed.
	Current *LastChange `json:"current,omitzero"`
	// Referents are the addresses that still needed the object.
	Referents []string `json:"referents,omitzero"`
}

// EntryList is a page of entries, newest first. A page of a search for text may have no
// items and yet a next one: each looks at a bounded number of entries.
type EntryList struct {
	Items []EntryRecord `json:"items"`
	// Next is the seq of the oldest entry that was looked at.
	Next string `json:"next,omitzero"`
}

// EntryQuery filters entries. Zero fields don't filter.
type EntryQuery struct {
	Resource, Run, Ticket, Actor, Workspace, Owner string
	// Type is one of EntryTypes, or several of them with commas between.
	Type         string
	Since, Until time.Time
	// Text is a part of the entry or its body, as recorded, in capitals or not.
	Text string
	// Limit is the page's size, 1 to MaxPageSize; 0 means DefaultPageSize.
	Limit  int
	Cursor string
	// IncludePatch asks for each entry's patch.
	IncludePatch bool
	// IncludeEvidence asks for each entry byte for byte, in place of its patch.
	IncludeEvidence bool
}

// Page sizes of lists.
const (
	DefaultPageSize = 50
	MaxPageSize     = 500
)

// MaxTextLength bounds a text that is searched for, in bytes.
const MaxTextLength = 200
