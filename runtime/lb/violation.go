package lb

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// MaxViolations bounds how many violations are reported of one object, so that
// an answer and an entry stay small whatever was sent.
const MaxViolations = 100

// Violation is one thing wrong with an object, at one place.
type Violation struct {
	// Pointer is the RFC 6901 JSON pointer to the offending value within the
	// object; "" is the object itself. An element of a set stands at its place
	// in the normalized, sorted set. What can't be the key of a map is not
	// repeated: the pointer ends at the map.
	Pointer string `json:"pointer"`
	// Detail says what is wrong and what would be right.
	Detail string `json:"detail"`
}

// Violations is a list of problems found in one object. It is an error when it
// is not empty; use [Violations.Err].
type Violations []Violation

// Error joins the violations into one line.
func (vs Violations) Error() string {
	parts := make([]string, len(vs))
	for i, v := range vs {
		parts[i] = strings.TrimSpace(v.Pointer + " " + v.Detail)
	}
	return strings.Join(parts, "; ")
}

// Err returns vs as an error, or nil when there are none.
func (vs Violations) Err() error {
	if len(vs) == 0 {
		return nil
	}
	return vs
}

// checker collects violations under a common prefix.
type checker struct {
	prefix string
	found  *Violations
}

func newChecker() checker { return checker{found: &Violations{}} }

// at descends to a member of an object or map. A key that no attribute could
// have may be a secret in the wrong place, and the pointer stays at the map.
func (c checker) at(key string) checker {
	if !repeatable(key, maxPointerToken) {
		return c
	}
	return checker{c.prefix + "/" + escapePointer(key), c.found}
}

// index descends to an element of an array.
func (c checker) index(i int) checker { return checker{fmt.Sprintf("%s/%d", c.prefix, i), c.found} }

func (c checker) fail(format string, args ...any) {
	if len(*c.found) < MaxViolations {
		*c.found = append(*c.found, Violation{c.prefix, fmt.Sprintf(format, args...)})
	}
}

// try records msg when it is not empty.
func (c checker) try(msg string) {
	if msg != "" {
		c.fail("%s", msg)
	}
}

// oneOf checks an enumerated value.
func oneOf[T ~string](c checker, value T, allowed []T) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	c.fail("%s must be one of %s", shown(string(value)), joinWords(allowed))
}

func (c checker) intIn(v, low, high int) {
	if v < low || v > high {
		c.fail("%d must be between %d and %d", v, low, high)
	}
}

// checkCount holds a collection to a size.
func checkCount(c checker, n, limit int, of string) {
	if n > limit {
		c.fail("has %d %s; at most %d are allowed", n, of, limit)
	}
}

// durationIfSet takes 0 for "not set".
func (c checker) durationIfSet(v, low, high Duration) {
	if v != 0 && (v < low || v > high) {
		c.fail("%s must be 0s or between %s and %s", v, low, high)
	}
}

func (c checker) durationIn(v, low, high Duration) {
	if v < low || v > high {
		c.fail("%s must be between %s and %s", v, low, high)
	}
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// escapePointer escapes one reference token (RFC 6901 §3).
func escapePointer(s string) string { return pointerEscaper.Replace(s) }

const (
	// maxShown is the longest text that a message repeats. It is shorter than a
	// token and than a line of a private key.
	maxShown = 32
	// maxPointerToken is the longest key that a pointer repeats: that of a label.
	maxPointerToken = MaxLabelKeyLength
	// maxPointer is the longest pointer: what is nested deeper is no attribute.
	maxPointer = 512
)

// shown is a text from the outside as messages repeat it: quoted when it is
// short, and otherwise only its length, since it may be a secret in the wrong
// place.
func shown(s string) string {
	if !repeatable(s, maxShown) {
		return fmt.Sprintf("a value of %d bytes", len(s))
	}
	return strconv.Quote(s)
}

func repeatable(s string, limit int) bool {
	return len(s) <= limit && !strings.ContainsFunc(s, func(r rune) bool { return isInvisible(r) || r == unicode.ReplacementChar })
}

// shownPointer cuts a pointer before the first key that is not to be repeated.
func shownPointer(pointer string) string {
	at := ""
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if !repeatable(token, 2*maxPointerToken) || len(at)+len(token) > maxPointer {
			break
		}
		at += "/" + token
	}
	if pointer == "" {
		return ""
	}
	return at
}
