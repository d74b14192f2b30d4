package route

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// wholeRegex is an RE2 expression that matches whole inputs only.
type wholeRegex struct {
	*regexp.Regexp
	// directory is what every match begins with, up to a slash that it leaves out:
	// "/api" for /api/v[12]/.*, often "".
	directory string
}

func compileRegex(expr string) (wholeRegex, error) {
	// Parsed by itself first: "a)|(b" makes sense only in the parentheses below.
	tree, err := syntax.Parse(expr, syntax.Perl|syntax.DotNL)
	if err != nil {
		return wholeRegex{}, fmt.Errorf("regex %q: %w", expr, err)
	}
	re, err := regexp.Compile(`\A(?s:` + expr + `)\z`)
	if err != nil {
		return wholeRegex{}, fmt.Errorf("regex %q: %w", expr, err)
	}
	literal := literalPrefix(tree)
	return wholeRegex{re, literal[:max(0, strings.LastIndexByte(literal, '/'))]}, nil
}

// literalPrefix returns what all matches of an expression begin with, or less.
func literalPrefix(tree *syntax.Regexp) string {
	switch tree.Op {
	case syntax.OpLiteral:
		if tree.Flags&syntax.FoldCase != 0 {
			return ""
		}
		literal := string(tree.Rune)
		if i := strings.IndexRune(literal, utf8.RuneError); i >= 0 {
			literal = literal[:i] // it also stands for bytes that are not UTF-8
		}
		return literal
	case syntax.OpCapture:
		return literalPrefix(tree.Sub[0])
	case syntax.OpConcat:
		first := tree.Sub[0]
		if first.Op == syntax.OpBeginText && len(tree.Sub) > 1 {
			first = tree.Sub[1]
		}
		return literalPrefix(first)
	}
	return ""
}
