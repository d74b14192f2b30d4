package oidc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/auditlb/terraform-provider-auditlb/runtime/identity"
)

// Bounds of what a mapping gives, in bytes. That of an id is the API's.
const (
	maxValueLength = 1024
	maxRunIDLength = 200
)

// mapping is a block's expressions, compiled.
type mapping struct {
	// provider and host are what expressions see beside the claims.
	provider, host string

	actor expression
	roles []roleRule
	run   []runField
}

type roleRule struct {
	when   expression
	role   identity.Role
	scopes []string
}

type runField struct {
	name  string
	value expression
}

// runValue finds the value of a run that has a JSON name, or nil.
func runValue(r *identity.VerifiedRun, name string) *string {
	values := map[string]*string{
		"id": &r.ID, "system": &r.System, "phase": &r.Phase, "workspace": &r.Workspace, "url": &r.URL,
		"repository": &r.Repository, "commit": &r.Commit, "ref": &r.Ref, "attempt": &r.Attempt,
		"actor": &r.Actor, "environment": &r.Environment, "workflow": &r.Workflow,
	}
	return values[name]
}

// newMapping compiles the expressions of a completed configuration. Errors name
// the field.
func newMapping(language *cel.Env, c Config) (m mapping, errs []error) {
	m = mapping{provider: c.Name, host: c.host()}
	take := func(field, source string, want *cel.Type) expression {
		e, err := compile(language, source, want)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
		return e
	}
	if c.Actor != "" { // an absent one is reported already
		m.actor = take("actor", c.Actor, cel.StringType)
	}
	for i, r := range c.Roles {
		when := take(fmt.Sprintf("role[%d].when", i), r.When, cel.BoolType)
		m.roles = append(m.roles, roleRule{when, r.Role, slices.Clone(r.Scopes)})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Run)) {
		if runValue(&identity.VerifiedRun{}, name) == nil {
			errs = append(errs, fmt.Errorf("run: %q is nothing that a run has", name))
			continue
		}
		m.run = append(m.run, runField{name, take("run."+name, c.Run[name], cel.StringType)})
	}
	return m, errs
}

// apply returns who a token's claims say is calling, without what was verified
// beside the run.
func (m mapping) apply(claims map[string]any) (identity.Actor, identity.VerifiedRun, *Rejected) {
	vars := map[string]any{"claims": claims, "provider": m.provider, "host": m.host}

	var actor identity.Actor
	name, err := m.actor.text(vars)
	if err != nil {
		return actor, identity.VerifiedRun{}, failed("actor", err)
	}
	if problem := identity.CheckActor(name); problem != "" {
		return actor, identity.VerifiedRun{}, reject(CodeClaims, "the actor that the token's claims give, %q, %s; set actor in the oidc block", shown(name), problem)
	}
	run, rejected := m.verifiedRun(vars)
	if rejected != nil {
		return actor, run, rejected
	}
	for i, r := range m.roles {
		// A condition that fails is not one that doesn't hold: skipping it might
		// reach a rule that it was written to keep this token from.
		applies, err := r.when.holds(vars)
		if err != nil {
			return actor, run, failed(fmt.Sprintf("condition of role %d", i+1), err)
		}
		if applies {
			return identity.Actor{Name: name, Role: capped(r.role, run.Phase), Scopes: slices.Clone(r.scopes)}, run, nil
		}
	}
	return actor, run, reject(CodeRole, "no role of the oidc block %q applies to the token of %s; add a role whose condition its claims meet", m.provider, name)
}

func (m mapping) verifiedRun(vars map[string]any) (identity.VerifiedRun, *Rejected) {
	var run identity.VerifiedRun
	for _, f := range m.run {
		value, err := f.value.text(vars)
		if err != nil {
			return run, failed("run."+f.name, err)
		}
		if len(value) > maxValueLength || !printable(value) {
			return run, reject(CodeClaims, "run.%s must be printable and at most %d bytes long; the token's claims give %q", f.name, maxValueLength, shown(value))
		}
		*runValue(&run, f.name) = value
	}
	run.ID = runID(run.ID)
	return run, nil
}

// capped is the role that is left of one in a phase. What plans can't change
// anything, whoever it is.
func capped(role identity.Role, phase string) identity.Role {
	if phase == identity.PhasePlan && role.Can(identity.Change) {
		return identity.Planner
	}
	return role
}

// runID brings an id into the form of those that the Terraform provider
// composes: printable ASCII without spaces, "_" for what is not, and a digest of
// the whole at the end of one that is too long.
func runID(id string) string {
	id = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}, id)
	if len(id) <= maxRunIDLength {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	digest := hex.EncodeToString(sum[:8])
	return id[:maxRunIDLength-len(digest)-1] + "/" + digest
}

// failed rejects a token whose claims an expression can't be evaluated with.
func failed(what string, err error) *Rejected {
	hint := ""
	if strings.Contains(err.Error(), "no such key") {
		hint = `; a claim that may be absent is written claims.?name.orValue("")`
	}
	return reject(CodeClaims, "the %s can't be told from the token's claims: %s%s", what, shown(err.Error()), hint)
}
