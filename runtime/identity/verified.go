package identity

import "time"

// Verified is what an identity provider's token proved of a caller. It is kept
// apart from what the caller claims.
type Verified struct {
	// Provider is the name that the configuration gives the identity provider.
	Provider string `json:"provider"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"subject"`
	// Run is the execution that the token was made for; its ID is empty when the
	// token is a person's or doesn't tell.
	Run VerifiedRun `json:"run,omitzero"`
}

// VerifiedRun is an execution of Terraform as its CI vouches for it. The names
// are those of the claims that a run makes of itself, so that the two compare.
type VerifiedRun struct {
	// ID has the form that the provider finds in the CI's environment, such as
	// github/acme/infra/123/1.
	ID          string `json:"id"`
	System      string `json:"system,omitzero"`
	Phase       string `json:"phase,omitzero"`
	Workspace   string `json:"workspace,omitzero"`
	URL         string `json:"url,omitzero"`
	Repository  string `json:"repository,omitzero"`
	Commit      string `json:"commit,omitzero"`
	Ref         string `json:"ref,omitzero"`
	Attempt     string `json:"attempt,omitzero"`
	Actor       string `json:"actor,omitzero"`
	Environment string `json:"environment,omitzero"`
	Workflow    string `json:"workflow,omitzero"`
}

// PhasePlan is the phase of a run in which nothing can be applied.
const PhasePlan = "plan"

// Login is an accepted token of an identity provider, ready to be exchanged for
// a session.
type Login struct {
	// Actor has a name, a role, scopes and what was verified; no credential yet.
	Actor Actor
	// TokenID is the hex SHA-256 of the token's issuer and jti, or of the part of
	// the token that is signed when it has no jti. Exchanges are counted under it.
	TokenID string
	// ExpiresAt is when the token itself ends.
	ExpiresAt time.Time
	// Session is how long a session may live.
	Session time.Duration
	// Exchanges is how many sessions one token may be exchanged for.
	Exchanges int
}

// Facts are the run's attributes by the names that claims have, without its id
// and those that are empty; nil when there are none.
func (r *VerifiedRun) Facts() map[string]string {
	var facts map[string]string
	for name, value := range map[string]string{
		"system": r.System, "phase": r.Phase, "workspace": r.Workspace, "url": r.URL, "repository": r.Repository,
		"commit": r.Commit, "ref": r.Ref, "attempt": r.Attempt, "actor": r.Actor, "environment": r.Environment, "workflow": r.Workflow,
	} {
		if value == "" {
			continue
		}
		if facts == nil {
			facts = map[string]string{}
		}
		facts[name] = value
	}
	return facts
}
