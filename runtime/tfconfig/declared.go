package tfconfig

import (
	"cmp"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// member is an attribute of an object.
type member struct {
	name  string
	value jsontext.Value
}

// declared are the members that have to be declared, the owner first: without any one of
// them the object would be another.
func declared(o Object) ([]member, error) {
	want, err := normalised(o.Address.Kind, o.Encoded)
	if err != nil {
		return nil, err
	}
	var root map[string]any
	if err := json.Unmarshal(want, &root); err != nil {
		return nil, err
	}
	reduce([]map[string]any{root}, func() bool {
		b, err := json.Marshal(root)
		if err != nil {
			return false
		}
		got, err := normalised(o.Address.Kind, b)
		return err == nil && string(got) == string(want)
	})
	return ordered(root), nil
}

func normalised(kind lb.Kind, encoded []byte) ([]byte, error) {
	obj, err := lb.Decode(kind, encoded)
	if err != nil {
		return nil, err
	}
	return lb.Encode(obj)
}

// mostTried is how many values of an attribute are tried for its default, those first that
// most objects have.
const mostTried = 3

// reduce takes out every member without which the whole is the same. The objects are alike,
// such as a pool's members: what is the default in one is it in all, so that a large pool
// takes no more readings of it than a small one.
func reduce(alike []map[string]any, same func() bool) {
	names := map[string]bool{}
	for _, object := range alike {
		for name := range object {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		groups := byValue(alike, name)
		for _, group := range groups[:min(len(groups), mostTried)] {
			value := group[0][name]
			for _, object := range group {
				delete(object, name)
			}
			if same() {
				break
			}
			for _, object := range group {
				object[name] = value
			}
		}
		if inner := innerOf(alike, name); len(inner) > 0 {
			reduce(inner, same)
		}
	}
}

// byValue groups the objects that have a member by its value, the largest group first.
func byValue(objects []map[string]any, name string) [][]map[string]any {
	groups := map[string][]map[string]any{}
	for _, object := range objects {
		if value, ok := object[name]; ok {
			key := string(canonical(value))
			groups[key] = append(groups[key], object)
		}
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a, b))
	})
	out := make([][]map[string]any, len(keys))
	for i, key := range keys {
		out[i] = groups[key]
	}
	return out
}

// innerOf are the objects that a member has as its value. Of those that are collections of
// objects that are alike they are what is in them.
func innerOf(objects []map[string]any, name string) (inner []map[string]any) {
	for _, object := range objects {
		value, ok := object[name].(map[string]any)
		if !ok {
			continue
		}
		if elements := elementsOf(value); elements != nil {
			inner = append(inner, elements...)
		} else {
			inner = append(inner, value)
		}
	}
	return inner
}

// elementsOf are the objects of a collection; nil of what is none.
func elementsOf(value map[string]any) (elements []map[string]any) {
	var names []string
	for _, v := range value {
		element, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		its := slices.Sorted(maps.Keys(element))
		if elements != nil && !slices.Equal(its, names) {
			return nil
		}
		names, elements = its, append(elements, element)
	}
	return elements
}

func canonical(value any) jsontext.Value {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		return nil
	}
	return b
}

func ordered(root map[string]any) []member {
	var out []member
	for _, name := range slices.Sorted(maps.Keys(root)) {
		m := member{name, canonical(root[name])}
		if name == "owner" {
			out = append([]member{m}, out...)
		} else {
			out = append(out, m)
		}
	}
	return out
}
