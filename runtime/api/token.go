package api

import "time"

// TokenRequest is the body of POST /v1/tokens.
type TokenRequest struct {
	// Actor is whom the token speaks for.
	Actor string `json:"actor"`
	// Role is one of the roles.
	Role string `json:"role"`
	// Scopes are globs over what the role is good for, such as pool/* or
	// route/shop-*. None: everything.
	Scopes []string `json:"scopes,omitzero"`
	// NotAfter ends the token's life. Zero: it has no end.
	NotAfter time.Time `json:"not_after,omitzero"`
}

// Token is a token as the API answers it, without its secret.
type Token struct {
	ID        string    `json:"id"`
	Actor     string    `json:"actor"`
	Role      string    `json:"role"`
	Scopes    []string  `json:"scopes,omitzero"`
	CreatedBy string    `json:"created_by"`
	CreatedAt time.Time `json:"created_at"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	// LastUsed is when the token was last used, to the second; zero: never.
	LastUsed time.Time `json:"last_used,omitzero"`
	Revoked  bool      `json:"revoked"`
}

// TokenCreated answers POST /v1/tokens: the only time the secret is seen.
type TokenCreated struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// TokenList is all tokens, by actor.
type TokenList struct {
	Items []Token `json:"items"`
}
