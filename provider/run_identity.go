package provider

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
)

// runIdentity is which run this process belongs to, and what it says of itself.
type runIdentity struct {
	ID     string
	Claims api.RunClaims
}

// environment looks up an environment variable. Absent ones are "".
type environment func(string) string

// systemLocal is where runs without a CI execute.
const systemLocal = "local"

// detectRun finds the run's identity, in this order: what is declared (the
// provider's run block or AUDITLB_RUN_*), the CI's environment, the process
// that started this one. Plan and apply of one `terraform apply` agree, since
// Terraform starts a new provider process for each but stays the same itself.
func detectRun(declared runIdentity, env environment, process processIdentity) (runIdentity, error) {
	detected, ok := detectCI(env)
	if !ok {
		detected = runIdentity{Claims: api.RunClaims{System: systemLocal, Host: process.Host}}
	}
	if detected.ID == "" {
		// The CI does not tell its runs apart (Atlantis keeps the pull request
		// from its built-in steps), or there is none.
		detected.ID = joinRunID(detected.Claims.System, process.Host, process.digest())
	}
	if detected.Claims.Workspace == "" {
		detected.Claims.Workspace = cmp.Or(env("TF_WORKSPACE"), process.Workspace)
	}
	detected.Claims.Tool = process.Tool
	overlayClaims(&detected.Claims, declared.Claims)
	cleanClaims(&detected.Claims)
	if declared.ID != "" {
		if err := checkRunID(declared.ID); err != nil {
			return runIdentity{}, err
		}
		detected.ID = declared.ID
	}
	return detected, nil
}

// claimFields lists the claims that can be declared or detected, for code that
// treats all of them alike.
func claimFields(c *api.RunClaims) []*string {
	return []*string{
		&c.System, &c.Tool, &c.ToolVersion, &c.Phase, &c.Workspace, &c.URL,
		&c.Repository, &c.Commit, &c.Attempt, &c.Actor, &c.Host,
	}
}

// overlayClaims lets what is declared win over what was detected.
func overlayClaims(detected *api.RunClaims, declared api.RunClaims) {
	to, from := claimFields(detected), claimFields(&declared)
	for i := range from {
		if *from[i] != "" {
			*to[i] = *from[i]
		}
	}
}

// cleanClaims brings claims into the form the API takes: without credentials in
// URLs, printable, bounded.
func cleanClaims(c *api.RunClaims) {
	c.URL = stripUserinfo(c.URL)
	c.Repository = stripUserinfo(c.Repository)
	for _, field := range claimFields(c) {
		*field = boundText(*field, api.MaxRunClaimLength)
	}
}

// stripUserinfo takes user and password out of a URL or an scp-like address
// (user@host:path). What can't be understood as either is dropped: it might
// hold a password.
func stripUserinfo(s string) string {
	if !strings.Contains(s, "@") {
		return s
	}
	if !strings.Contains(s, "://") {
		return s[strings.LastIndex(s, "@")+1:]
	}
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// boundText drops what isn't printable and what exceeds a number of bytes.
func boundText(s string, maxBytes int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for len(s) > maxBytes {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// checkRunID holds a declared id to what the API takes.
func checkRunID(id string) error {
	if len(id) > api.MaxRunIDLength {
		return fmt.Errorf("is %d bytes long; at most %d are allowed", len(id), api.MaxRunIDLength)
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Errorf("must be printable ASCII without spaces")
	}
	return nil
}

// joinRunID composes an id of its parts, the system first so that ids of
// different systems can't collide. Characters that ids can't have become "_".
// An id that would be too long ends in a digest of the whole instead.
func joinRunID(parts ...string) string {
	id := strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, strings.Join(parts, "/"))
	if len(id) <= api.MaxRunIDLength {
		return id
	}
	digest := shortDigest(id)
	return id[:api.MaxRunIDLength-len(digest)-1] + "/" + digest
}

// shortDigest is 64 bits of a SHA-256, in hex.
func shortDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
