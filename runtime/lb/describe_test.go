package lb

import (
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// jsonPaths lists the JSON names of a type's fields as [Describe] takes them.
func jsonPaths(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			out = append(out, jsonPaths(f.Type, prefix)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out = append(out, below(f.Type, prefix+name)...)
	}
	return out
}

func below(t reflect.Type, path string) []string {
	out := []string{path}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Time]() || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
	case t.Kind() == reflect.Struct:
		out = append(out, jsonPaths(t, path+".")...)
	case t.Kind() == reflect.Map:
		out = append(out, below(t.Elem(), path+".*")...)
	}
	return out
}

func TestEveryFieldIsDescribedAndEveryDescriptionHasAField(t *testing.T) {
	for _, kind := range Kinds {
		obj, err := New(kind)
		if err != nil {
			t.Fatal(err)
		}
		fields := jsonPaths(reflect.TypeOf(obj).Elem(), "")
		described := slices.Concat(slices.Collect(maps.Keys(descriptions[kind])), slices.Collect(maps.Keys(metaDescriptions)))
		for _, path := range fields {
			if !slices.Contains(described, path) {
				t.Errorf("%s: %s has no description", kind, path)
			} else if text := Describe(kind, path); !strings.HasSuffix(text, ".") || text != strings.TrimSpace(text) {
				t.Errorf("%s: the description of %s is not a sentence: %q", kind, path, text)
			}
		}
		for _, path := range described {
			if path != "" && !slices.Contains(fields, path) {
				t.Errorf("%s: %s is described and does not exist", kind, path)
			}
		}
		if DescribeKind(kind) == "" {
			t.Errorf("%s itself is not described", kind)
		}
	}
}

func TestDescribePanicsForAnUnknownPath(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Describe(KindPool, "colour")
}
