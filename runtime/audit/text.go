package audit

import (
	"strings"
	"unicode"
)

// Text makes text from outside fit to be kept in an entry and shown on a
// terminal: printable, valid UTF-8 and at most limit bytes. Text that is so
// already comes back as it is.
func Text(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
