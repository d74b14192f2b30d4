package lb

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of paths and regular expressions.
const (
	MaxPathLength = 2_048
	// MaxRegexLength bounds a regular expression, in bytes.
	MaxRegexLength = 1_024
	// MaxRegexSize bounds what its repetitions come to when they are written
	// out: matching takes time in proportion to it.
	MaxRegexSize = 1_000
)

// checkPath accepts an absolute path of printable ASCII without a fragment.
func checkPath(p string) string {
	if !strings.HasPrefix(p, "/") {
		return shown(p) + " must begin with /"
	}
	if len(p) > MaxPathLength {
		return fmt.Sprintf("is longer than %d bytes", MaxPathLength)
	}
	for _, b := range []byte(p) {
		if b <= ' ' || b >= 0x7f || b == '#' {
			return "must be printable ASCII without spaces or '#'; percent-encode everything else"
		}
	}
	return ""
}

// checkBarePath accepts a path without a query.
func checkBarePath(p string) string {
	if strings.Contains(p, "?") {
		return "is a path alone, without a query: leave out '?' and what follows, or write %3F"
	}
	return checkPath(p)
}

// checkNewPath accepts a path to put in place of another. One that begins with
// two slashes would be read as a host (RFC 3986 §4.2); to browsers a backslash is
// a slash.
func checkNewPath(p string) string {
	if strings.HasPrefix(p, "//") || strings.HasPrefix(p, `/\`) {
		return "must not begin with // or /\\: what follows would be read as a host"
	}
	return checkBarePath(p)
}

// checkRegex accepts an RE2 expression of a bounded length and size.
func checkRegex(expr string) string {
	switch {
	case expr == "":
		return "is required: an RE2 expression"
	case len(expr) > MaxRegexLength:
		return fmt.Sprintf("is %d bytes long; a regular expression has at most %d", len(expr), MaxRegexLength)
	case !utf8.ValidString(expr):
		return "must be valid UTF-8"
	}
	re, err := syntax.Parse(expr, syntax.Perl)
	if err == nil {
		// To match a whole value it stands in parentheses: \Q must not swallow them.
		_, err = syntax.Parse("(?:"+expr+")", syntax.Perl)
	}
	var wrong *syntax.Error
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("is not an RE2 expression: %s: %s", wrong.Code, shown(wrong.Expr))
	case err != nil:
		return "is not an RE2 expression"
	case regexSize(re) > MaxRegexSize:
		return fmt.Sprintf("is too large: with its repetitions written out it has more than %d parts", MaxRegexSize)
	}
	return ""
}

// regexSize is the number of parts of an expression with its repetitions
// written out, or a number above the bound.
func regexSize(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpRepeat:
		size = regexSize(re.Sub[0]) * max(re.Min, re.Max, 1)
	default:
		for _, sub := range re.Sub {
			size += regexSize(sub)
		}
	}
	return min(size, MaxRegexSize+1)
}

// templateReference is what a template may hold for a group of an expression,
// as [regexp.Regexp.Expand] reads it, and a dollar sign on its own.
var templateReference = regexp.MustCompile(`\$(?:(\$)|(\w+)|\{(\w+)\})?`)

// checkTemplate holds every reference of a template to a group that the
// expression has: Expand takes others for empty.
func checkTemplate(template, expr string) string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return "" // the expression has its own violation
	}
	for _, m := range templateReference.FindAllStringSubmatch(template, -1) {
		switch group := m[2] + m[3]; {
		case m[0] == "$":
			return "has a '$' that refers to no group; write $$ for the sign itself"
		case group != "" && !hasGroup(re, group):
			return fmt.Sprintf("refers to %s, which path_regex has no group for; write ${1}x for group 1 before an x", shown(m[0]))
		}
	}
	return ""
}

func hasGroup(re *syntax.Regexp, group string) bool {
	if n, err := strconv.Atoi(group); err == nil {
		return 0 <= n && n <= re.MaxCap()
	}
	return slices.Contains(re.CapNames(), group)
}
