package provider

import (
	"fmt"
	"math/big"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// same compares two pieces of generic JSON.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }

// isEmpty tells JSON that says nothing: what an attribute that was left out
// comes back as.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case float64:
		return v == 0
	case bool:
		return !v
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func allNull(values map[string]tftypes.Value) bool {
	for _, v := range values {
		if !v.IsNull() {
			return false
		}
	}
	return true
}

// numberOf returns a number as JSON. What isn't an integer is left for lb to
// refuse.
func numberOf(value tftypes.Value) any {
	var n big.Float
	_ = value.As(&n)
	if i, accuracy := n.Int64(); accuracy == big.Exact {
		return i
	}
	return jsontext.Value(n.Text('g', -1))
}

// newValue is tftypes.NewValue for values that come from outside: what doesn't
// fit the type is an error and not a panic.
func newValue(typ tftypes.Type, value any) (tftypes.Value, error) {
	if err := tftypes.ValidateValue(typ, value); err != nil {
		return tftypes.Value{}, fmt.Errorf("unexpected answer: %w", err)
	}
	return tftypes.NewValue(typ, value), nil
}

// leafOf returns the value of JSON without attributes of its own.
func leafOf(typ tftypes.Type, normal any) (tftypes.Value, error) {
	switch v := normal.(type) {
	case nil:
		return tftypes.NewValue(typ, nil), nil
	case float64:
		return newValue(typ, big.NewFloat(v))
	case []any:
		set, ok := typ.(tftypes.Set)
		if !ok {
			break
		}
		elements := make([]tftypes.Value, len(v))
		for i := range v {
			var err error
			if elements[i], err = leafOf(set.ElementType, v[i]); err != nil {
				return tftypes.Value{}, err
			}
		}
		return newValue(typ, elements)
	case map[string]any:
		m, ok := typ.(tftypes.Map)
		if !ok {
			break
		}
		elements := map[string]tftypes.Value{}
		for key := range v {
			var err error
			if elements[key], err = leafOf(m.ElementType, v[key]); err != nil {
				return tftypes.Value{}, err
			}
		}
		return newValue(typ, elements)
	case string, bool:
		return newValue(typ, v)
	}
	return tftypes.Value{}, fmt.Errorf("unexpected answer: %T where %s is wanted", normal, typ)
}
