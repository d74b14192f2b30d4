package lb

import (
	"fmt"
	"strings"
)

// Violation is one thing wrong with an object, at one place.
type Violation struct {
	// Pointer is the RFC 6901 JSON pointer to the offending value within the
	// object; "" is the object itself.
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

// at descends to a member of an object or map.
func (c checker) at(key string) checker {
	return checker{c.prefix + "/" + escapePointer(key), c.found}
}

// index descends to an element of an array.
func (c checker) index(i int) checker { return checker{fmt.Sprintf("%s/%d", c.prefix, i), c.found} }

func (c checker) fail(format string, args ...any) {
	*c.found = append(*c.found, Violation{c.prefix, fmt.Sprintf(format, args...)})
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
	c.fail("%q must be one of %s", string(value), joinWords(allowed))
}

func (c checker) intIn(v, low, high int) {
	if v < low || v > high {
		c.fail("%d must be between %d and %d", v, low, high)
	}
}

func (c checker) durationIn(v, low, high Duration) {
	if v < low || v > high {
		c.fail("%s must be between %s and %s", v, low, high)
	}
}

// escapePointer escapes one reference token (RFC 6901 §3).
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}
