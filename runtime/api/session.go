package api

import "time"

// SessionRequest is the body of POST /v1/sessions: a token of an identity
// provider (OpenID Connect) that the runtime is configured to trust.
type SessionRequest struct {
	// Token is the provider's ID token, a JWT. It is verified and forgotten.
	Token Secret `json:"token"`
}

// Session answers POST /v1/sessions: the only time the secret is seen.
type Session struct {
	// Secret is a bearer token for the calls that follow.
	Secret string `json:"secret"`
	// ExpiresAt ends the session. Exchange a token again for another one.
	ExpiresAt time.Time `json:"expires_at"`
	// Identity is who the token says you are.
	Identity Identity `json:"identity"`
}

// Identity is who a caller is, and what they may do.
type Identity struct {
	Actor
	// Scopes are globs over what the role is good for. None: everything.
	Scopes []string `json:"scopes,omitzero"`
	// Permissions are what the role may do, in words.
	Permissions []string `json:"permissions"`
	// Run is the run that the credential was made for, if it proves one.
	Run *RunRef `json:"run,omitzero"`
}

// Access answers GET /v1/access: whether a change would be admitted, and why.
type Access struct {
	Allowed bool `json:"allowed"`
	// Checks are in the order in which the gate makes them.
	Checks []AccessCheck `json:"checks"`
}

// AccessCheck is one thing that the gate asks.
type AccessCheck struct {
	// Check is what is asked: role, scope, ticket, freeze, policy.
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	// Detail says what was found, and what would help.
	Detail string `json:"detail"`
}
