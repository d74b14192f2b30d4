package lb

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxObjectBytes bounds the JSON of one object. A certificate chain or a pool
// with thousands of members fits; a runaway generator does not.
const MaxObjectBytes = 1 << 20

// Object is a pool, a listener, a route, a certificate, a freeze window or a policy.
//
// An object's name is not part of it: it is the key under which the object is
// kept, see [Address].
type Object interface {
	// Kind is the kind of the object.
	Kind() Kind
	// Normalize brings the object into the one form in which it is stored,
	// compared and digested: empty collections instead of absent ones, sets
	// sorted, derived attributes filled in.
	Normalize()
	// Validate returns what is wrong with the object on its own. What other
	// objects have to say is [CheckReferences] and [CheckOverlap].
	Validate() Violations
	// References lists the objects this one needs.
	References() []Reference
}

// New returns an object of the kind with every default set.
func New(kind Kind) (Object, error) {
	switch kind {
	case KindPool:
		return NewPool(), nil
	case KindListener:
		return NewListener(), nil
	case KindRoute:
		return NewRoute(), nil
	case KindCertificate:
		return &Certificate{}, nil
	case KindFreeze:
		return NewFreeze(), nil
	case KindPolicy:
		return NewPolicy(), nil
	}
	return nil, fmt.Errorf("unknown kind %q; kinds are %s", kind, joinWords(Kinds))
}

// Decode reads an object strictly: unknown or repeated members, wrong types,
// invalid UTF-8 and trailing data are refused, each with a pointer. Members
// that are absent take their defaults. The result is normalized but not yet
// validated.
func Decode(kind Kind, data []byte) (Object, error) {
	obj, err := New(kind)
	if err != nil {
		return nil, err
	}
	if len(data) > MaxObjectBytes {
		return nil, Violations{{Detail: fmt.Sprintf("is %d bytes; an object has at most %d", len(data), MaxObjectBytes)}}
	}
	if err := DecodeStrict(data, obj); err != nil {
		return nil, err
	}
	obj.Normalize()
	return obj, nil
}

// DecodeStrict reads JSON into v with the strictness of [Decode]. What is wrong
// with the input comes back as [Violations].
//
// Null stands only for an attribute that may be absent (a pointer): everywhere
// else it would silently become the zero value.
func DecodeStrict(data []byte, v any) error {
	err := json.Unmarshal(data, v, json.RejectUnknownMembers(true), refuseNull)
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return Violations{{Pointer: shownPointer(string(semantic.JSONPointer)), Detail: semanticDetail(semantic)}}
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return Violations{{Pointer: shownPointer(string(syntactic.JSONPointer)), Detail: fmt.Sprintf("is not valid JSON: %v (at byte %d)", syntactic.Err, syntactic.ByteOffset)}}
	}
	return Violations{{Detail: "is not valid JSON"}}
}

// decodeOver reads JSON into what holds the defaults of whatever is absent. The
// type has no UnmarshalJSONFrom of its own: that is where this is called from.
func decodeOver[T any](dec *jsontext.Decoder, into *T, defaults T) error {
	*into = defaults
	return json.UnmarshalDecode(dec, into)
}

var errNull = errors.New("null is not allowed here; leave the field out instead")

// refuseNull looks at every value before it is decoded.
var refuseNull = json.WithUnmarshalers(json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v any) error {
	if dec.PeekKind() == 'n' && reflect.TypeOf(v).Elem().Kind() != reflect.Pointer {
		return errNull
	}
	return errors.ErrUnsupported
}))

// semanticDetail says what was wrong without naming Go types or repeating the
// value, which may be a secret in the wrong place.
func semanticDetail(err *json.SemanticError) string {
	if errors.Is(err.Err, json.ErrUnknownName) {
		return "is not a known field"
	}
	var duration *durationError
	switch {
	case errors.Is(err.Err, errNull):
		return errNull.Error()
	case errors.As(err.Err, &duration):
		return duration.Error()
	case err.GoType == reflect.TypeFor[time.Time]():
		return "must be an RFC 3339 time, such as 2026-01-31T14:05:00Z"
	}
	return fmt.Sprintf("has the wrong type: %s is not allowed here", kindWord(err.JSONKind))
}

func kindWord(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "this number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "this value"
}

// Encode returns the canonical JSON of an object (RFC 8785): the bytes that are
// digested, logged and compared.
func Encode(obj Object) (jsontext.Value, error) { return Canonical(obj) }

// Canonical marshals v and brings it into the form of RFC 8785.
func Canonical(v any) (jsontext.Value, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		return nil, fmt.Errorf("canonicalize: %w", err)
	}
	return value, nil
}

// sortedSet returns the distinct strings of s, sorted and never nil.
func sortedSet[T ~string](s []T) []T {
	seen := make(map[T]bool, len(s))
	out := make([]T, 0, len(s))
	for _, v := range s {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

func lowerAll(s []string) []string {
	out := make([]string, len(s))
	for i, v := range s {
		out[i] = strings.ToLower(v)
	}
	return out
}
