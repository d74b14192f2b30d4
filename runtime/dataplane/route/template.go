package route

import (
	"regexp"
	"strconv"
	"strings"
)

// template is a path with references to the submatches of a regex, in the syntax of
// [regexp.Regexp.Expand]: $1, $name, ${name}, and $$ for a dollar sign. A name is as
// long as it can be, so ${1}x, since $1x is called "1x". What refers to no group is
// empty.
type template []part

// part is text, decoded, and then a submatch.
type part struct {
	text  string
	group int // noGroup for none
}

const noGroup = -1

func parseTemplate(path string, re *regexp.Regexp) template {
	var out template
	text := ""
	for {
		before, after, found := strings.Cut(path, "$")
		text += before
		if !found {
			return append(out, part{decodedText(text), noGroup})
		}
		name, rest, ok := cutReference(after)
		switch {
		case ok:
			out = append(out, part{decodedText(text), groupOf(name, re)})
			text, path = "", rest
		default:
			text, path = text+"$", strings.TrimPrefix(after, "$")
		}
	}
}

// cutReference reads the name of a group behind a dollar sign.
func cutReference(s string) (name, rest string, ok bool) {
	braced := strings.HasPrefix(s, "{")
	if braced {
		s = s[1:]
	}
	end := 0
	for end < len(s) && isWord(s[end]) {
		end++
	}
	name, rest = s[:end], s[end:]
	if braced {
		rest, ok = strings.CutPrefix(rest, "}")
		return name, rest, ok && name != ""
	}
	return name, rest, name != ""
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= lower(c) && lower(c) <= 'z'
}

func groupOf(name string, re *regexp.Regexp) int {
	n, err := strconv.Atoi(name)
	if err != nil {
		return re.SubexpIndex(name)
	}
	if n > re.NumSubexp() {
		return noGroup
	}
	return n
}

func decodedText(s string) string {
	decoded, err := appendDecoded(nil, []byte(s))
	if err != nil {
		return s
	}
	return string(decoded)
}

// expand appends the template with submatches of src, which stand at the given
// indexes as [regexp.Regexp.FindSubmatchIndex] returns them.
func (t template) expand(dst, src []byte, at []int) []byte {
	for _, p := range t {
		dst = append(dst, p.text...)
		if p.group != noGroup && at[2*p.group] >= 0 {
			dst = append(dst, src[at[2*p.group]:at[2*p.group+1]]...)
		}
	}
	return dst
}
