package lb

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// MaxGlobLength bounds a glob, in bytes.
const MaxGlobLength = 200

// GlobEverything covers every address.
const GlobEverything = "*"

// GlobRule is the rule of [CheckGlob] in words.
const GlobRule = "a glob over kind/name, such as pool/web, route/shop-* or *"

// CheckGlob returns what is wrong with a glob over addresses, or "". A glob is
// one of path.Match over kind/name, or "*" for everything.
func CheckGlob(glob string) string {
	if glob == GlobEverything {
		return ""
	}
	_, err := path.Match(glob, "")
	if err != nil || len(glob) > MaxGlobLength || strings.Count(glob, "/") != 1 || strings.ContainsFunc(glob, isInvisible) || strings.ContainsFunc(glob, unicode.IsSpace) {
		return fmt.Sprintf("%s must be %s", shown(glob), GlobRule)
	}
	return ""
}

// GlobMatches reports whether a glob covers an address.
func GlobMatches(glob, address string) bool {
	if glob == GlobEverything {
		return true
	}
	matched, err := path.Match(glob, address)
	return err == nil && matched
}

// AnyGlobMatches reports whether one of globs covers an address.
func AnyGlobMatches(globs []string, address string) bool {
	for _, glob := range globs {
		if GlobMatches(glob, address) {
			return true
		}
	}
	return false
}

// GlobCovers reports whether everything that inner matches is matched by outer.
// Of what it can't tell it says no: outer covers a glob that is the same, that has
// no wildcard and matches, or that only adds to outer's trailing "*".
func GlobCovers(outer, inner string) bool {
	if outer == GlobEverything || outer == inner {
		return true
	}
	if !strings.ContainsAny(inner, `*?[\`) {
		return GlobMatches(outer, inner)
	}
	prefix, open := strings.CutSuffix(outer, "*")
	// The trailing star does not match a slash, so the kind must be in the prefix.
	return open && strings.Contains(prefix, "/") && !strings.ContainsAny(prefix, `*?[\`) && strings.HasPrefix(inner, prefix)
}
