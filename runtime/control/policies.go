package control

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/policy"
	"github.com/auditlb/terraform-provider-auditlb/runtime/ticket"
)

// compiled remembers the programs of policies. It belongs to the run loop's
// goroutine.
type compiled map[*lb.Policy]*policy.Policy

const maxCompiled = 1000

// of returns a policy's program. A rule that does not compile any more, because it
// was written for another version, refuses what it is asked about.
func (m compiled) of(name string, revision int64, p *lb.Policy) *policy.Policy {
	program, ok := m[p]
	if !ok {
		program, _ = policy.Compile(name, revision, p)
	}
	if program.Revision() != revision {
		program = program.At(revision)
	}
	if len(m) >= maxCompiled {
		clear(m)
	}
	m[p] = program
	return program
}

// program is a policy that was compiled before its call got in line: compiling
// takes longer than deciding. For other objects it is empty.
type program struct {
	of       *lb.Policy
	compiled *policy.Policy
	mistakes lb.Violations
}

// compile prepares a policy that is valid otherwise, one at a time, so that nobody
// can keep the machine busy with them.
func (c *Controller) compile(ctx context.Context, address lb.Address, obj lb.Object) (program, error) {
	p, ok := obj.(*lb.Policy)
	if !ok || len(p.Validate()) > 0 {
		return program{}, nil
	}
	select {
	case c.compiling <- struct{}{}:
		defer func() { <-c.compiling }()
	case <-ctx.Done():
		return program{}, fmt.Errorf("%w: %w", ErrLogUnavailable, ctx.Err())
	}
	out := program{of: p}
	out.compiled, out.mistakes = policy.Compile(address.Name, 0, p)
	return out, nil
}

// policies are those in force.
func (b *batch) policies() policy.Set {
	var set policy.Set
	for name, obj := range b.view.All(lb.KindPolicy) {
		if p, ok := obj.(*lb.Policy); ok {
			held := b.view.get(lb.Address{Kind: lb.KindPolicy, Name: name})
			set = append(set, b.compiled.of(name, held.Last.Revision, p))
		}
	}
	return set
}

// checkPolicies holds a change to every rule of every policy.
func (b *batch) checkPolicies(call Call, t *ticket.Ticket, address lb.Address, effect audit.Effect, unplanned bool) ([]audit.RuleOutcome, error) {
	set := b.policies()
	if len(set) == 0 {
		return nil, nil
	}
	in, err := b.input(call, t, address, effect, unplanned)
	if err != nil {
		return nil, err
	}
	decision := set.Decide(in)
	rules := make([]audit.RuleOutcome, len(decision.Outcomes))
	for i, o := range decision.Outcomes {
		rules[i] = audit.RuleOutcome{Policy: o.Policy, Revision: o.Revision, Rule: o.Rule, Result: string(o.Result), Message: o.Message}
	}
	if decision.Allowed {
		return rules, nil
	}
	var why []string
	for _, o := range decision.Denials() {
		why = append(why, fmt.Sprintf("policy/%s, rule %s: %s", o.Policy, o.Rule, o.Message))
	}
	return rules, refuse(CodePolicyDenied, "%s of %s is against policy: %s", effect.Op, address, strings.Join(why, "; "))
}

// input is what rules see of a change.
func (b *batch) input(call Call, t *ticket.Ticket, address lb.Address, effect audit.Effect, unplanned bool) (policy.Input, error) {
	in := policy.Input{Now: b.time()}
	change, err := changeOf(address, effect)
	if err != nil {
		return in, err
	}
	change.Unplanned = unplanned
	in.Change = change
	usage, err := b.usage(t.ID)
	if err != nil {
		return in, err
	}
	in.Ticket = policy.Ticket{
		ID: t.ID, Type: string(t.Type), Title: t.Title, Requester: t.Requester,
		Approvals: t.Approvers(), RequiredApprovals: t.RequiredApprovals, Bound: t.Binding != nil,
		Uses: usage.Applied, MaxUses: t.MaxUses, Authority: t.Authority, NotBefore: t.NotBefore, NotAfter: t.NotAfter,
	}
	credential, _, _ := strings.Cut(call.Actor.Credential, "/")
	in.Actor = policy.Actor{Name: call.Actor.Name, Role: string(call.Actor.Role), Credential: credential}
	in.Run = policy.Run{ID: call.Run, Verified: call.runVerified()}
	if v := call.Actor.Verified; v != nil {
		in.Actor.Provider, in.Actor.Issuer, in.Actor.Subject = v.Provider, v.Issuer, v.Subject
		in.Run.Proved = v.Run.Facts()
	}
	if call.Run == "" {
		return in, nil
	}
	var run Run
	if _, err := b.state(runPrefix+"/"+call.Run, &run); err != nil {
		return in, err
	}
	if run.Claims != nil {
		if err := json.Unmarshal(run.Claims, &in.Run.Claimed); err != nil {
			return in, fmt.Errorf("claims of run %s: %w", call.Run, err)
		}
	}
	return in, nil
}

// changeOf is an effect as rules see it.
func changeOf(address lb.Address, effect audit.Effect) (policy.Change, error) {
	change := policy.Change{
		Kind: string(address.Kind), Name: address.Name, Address: address.String(), Op: string(effect.Op), Labels: map[string]string{},
	}
	for _, side := range []struct {
		from jsontext.Value
		into *map[string]any
	}{{effect.Before, &change.Before}, {effect.After, &change.After}} {
		if side.from == nil {
			continue
		}
		if err := json.Unmarshal(side.from, side.into); err != nil {
			return change, fmt.Errorf("object of %s: %w", address, err)
		}
	}
	declared := effect.After
	if declared == nil {
		declared = effect.Before
	}
	var meta struct {
		Owner  string            `json:"owner"`
		Labels map[string]string `json:"labels"`
	}
	if declared != nil {
		if err := json.Unmarshal(declared, &meta); err != nil {
			return change, fmt.Errorf("object of %s: %w", address, err)
		}
	}
	change.Owner = meta.Owner
	if meta.Labels != nil {
		change.Labels = meta.Labels
	}
	changes, err := lb.Diff(effect.Before, effect.After)
	if err != nil {
		return change, err
	}
	for _, c := range changes {
		change.Changed = append(change.Changed, c.Path)
	}
	return change, nil
}
