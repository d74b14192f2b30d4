package policy

import (
	"errors"
	"math"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// values are an input as rules see it. A value is made when a rule first asks for
// it, and is the same for all rules after that: sizes are measured once.
type values struct {
	in      *Input
	records []*recordValue
	now     ref.Val
}

func newValues(in *Input) *values {
	v := &values{in: in, records: make([]*recordValue, len(records)), now: types.Timestamp{Time: in.Now}}
	for i, r := range records {
		v.records[i] = &recordValue{record: r, in: in}
	}
	return v
}

// ResolveName implements [cel.Activation].
func (v *values) ResolveName(name string) (any, bool) {
	if name == nowName {
		return v.now, true
	}
	for _, r := range v.records {
		if r.record.name == name {
			return r, true
		}
	}
	return nil, false
}

// Parent implements [cel.Activation].
func (v *values) Parent() cel.Activation { return nil }

// recordValue is the value of a variable that has fields.
type recordValue struct {
	record *record
	in     *Input
	made   []ref.Val
}

func (v *recordValue) at(i int) ref.Val {
	if v.made == nil {
		v.made = make([]ref.Val, len(v.record.fields))
	}
	if v.made[i] == nil {
		v.made[i] = valueOf(v.record.fields[i].value(v.in))
	}
	return v.made[i]
}

// isSet follows protocol buffers, whose has() is false of what is empty or zero.
func (v *recordValue) isSet(i int) bool {
	zero, ok := v.at(i).(traits.Zeroer)
	return !ok || !zero.IsZeroValue()
}

// Get implements [traits.Indexer], for a record that has lost its type.
func (v *recordValue) Get(index ref.Val) ref.Val {
	if name, ok := index.(types.String); ok {
		if i, ok := v.record.index[string(name)]; ok {
			return v.at(i)
		}
	}
	return types.NewErr("no such key")
}

// IsSet implements [traits.FieldTester].
func (v *recordValue) IsSet(index ref.Val) ref.Val {
	if name, ok := index.(types.String); ok {
		if i, ok := v.record.index[string(name)]; ok {
			return types.Bool(v.isSet(i))
		}
	}
	return types.False
}

// AggregateSize implements [types.AggregateSizeVisitor]: what holds a record holds
// a pointer to what is there anyway.
func (v *recordValue) AggregateSize(types.AggregateSizer) uint32 { return 1 }

// ConvertToNative implements [ref.Val].
func (v *recordValue) ConvertToNative(reflect.Type) (any, error) {
	return nil, errors.New("no such conversion")
}

// ConvertToType implements [ref.Val].
func (v *recordValue) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return v.record.typ
	}
	return types.NewErr("no such conversion")
}

// Equal implements [ref.Val].
func (v *recordValue) Equal(other ref.Val) ref.Val { return types.Bool(other == v) }

// Type implements [ref.Val].
func (v *recordValue) Type() ref.Type { return v.record.typ }

// Value implements [ref.Val].
func (v *recordValue) Value() any { return v }

// maxExactFloat is the largest whole number up to which every one is a float64.
const maxExactFloat = 1 << 53

// valueOf makes a value of CEL. Numbers of JSON without a fraction are integers,
// so that rules can calculate with literals such as 10.
func valueOf(v any) ref.Val {
	switch v := v.(type) {
	case nil:
		return types.NullValue
	case bool:
		return types.Bool(v)
	case string:
		return types.String(v)
	case int:
		return types.Int(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= maxExactFloat {
			return types.Int(v)
		}
		return types.Double(v)
	case time.Time:
		return types.Timestamp{Time: v}
	case []string:
		return types.NewStringList(registry, v)
	case map[string]string:
		return types.NewStringStringMap(registry, v)
	case []any:
		list := make([]ref.Val, len(v))
		for i := range v {
			list[i] = valueOf(v[i])
		}
		return types.NewRefValList(registry, list)
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, member := range v {
			object[name] = valueOf(member)
		}
		return types.NewStringInterfaceMap(registry, object)
	}
	return types.NewErr("no such type")
}
