package api

import (
	"time"
)

// RunClaims is what a run says of itself: one execution of Terraform, as its CI
// or its environment describes it. Nothing of it has been verified.
type RunClaims struct {
	// System is where the run executes, such as github, gitlab, jenkins or local.
	System string `json:"system"`
	// Tool is the program, such as "terraform" or "tofu", and its version.
	Tool        string `json:"tool,omitzero"`
	ToolVersion string `json:"tool_version,omitzero"`
	// Phase is "plan" or "apply" where the system tells.
	Phase string `json:"phase,omitzero"`
	// Workspace is the Terraform workspace or the CI's name for it.
	Workspace string `json:"workspace,omitzero"`
	// URL leads to the run in its CI.
	URL        string `json:"url,omitzero"`
	Repository string `json:"repository,omitzero"`
	Commit     string `json:"commit,omitzero"`
	// Attempt counts re-executions of the same run, from 1.
	Attempt string `json:"attempt,omitzero"`
	// Actor is the person or account that the CI says caused the run.
	Actor string `json:"actor,omitzero"`
	// Host is where a run without a CI executes.
	Host string `json:"host,omitzero"`
}

// MaxRunIDLength bounds a run's id, and MaxRunClaimLength each of its claims, in bytes.
const (
	MaxRunIDLength    = 200
	MaxRunClaimLength = 512
)

// Run is a run as the API answers it.
type Run struct {
	ID     string    `json:"id"`
	Claims RunClaims `json:"claimed"`
	// Proof is what a token of the run's CI proved of it; nil as long as none did.
	Proof *RunProof `json:"proof,omitzero"`
	// RegisteredBy is the actor who registered the run first.
	RegisteredBy string    `json:"registered_by"`
	FirstSeen    time.Time `json:"first_seen"`
	// Seq is the entry that recorded the registration, or its latest update.
	Seq    int64     `json:"seq"`
	Counts RunCounts `json:"counts"`
}

// RunProof is an identity provider's word for a run. It stands apart from what
// the run claims.
type RunProof struct {
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	// Facts are what the token said, by the names of RunClaims.
	Facts map[string]string `json:"facts,omitzero"`
}

// RunCounts says what a run has left in the log.
type RunCounts struct {
	Planned int `json:"planned"`
	Applied int `json:"applied"`
	Refused int `json:"refused"`
}

// RunList is a page of runs, newest first.
type RunList struct {
	Items []Run  `json:"items"`
	Next  string `json:"next,omitzero"`
}
