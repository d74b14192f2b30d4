package oidc

import (
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
)

// Bounds of expressions. Claims come from outside, so that what an expression
// may cost is bounded and not only what it may say.
const (
	maxExpressionLength = 4096
	maxExpressionDepth  = 50
	maxRegexProgram     = 2000
	// maxCost is in CEL's units, about one for each operation or ten bytes of
	// text: a hundred times what a mapping needs, and some milliseconds.
	maxCost = 100_000
)

// newLanguage returns what expressions are written in: CEL with optional values
// and string functions, over the variables of [Config].
func newLanguage() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("provider", cel.StringType),
		cel.Variable("host", cel.StringType),
		cel.OptionalTypes(),
		ext.Strings(),
		cel.ParserExpressionSizeLimit(maxExpressionLength),
		cel.ParserRecursionLimit(maxExpressionDepth),
		cel.RegexProgramSizeLimit(maxRegexProgram),
	)
}

// expression is a compiled one. It may be evaluated by many at a time.
type expression struct{ program cel.Program }

// compile checks that an expression gives what is wanted, or a claim, of which
// only evaluating tells.
func compile(language *cel.Env, source string, want *cel.Type) (expression, error) {
	if source == "" {
		return expression{}, errors.New("is required")
	}
	ast, issues := language.Compile(source)
	if err := issues.Err(); err != nil {
		return expression{}, fmt.Errorf("is not a CEL expression: %w", err)
	}
	if got := ast.OutputType(); !got.IsExactType(want) && !got.IsExactType(cel.DynType) {
		return expression{}, fmt.Errorf("must give a %s and gives a %s", want, got)
	}
	program, err := language.Program(ast, cel.CostLimit(maxCost))
	if err != nil {
		return expression{}, fmt.Errorf("can't be prepared: %w", err)
	}
	return expression{program}, nil
}

// text evaluates an expression that gives a string. null gives "".
func (e expression) text(vars map[string]any) (string, error) {
	out, _, err := e.program.Eval(vars)
	if err != nil {
		return "", err
	}
	switch v := out.(type) {
	case types.String:
		return string(v), nil
	case types.Null:
		return "", nil
	default:
		return "", fmt.Errorf("gives a %s and not a string", out.Type().TypeName())
	}
}

// holds evaluates an expression that gives a bool.
func (e expression) holds(vars map[string]any) (bool, error) {
	out, _, err := e.program.Eval(vars)
	if err != nil {
		return false, err
	}
	v, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("gives a %s and not a bool", out.Type().TypeName())
	}
	return bool(v), nil
}
