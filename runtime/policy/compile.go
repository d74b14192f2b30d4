package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Policy is a policy that changes can be held to. It is only read, so any number of
// decisions can be made with it at once.
type Policy struct {
	name     string
	revision int64
	rules    []rule
}

// Name is the policy's name.
func (p *Policy) Name() string { return p.name }

// At is the same policy as of a revision.
func (p *Policy) At(revision int64) *Policy {
	at := *p
	at.revision = revision
	return &at
}

// Revision is the one it was compiled at.
func (p *Policy) Revision() int64 { return p.revision }

// rule is one rule of a policy, compiled.
type rule struct {
	name, message string
	onEmergency   bool
	when, require expression
}

// expression is one half of a rule. Its program is nil when it does not compile.
type expression struct {
	// field is when or require.
	field   string
	program cel.Program
	// words are the keys that the text itself names.
	words map[string]bool
}

// Compile compiles a policy's rules. The policy is expected to be valid on its own
// (see [lb.Policy.Validate]); what is wrong with its expressions comes back, each
// with a pointer such as /rules/NAME/when and the line and column in its text.
//
// The policy is returned in any case: a rule that does not compile can't be
// evaluated, and so refuses what it is asked about. That is for rules which
// compiled when they were recorded; a new policy with violations is to be refused.
func Compile(name string, revision int64, p *lb.Policy) (*Policy, lb.Violations) {
	out := &Policy{name: name, revision: revision}
	var found lb.Violations
	for _, ruleName := range slices.Sorted(maps.Keys(p.Rules)) {
		text := p.Rules[ruleName]
		r := rule{name: ruleName, message: text.Message, onEmergency: text.OnEmergency}
		for _, half := range []struct {
			field, text string
			into        *expression
		}{{"when", text.When, &r.when}, {"require", text.Require, &r.require}} {
			e, mistakes := compile(half.text)
			for _, mistake := range mistakes {
				if len(found) < lb.MaxViolations {
					found = append(found, lb.Violation{Pointer: "/rules/" + ruleName + "/" + half.field, Detail: mistake})
				}
			}
			e.field = half.field
			*half.into = e
		}
		out.rules = append(out.rules, r)
	}
	return out, found
}

// compile compiles one expression, or returns what is wrong with it.
func compile(text string) (expression, []string) {
	if len(text) > lb.MaxRuleExpression {
		return expression{}, []string{fmt.Sprintf("is %d bytes long; at most %d are allowed", len(text), lb.MaxRuleExpression)}
	}
	env := environment()
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return expression{}, mistakes(issues, nil)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return expression{}, mistakes(issues, parsed.NativeRep())
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return expression{}, []string{notBool(checked.OutputType())}
	}
	program, err := env.Program(checked, bounds()...)
	if err != nil {
		return expression{}, []string{"can't be prepared: simplify it"}
	}
	return expression{program: program, words: words(checked.NativeRep())}, nil
}

func notBool(t *cel.Type) string {
	if t.Kind() == types.DynKind {
		return "must be true or false for certain; values within change.before and change.after have no type of their own: compare this one, as in change.after.enabled == true"
	}
	return fmt.Sprintf("is of type %s and must be true or false: write a condition, such as ticket.approvals.size() >= 2", typeName(t))
}

// words returns the names of fields and the literals of an expression: what can be
// repeated to anybody, since it is the policy's own text.
func words(a *ast.AST) map[string]bool {
	found := map[string]bool{}
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.SelectKind:
			found[e.AsSelect().FieldName()] = true
		case ast.LiteralKind:
			if s, ok := e.AsLiteral().(types.String); ok {
				found[string(s)] = true
			}
		}
	}))
	return found
}

// Set is the policies that a change is held to, all of them.
type Set []*Policy

// sorted returns the policies by name.
func (s Set) sorted() Set {
	byName := func(a, b *Policy) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.revision, b.revision))
	}
	if slices.IsSortedFunc(s, byName) {
		return s
	}
	return slices.SortedFunc(slices.Values(s), byName)
}
