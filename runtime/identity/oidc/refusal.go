package oidc

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of rejections.
const (
	CodeMalformed   = "token_malformed"
	CodeIssuer      = "issuer_unknown"
	CodeAlgorithm   = "token_algorithm"
	CodeSignature   = "token_signature"
	CodeAudience    = "token_audience"
	CodeExpired     = "token_expired"
	CodeNotYetValid = "token_not_yet_valid"
	CodeClaims      = "claims_unsuitable"
	CodeRole        = "role_unmapped"
)

// Rejected means that a token is not accepted, and won't be by another try.
type Rejected struct {
	// Code is one of the codes above.
	Code string
	// Detail is a sentence that its reader can act on. Of the token it shows at
	// most a few short, printable values.
	Detail string
	// Provider and Issuer are the configured ones; empty when the token names
	// none of them.
	Provider string
	Issuer   string
	// Subject is whom the token is about; empty until its signature was verified.
	Subject string
}

// Error implements error.
func (r *Rejected) Error() string { return r.Detail }

// Unavailable means that a token can't be judged, because the keys of its
// issuer can't be had. It may be accepted later.
type Unavailable struct {
	// Provider is the configured name of the issuer's block.
	Provider string
	// Reason is what went wrong, in words of ours and of the network.
	Reason string
}

// Error implements error.
func (u *Unavailable) Error() string {
	return fmt.Sprintf("the keys of the identity provider %s can't be had: %s", u.Provider, u.Reason)
}

func reject(code, format string, args ...any) *Rejected {
	return &Rejected{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// maxShown bounds foreign text within a sentence of ours, in bytes.
const maxShown = 120

// shown makes foreign text fit for a sentence: printable, bounded.
func shown(s string) string {
	cut := len(s) > maxShown
	if cut {
		s = s[:maxShown]
	}
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '.'
		}
		return r
	}, s)
	if cut {
		s += "…"
	}
	return s
}

// printable reports whether a text holds nothing that a reader or a terminal
// could be fooled with.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
