package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
)

// maxMistakes bounds how many mistakes are told of one expression, and
// maxMistakeLength how long each is told.
const (
	maxMistakes      = 10
	maxMistakeLength = 400
)

// mistakes puts what CEL found into sentences. The tree is nil when there is none.
func mistakes(issues *cel.Issues, tree *ast.AST) []string {
	var out []string
	for _, issue := range issues.Errors() {
		if len(out) > 0 && strings.Contains(issue.Message, givenUp) {
			break
		}
		text := sentence(issue, tree)
		if runes := []rune(text); len(runes) > maxMistakeLength {
			text = string(runes[:maxMistakeLength]) + "…"
		}
		if line := issue.Location.Line(); line > 0 {
			text = fmt.Sprintf("%d:%d: %s", line, issue.Location.Column()+1, text)
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
		if len(out) == maxMistakes {
			break
		}
	}
	if len(out) == 0 {
		out = append(out, "can't be read as an expression")
	}
	return out
}

var (
	undefinedField = regexp.MustCompile(`^undefined field '([^']*)'`)
	undeclared     = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	// longWord is as long as a token or a line of a key, which may have been written in
	// the wrong place.
	longWord    = regexp.MustCompile(`[^\s'"(),]{33,}`)
	noOverloads = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
)

// givenUp is what CEL ends with when there are more mistakes of syntax.
const givenUp = "error recovery attempt limit exceeded"

// sayings replace what CEL says of mistakes that have no name in them.
var sayings = []struct{ begins, say string }{
	{"Syntax error: mismatched input '<EOF>'", "the expression ends too early"},
	{"comprehension exceeds nesting limit", fmt.Sprintf("all, exists, exists_one, filter and map are nested or chained too deeply; at most %d are allowed", MaxNesting)},
	{"expression recursion limit exceeded", fmt.Sprintf("is nested too deeply; at most %d levels are allowed", maxDepth)},
	{"invalid matches argument", "is no regular expression (RE2)"},
	{"regex program size", "is too large a regular expression: use shorter repetitions"},
	{"invalid timestamp argument", "is no timestamp, such as 2026-01-31T14:05:00Z"},
	{"invalid duration argument", "is no duration, such as 1h30m"},
}

func sentence(issue *common.Error, tree *ast.AST) string {
	msg := longWord.ReplaceAllString(plainTypes.Replace(issue.Message), "…")
	if m := undefinedField.FindStringSubmatch(msg); m != nil {
		return noField(m[1], operandOf(tree, issue.ExprID))
	}
	if m := undeclared.FindStringSubmatch(msg); m != nil {
		if e := find(tree, issue.ExprID); e != nil && e.Kind() == ast.CallKind {
			return fmt.Sprintf("there is no function %s", m[1])
		}
		return fmt.Sprintf("there is no %s; expressions see %s", m[1], strings.Join(variableNames(), ", "))
	}
	if m := noOverloads.FindStringSubmatch(msg); m != nil {
		return fmt.Sprintf("%s can't be applied to %s", functionName(m[1]), m[2])
	}
	for _, s := range sayings {
		if strings.HasPrefix(msg, s.begins) {
			return s.say
		}
	}
	if rest, ok := strings.CutPrefix(msg, "Syntax error: "); ok {
		return "is no expression here: " + rest
	}
	return msg
}

// plainTypes takes the prefix from the names of records' types.
var plainTypes = func() *strings.Replacer {
	var pairs []string
	for _, r := range records {
		pairs = append(pairs, recordPrefix+r.name, r.name)
	}
	return strings.NewReplacer(pairs...)
}()

// functionName is how people write what CEL calls, for example, _==_.
func functionName(name string) string {
	if op, ok := operators.FindReverse(name); ok && op != "" {
		return op
	}
	if name == operators.Conditional {
		return "? :"
	}
	return name
}

// noField says what there is in place of a field that there is not.
func noField(name, of string) string {
	if r := recordNamed(of); r != nil {
		return fmt.Sprintf("there is no %s in %s; it has %s", name, of, strings.Join(r.fieldNames(), ", "))
	}
	return fmt.Sprintf("there is no %s here", name)
}

// operandOf returns the variable whose field an expression selects, or "".
func operandOf(tree *ast.AST, id int64) string {
	e := find(tree, id)
	if e == nil || e.Kind() != ast.SelectKind || e.AsSelect().Operand().Kind() != ast.IdentKind {
		return ""
	}
	return e.AsSelect().Operand().AsIdent()
}

func find(tree *ast.AST, id int64) (found ast.Expr) {
	if tree == nil {
		return nil
	}
	ast.PostOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found
}

func variableNames() []string {
	names := []string{nowName}
	for _, r := range records {
		names = append(names, r.name)
	}
	slices.Sort(names)
	return names
}

func typeName(t *cel.Type) string { return plainTypes.Replace(t.String()) }
