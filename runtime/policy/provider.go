package policy

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// record is the type of a variable that has fields.
type record struct {
	name   string
	typ    *cel.Type
	fields []field
	// index is the place of each field by name.
	index map[string]int
}

func newRecord(name string, fields ...field) *record {
	r := &record{
		name: name, typ: types.NewObjectType(recordPrefix+name, traits.IndexerType|traits.FieldTesterType),
		fields: fields, index: make(map[string]int, len(fields)),
	}
	for i, f := range fields {
		r.index[f.name] = i
	}
	return r
}

// recordPrefix can't begin an identifier.
const recordPrefix = "@"

func recordNamed(name string) *record {
	for _, r := range records {
		if r.name == name {
			return r
		}
	}
	return nil
}

// registry knows the types that CEL itself has.
var registry = func() *types.Registry {
	r, err := types.NewRegistry()
	if err != nil {
		panic(fmt.Sprintf("policy: types of CEL: %v", err))
	}
	return r
}()

// provider knows the records, and no messages of protocol buffers: a rule can't make
// any.
type provider struct{ *types.Registry }

// FindStructType implements [types.Provider].
func (provider) FindStructType(name string) (*types.Type, bool) {
	if r := recordOfType(name); r != nil {
		return types.NewTypeTypeWithParam(r.typ), true
	}
	return nil, false
}

// FindStructFieldNames implements [types.Provider].
func (provider) FindStructFieldNames(name string) ([]string, bool) {
	r := recordOfType(name)
	if r == nil {
		return nil, false
	}
	return r.fieldNames(), true
}

func (r *record) fieldNames() []string {
	names := make([]string, len(r.fields))
	for i, f := range r.fields {
		names[i] = f.name
	}
	return names
}

// FindStructFieldType implements [types.Provider].
func (provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	r := recordOfType(name)
	if r == nil {
		return nil, false
	}
	i, ok := r.index[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:    r.fields[i].typ,
		IsSet:   func(target any) bool { v, ok := target.(*recordValue); return ok && v.isSet(i) },
		GetFrom: func(target any) (any, error) { return target.(*recordValue).at(i), nil },
	}, true
}

func recordOfType(name string) *record {
	for _, r := range records {
		if r.typ.TypeName() == name {
			return r
		}
	}
	return nil
}

// NewValue implements [types.Provider].
func (provider) NewValue(string, map[string]ref.Val) ref.Val { return types.NewErr("no such type") }
