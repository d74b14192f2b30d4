package lb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind names a type of object. It is the first half of an [Address].
type Kind string

// The kinds of object that make up a configuration.
const (
	KindPool        Kind = "pool"
	KindListener    Kind = "listener"
	KindRoute       Kind = "route"
	KindCertificate Kind = "certificate"
	KindFreeze      Kind = "freeze"
	KindPolicy      Kind = "policy"
)

// Kinds lists every kind, in the order in which objects depend on each other.
var Kinds = []Kind{KindCertificate, KindPool, KindListener, KindRoute, KindFreeze, KindPolicy}

// Governs reports whether objects of the kind say how others may be changed, in
// place of where traffic goes.
func (k Kind) Governs() bool { return k == KindFreeze || k == KindPolicy }

// Plural is the kind as the collection in the management API's paths.
func (k Kind) Plural() string {
	if stem, ok := strings.CutSuffix(string(k), "y"); ok {
		return stem + "ies"
	}
	return string(k) + "s"
}

// Valid reports whether k is one of [Kinds].
func (k Kind) Valid() bool { return slices.Contains(Kinds, k) }

// Op is what a change does to an object.
type Op string

// The operations a change can perform.
const (
	OpCreate Op = "create"
	OpUpdate Op = "update"
	OpDelete Op = "delete"
)

// Ops lists every operation.
var Ops = []Op{OpCreate, OpUpdate, OpDelete}

// MaxNameLength bounds an object's name, in bytes.
const MaxNameLength = 63

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$`)

// NameRule is the rule of [CheckName] in words.
var NameRule = fmt.Sprintf("1 to %d lower-case letters, digits, `.`, `_` or `-`, beginning and ending with a letter or digit", MaxNameLength)

// CheckName returns what is wrong with an object's name, or "".
func CheckName(name string) string {
	if len(name) > MaxNameLength || !namePattern.MatchString(name) {
		return "must be " + NameRule
	}
	return ""
}

// Address identifies an object: its kind and its name within the kind.
// It is written kind/name.
type Address struct {
	Kind Kind
	Name string
}

// String returns the written form, such as "pool/web".
func (a Address) String() string { return string(a.Kind) + "/" + a.Name }

// ParseAddress reads the written form. It fails for an unknown kind or an
// invalid name.
func ParseAddress(s string) (Address, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok {
		return Address{}, fmt.Errorf("address %q: must be kind/name, such as pool/web", s)
	}
	a := Address{Kind(kind), name}
	if !a.Kind.Valid() {
		return Address{}, fmt.Errorf("address %q: unknown kind %q; kinds are %s", s, kind, joinWords(Kinds))
	}
	if msg := CheckName(name); msg != "" {
		return Address{}, fmt.Errorf("address %q: name %s", s, msg)
	}
	return a, nil
}

// joinWords writes a list for people: "a, b and c".
func joinWords[T any](words []T) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = fmt.Sprint(w)
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
