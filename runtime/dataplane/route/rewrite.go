package route

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// pathEdit is a change of a request's path; nil keeps it.
type pathEdit struct {
	kind editKind
	// path replaces the whole path or its prefix; then it has no slash at the end.
	path     string
	prefix   string // canonical, without slash at the end
	regex    *regexp.Regexp
	template template
}

type editKind uint8

const (
	replacePath editKind = iota
	replacePrefix
	expandRegex
)

// compilePathEdit takes the regex of the route if path may refer to it, else nil.
func compilePathEdit(path, prefix string, match lb.RouteMatch, regex *regexp.Regexp) *pathEdit {
	switch {
	case path != "" && regex != nil:
		return &pathEdit{kind: expandRegex, regex: regex, template: parseTemplate(path, regex)}
	case path != "":
		return &pathEdit{kind: replacePath, path: configuredReplacement(path)}
	case prefix != "" && match.PathPrefix != "":
		return &pathEdit{
			kind:   replacePrefix,
			path:   strings.TrimRight(configuredReplacement(prefix), "/"),
			prefix: strings.TrimSuffix(configuredPath(match.PathPrefix), "/"),
		}
	}
	return nil
}

// configuredReplacement begins with one slash.
func configuredReplacement(path string) string {
	return string(appendPath([]byte{'/'}, []byte(strings.TrimLeft(path, "/"))))
}

// append appends the edited path. Unless it is kept, it begins with one slash.
func (e *pathEdit) append(dst, path []byte) []byte {
	switch {
	case e == nil:
		return appendPath(dst, path)
	case e.kind == replacePath:
		return append(dst, e.path...)
	case e.kind == replacePrefix:
		return e.appendReplaced(dst, path)
	}
	return e.appendExpanded(dst, path)
}

// appendReplaced keeps what follows the prefix as it was sent: decoding would turn
// a%2Fb into two segments. Dot segments are resolved first, or /api/../../x would
// climb out of the replacement.
func (e *pathEdit) appendReplaced(dst, path []byte) []byte {
	if rest, ok := cutPrefix(path, e.prefix); ok {
		if e.path == "" {
			dst, rest = append(dst, '/'), bytes.TrimLeft(rest, "/")
		}
		return appendPath(append(dst, e.path...), rest)
	}
	var buf [512]byte
	canonical, err := appendCanonicalPath(buf[:0], path)
	rest, ok := bytes.CutPrefix(canonical, []byte(e.prefix))
	if err != nil || !ok || len(rest) > 0 && rest[0] != '/' {
		return appendPath(dst, path) // not a request of this route
	}
	if e.path == "" && len(rest) == 0 {
		dst = append(dst, '/')
	}
	return appendDecodedPath(append(dst, e.path...), rest)
}

// cutPrefix takes a canonical prefix, without slash at the end, off a path as sent.
// It fails when the path has dot segments or another prefix.
func cutPrefix(path []byte, prefix string) (rest []byte, ok bool) {
	if len(path) == 0 || path[0] != '/' {
		return nil, false
	}
	if !isCanonical(path) {
		var buf [512]byte
		decoded, err := appendDecoded(buf[:0], path)
		if err != nil || hasDotSegments(decoded) {
			return nil, false
		}
	}
	rest = path
	for i := range len(prefix) {
		c, size := firstByte(rest)
		if size == 0 || c != prefix[i] {
			return nil, false
		}
		rest = rest[size:]
		for c == '/' { // the rest of a run, which counts as one
			next, size := firstByte(rest)
			if size == 0 || next != '/' {
				break
			}
			rest = rest[size:]
		}
	}
	c, size := firstByte(rest)
	return rest, size == 0 || c == '/'
}

// firstByte decodes the first byte of a path; size is what it takes up, 0 at the end.
func firstByte(path []byte) (c byte, size int) {
	if len(path) == 0 {
		return 0, 0
	}
	if path[0] == '%' {
		if c, ok := decodedByte(path); ok {
			return c, 3
		}
	}
	return path[0], 1
}

// appendExpanded builds the path decoded. Dot segments that arise from submatches are
// dropped, not resolved, so that no request climbs out of what the template says.
func (e *pathEdit) appendExpanded(dst, path []byte) []byte {
	canonical, err := appendCanonicalPath(nil, path)
	if err != nil {
		return appendPath(dst, path) // not a request of this route
	}
	at := e.regex.FindSubmatchIndex(canonical)
	if at == nil {
		return appendPath(dst, path)
	}
	expanded := e.template.expand([]byte{'/'}, canonical, at)
	return appendDecodedPath(dst, clean(expanded, dropDots))
}
