package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// codec translates between the Terraform values of a resource and the object
// that they declare. It needs nothing but the resource's schema, since an
// attribute has one name in Terraform, in the JSON and in Go.
type codec struct {
	kind lb.Kind
	// resourceName is the resource's name after the provider's. Default: the kind.
	resourceName string
	// declared are the attributes of the object itself; those that are only
	// computed follow from the others.
	declared attributes
	// jsonNames names the attributes that the JSON calls otherwise.
	jsonNames map[string]string
	// derivedFrom is the attribute that the computed ones follow from.
	derivedFrom string
}

// form is the object that a value declares.
type form struct {
	// object is normalized; what isn't known or not set has its default.
	object lb.Object
	// normal is the object's JSON.
	normal map[string]any
	// declared is the JSON of what is set and known.
	declared jsontext.Value
	// unknown lists JSON pointers to what isn't known yet.
	unknown []string
}

// isDerived tells attributes that follow from others.
func isDerived(a schema.Attribute) bool { return a.IsComputed() && !a.IsOptional() }

func (c codec) jsonName(name string) string {
	if other, ok := c.jsonNames[name]; ok {
		return other
	}
	return name
}

// encode reads a configuration, plan or state. What lb can't read comes back
// as [lb.Violations].
func (c codec) encode(value tftypes.Value) (*form, error) {
	members, err := objectOf(value)
	if err != nil {
		return nil, err
	}
	e := &encoder{}
	declared := map[string]any{}
	for name, a := range c.declared {
		if isDerived(a) || a.IsWriteOnly() {
			continue
		}
		if v, ok := e.encode("/"+c.jsonName(name), a, members[name]); ok {
			declared[c.jsonName(name)] = v
		}
	}
	if len(e.violations) > 0 {
		return nil, e.violations
	}
	slices.Sort(e.unknown)
	f := &form{unknown: e.unknown}
	if f.declared, err = lb.Canonical(declared); err != nil {
		return nil, err
	}
	if f.object, err = lb.Decode(c.kind, f.declared); err != nil {
		return nil, err
	}
	f.normal, err = normalOf(f.object)
	return f, err
}

// normalOf is an object as generic JSON.
func normalOf(obj lb.Object) (map[string]any, error) {
	encoded, err := lb.Encode(obj)
	if err != nil {
		return nil, err
	}
	var normal map[string]any
	if err := json.Unmarshal(encoded, &normal); err != nil {
		return nil, fmt.Errorf("decode object: %w", err)
	}
	return normal, nil
}

// objectOf returns an object's attributes; none for null and unknown.
func objectOf(value tftypes.Value) (map[string]tftypes.Value, error) {
	members := map[string]tftypes.Value{}
	if value.IsNull() || !value.IsKnown() {
		return members, nil
	}
	if err := value.As(&members); err != nil {
		return nil, fmt.Errorf("read value: %w", err)
	}
	return members, nil
}

// encoder collects what isn't known and what can't be on its way down.
type encoder struct {
	unknown    []string
	violations lb.Violations
}

// encode returns the JSON of a value, or false when there is none to send.
func (e *encoder) encode(at string, a schema.Attribute, value tftypes.Value) (any, bool) {
	if value.IsNull() {
		return nil, false
	}
	if !value.IsKnown() {
		e.unknown = append(e.unknown, at)
		return nil, false
	}
	switch a := a.(type) {
	case schema.SingleNestedAttribute:
		return e.encodeObject(at, a.Attributes, value), true
	case schema.MapNestedAttribute:
		elements, _ := objectOf(value)
		out := map[string]any{}
		for key, element := range elements {
			below := at + "/" + escapePointer(key)
			switch {
			case element.IsNull():
				e.fail(below)
			case !element.IsKnown():
				e.unknown = append(e.unknown, below)
			default:
				out[key] = e.encodeObject(below, a.NestedObject.Attributes, element)
			}
		}
		return out, true
	}
	if !value.IsFullyKnown() {
		e.unknown = append(e.unknown, at)
		return nil, false
	}
	return e.encodeLeaf(at, value), true
}

func (e *encoder) encodeObject(at string, of attributes, value tftypes.Value) map[string]any {
	members, _ := objectOf(value)
	out := map[string]any{}
	for name, a := range of {
		if v, ok := e.encode(at+"/"+name, a, members[name]); ok {
			out[name] = v
		}
	}
	return out
}

// encodeLeaf returns the JSON of a value without attributes of its own.
func (e *encoder) encodeLeaf(at string, value tftypes.Value) any {
	switch {
	case value.Type().Is(tftypes.String):
		var s string
		_ = value.As(&s)
		return s
	case value.Type().Is(tftypes.Bool):
		var b bool
		_ = value.As(&b)
		return b
	case value.Type().Is(tftypes.Number):
		return numberOf(value)
	case value.Type().Is(tftypes.Set{}):
		var elements []tftypes.Value
		_ = value.As(&elements)
		out := make([]any, 0, len(elements))
		for _, element := range elements {
			if element.IsNull() {
				e.fail(at)
				continue
			}
			out = append(out, e.encodeLeaf(at, element))
		}
		return out
	case value.Type().Is(tftypes.Map{}):
		elements, _ := objectOf(value)
		out := map[string]any{}
		for key, element := range elements {
			if below := at + "/" + escapePointer(key); element.IsNull() {
				e.fail(below)
			} else {
				out[key] = e.encodeLeaf(below, element)
			}
		}
		return out
	}
	panic(fmt.Sprintf("provider: %s: no JSON for a value of type %s", at, value.Type()))
}

func (e *encoder) fail(at string) {
	e.violations = append(e.violations, lb.Violation{Pointer: at, Detail: "must not be null; leave the element out instead"})
}

// escapePointer escapes one reference token (RFC 6901 §3).
func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}
