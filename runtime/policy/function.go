package policy

import (
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

const (
	globFunction = "matches_glob"
	globOverload = "matches_glob_string_string"
	setsPrefix   = "sets."
	// maxAddress is longer than any address is.
	maxAddress = lb.MaxNameLength + 32
)

// functions are those that are declared here. The sets are of text only: so they
// are compared in one pass over each, where the library's compare every element
// with every other before they can be stopped.
func functions() []cel.EnvOption {
	options := []cel.EnvOption{
		cel.Function(globFunction, cel.Overload(globOverload, []*cel.Type{cel.StringType, cel.StringType}, cel.BoolType, cel.BinaryBinding(matchesGlob))),
	}
	for name, holds := range map[string]func(a, b map[string]bool) bool{
		"contains":   containsAll,
		"intersects": intersects,
		"equivalent": func(a, b map[string]bool) bool { return len(a) == len(b) && containsAll(a, b) },
	} {
		options = append(options, cel.Function(setsPrefix+name, cel.Overload("sets_"+name+"_strings", []*cel.Type{texts, texts}, cel.BoolType,
			cel.BinaryBinding(func(a, b ref.Val) ref.Val {
				left, ok := set(a)
				right, rightOK := set(b)
				if !ok || !rightOK {
					return noOverload()
				}
				return types.Bool(holds(left, right))
			}))))
	}
	return options
}

// matchesGlob fails for what is no glob: "no match" would be taken for an answer.
func matchesGlob(address, glob ref.Val) ref.Val {
	a, ok := address.(types.String)
	g, globOK := glob.(types.String)
	switch {
	case !ok || !globOK:
		return noOverload()
	case lb.CheckGlob(string(g)) != "":
		return types.NewErr("not a glob")
	}
	return types.Bool(len(a) <= maxAddress && lb.GlobMatches(string(g), string(a)))
}

func noOverload() ref.Val { return types.NewErr("no such overload") }

// set returns the elements of a list of text.
func set(v ref.Val) (map[string]bool, bool) {
	list, ok := v.(traits.Lister)
	if !ok {
		return nil, false
	}
	elements := map[string]bool{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		element, ok := it.Next().(types.String)
		if !ok {
			return nil, false
		}
		elements[string(element)] = true
	}
	return elements, true
}

func containsAll(a, b map[string]bool) bool {
	for element := range b {
		if !a[element] {
			return false
		}
	}
	return true
}

func intersects(a, b map[string]bool) bool {
	for element := range b {
		if a[element] {
			return true
		}
	}
	return false
}

// refused are functions of the libraries whose one call can take far more than a
// rule may use before it can be stopped: their time or result grows with the product
// of what they are given, or CEL puts no price on them.
var refused = []string{"replace", "join", "distinct", "indexOf", "lastIndexOf", "sort", sortBy, "format", "strings.quote"}

// sortBy is what the macro of this name calls.
const sortBy = "@sortByAssociatedKeys"

// refusedFunctions finds calls of them.
type refusedFunctions struct{}

// Name implements [cel.ASTValidator].
func (refusedFunctions) Name() string { return "auditlb.refused_functions" }

// Validate implements [cel.ASTValidator].
func (refusedFunctions) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, found *cel.Issues) {
	visitCalls(a, func(call ast.Expr) {
		if name := call.AsCall().FunctionName(); slices.Contains(refused, name) {
			if name == sortBy {
				name = "sortBy"
			}
			found.ReportErrorAtID(call.ID(), "%s is not available in policies: what it takes is not bounded", name)
		}
	})
}

// literalGlobs finds globs that are none.
type literalGlobs struct{}

// Name implements [cel.ASTValidator].
func (literalGlobs) Name() string { return "auditlb.literal_globs" }

// Validate implements [cel.ASTValidator].
func (literalGlobs) Validate(_ *cel.Env, _ cel.ValidatorConfig, a *ast.AST, found *cel.Issues) {
	visitCalls(a, func(call ast.Expr) {
		args := call.AsCall().Args()
		if call.AsCall().FunctionName() != globFunction || len(args) != 2 || args[1].Kind() != ast.LiteralKind {
			return
		}
		if glob, ok := args[1].AsLiteral().(types.String); ok {
			if msg := lb.CheckGlob(string(glob)); msg != "" {
				found.ReportErrorAtID(args[1].ID(), "%s", msg)
			}
		}
	})
}

func visitCalls(a *ast.AST, visit func(call ast.Expr)) {
	ast.PostOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.CallKind {
			visit(e)
		}
	}))
}
