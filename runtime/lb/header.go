package lb

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Bounds of header fields.
const (
	MaxHeaderNameLength  = 128
	MaxHeaderValueLength = 4_096
	// MaxHeaderChanges bounds each of set, add and remove.
	MaxHeaderChanges = 32
)

// ProtectedHeaders are the fields, in lower case, that no configuration sets,
// adds or removes, because a message would come to mean something else to the
// next server than to us. They frame messages (RFC 9112 §6), belong to one
// connection (RFC 9110 §7.6.1), say where a request goes ([Rewrite] has a host),
// or say who sent it, which is known only to us. A "*" stands for any ending.
var ProtectedHeaders = []string{
	"connection", "content-length", "expect", "forwarded", "host", "keep-alive", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade", "via", "x-forwarded-*", "x-real-ip",
}

// HeaderProtected reports whether a field, in lower case, is one of
// [ProtectedHeaders]. Servers that turn names into variables take '_' for '-',
// so x_real_ip is protected like x-real-ip.
func HeaderProtected(name string) bool {
	name = strings.ReplaceAll(name, "_", "-")
	return slices.ContainsFunc(ProtectedHeaders, func(p string) bool {
		prefix, open := strings.CutSuffix(p, "*")
		return name == p || open && strings.HasPrefix(name, prefix)
	})
}

// HeaderChanges edit the fields of a message: remove, then set, then add. Names
// are in lower case, and none is protected, see [HeaderProtected].
type HeaderChanges struct {
	// Set replaces whatever values a field has.
	Set map[string]string `json:"set"`
	// Add adds a field beside those of its name.
	Add    map[string]string `json:"add"`
	Remove []string          `json:"remove"`
}

// IsZero reports whether there is nothing to change.
func (h HeaderChanges) IsZero() bool { return len(h.Set)+len(h.Add)+len(h.Remove) == 0 }

func (h *HeaderChanges) normalize() {
	if h.Set == nil {
		h.Set = map[string]string{}
	}
	if h.Add == nil {
		h.Add = map[string]string{}
	}
	h.Remove = sortedSet(lowerAll(h.Remove))
}

func (h HeaderChanges) validate(c checker) {
	checkNewHeaders(c.at("set"), h.Set)
	checkNewHeaders(c.at("add"), h.Add)
	remove := c.at("remove")
	checkCount(remove, len(h.Remove), MaxHeaderChanges, "headers")
	for i, name := range h.Remove {
		remove.index(i).try(cmp.Or(checkToken(name), checkEditable(name)))
	}
}

func checkNewHeaders(c checker, fields map[string]string) {
	checkCount(c, len(fields), MaxHeaderChanges, "headers")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		at, value := c.at(name), fields[name]
		at.try(cmp.Or(checkHeaderKey(name), checkEditable(name)))
		at.try(checkText(value, MaxHeaderValueLength))
		if strings.TrimSpace(value) != value {
			at.fail("must not begin or end with a space")
		}
	}
}

func checkEditable(name string) string {
	if HeaderProtected(name) {
		return "can't be changed: it frames messages, belongs to one connection, or says where a request comes from and goes to"
	}
	return ""
}

// checkHeaderKey holds a map's key to a header name in lower case: a key names
// its element in pointers and diffs, so it has one spelling.
func checkHeaderKey(name string) string {
	if lower := strings.ToLower(name); lower != name && checkToken(name) == "" {
		return "must be written in lower case: " + shown(lower)
	}
	return checkToken(name)
}

// tokenPattern is a token (RFC 9110 §5.6.2): the names of headers and cookies.
var tokenPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func checkToken(s string) string {
	if s == "" {
		return "is required"
	}
	if len(s) > MaxHeaderNameLength || !tokenPattern.MatchString(s) {
		return fmt.Sprintf("%s must be a name of at most %d letters, digits and any of !#$%%&'*+-.^_`|~", shown(s), MaxHeaderNameLength)
	}
	return ""
}
