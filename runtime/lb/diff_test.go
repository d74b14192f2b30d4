package lb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// applyPatch applies the operations of RFC 6902 that Diff makes, and holds each
// old value against what is there.
func applyPatch(doc any, patch []Change) (any, error) {
	for _, c := range patch {
		var value, old any
		for _, v := range []struct {
			text jsontext.Value
			into *any
		}{{c.Value, &value}, {c.Old, &old}} {
			if v.text != nil {
				if err := json.Unmarshal(v.text, v.into); err != nil {
					return nil, err
				}
			}
		}
		var err error
		if doc, err = applyAt(doc, splitTokens(c.Path), c, value, old); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.Op, c.Path, err)
		}
	}
	return doc, nil
}

func splitTokens(path string) []string {
	if path == "" {
		return nil
	}
	tokens := strings.Split(path[1:], "/")
	for i := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(tokens[i], "~1", "/"), "~0", "~")
	}
	return tokens
}

func applyAt(doc any, path []string, c Change, value, old any) (any, error) {
	if len(path) == 0 {
		if c.Op != "add" && !cmp.Equal(doc, old) {
			return nil, fmt.Errorf("old value is %v, the document has %v", old, doc)
		}
		return value, nil
	}
	switch in := doc.(type) {
	case map[string]any:
		child, found := in[path[0]]
		if !found && (len(path) > 1 || c.Op != "add") {
			return nil, errors.New("no such member")
		}
		next, err := applyAt(child, path[1:], c, value, old)
		if err != nil {
			return nil, err
		}
		if in[path[0]] = next; len(path) == 1 && c.Op == "remove" {
			delete(in, path[0])
		}
		return in, nil
	case []any:
		return applyInArray(in, path, c, value, old)
	}
	return nil, fmt.Errorf("%T has no members", doc)
}

func applyInArray(in []any, path []string, c Change, value, old any) (any, error) {
	if path[0] == "-" && c.Op == "add" {
		return append(in, value), nil
	}
	i, err := strconv.Atoi(path[0])
	if err != nil || i < 0 || i > len(in) {
		return nil, errors.New("no such element")
	}
	if len(path) == 1 && c.Op == "add" {
		return append(in[:i], append([]any{value}, in[i:]...)...), nil
	}
	if i == len(in) {
		return nil, errors.New("no such element")
	}
	next, err := applyAt(in[i], path[1:], c, value, old)
	if in[i] = next; err == nil && len(path) == 1 && c.Op == "remove" {
		return append(in[:i], in[i+1:]...), nil
	}
	return in, err
}

func TestADiffAppliedToBeforeGivesAfter(t *testing.T) {
	r := newRandom(t)
	for _, kind := range Kinds {
		for range 100 {
			var values [2]jsontext.Value
			var parsed [2]any
			for i := range values {
				var err error
				if values[i], err = Encode(randomObject(r, kind, nil)); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(values[i], &parsed[i]); err != nil {
					t.Fatal(err)
				}
			}
			patch, err := Diff(values[0], values[1])
			if err != nil {
				t.Fatal(err)
			}
			got, err := applyPatch(parsed[0], patch)
			if err != nil {
				t.Fatalf("%v\nfrom %s\nto %s\nby %v", err, values[0], values[1], patch)
			}
			if diff := cmp.Diff(parsed[1], got); diff != "" {
				t.Fatalf("from %s\nto %s\nby %v:\n%s", values[0], values[1], patch, diff)
			}
		}
	}
}

func TestDiffOfWhatIsAbsentOrEqual(t *testing.T) {
	tests := []struct {
		name, before, after, want string
	}{
		{"neither", "", "", `[]`},
		{"created", "", `{"a":1}`, `[{"op":"add","path":"","value":{"a":1}}]`},
		{"deleted", `{"a":1}`, "", `[{"op":"remove","path":"","old":{"a":1}}]`},
		{"equal", `{"a":1}`, `{"a":1}`, `[]`},
		{"replaced", `{"a":1}`, `{"a":2}`, `[{"op":"replace","path":"/a","value":2,"old":1}]`},
		{"replaced by null", `{"a":1}`, `{"a":null}`, `[{"op":"replace","path":"/a","value":null,"old":1}]`},
		{"a member of a map", `{"m":{}}`, `{"m":{"a/b":{"w":1}}}`, `[{"op":"add","path":"/m/a~1b","value":{"w":1}}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value := func(s string) jsontext.Value {
				if s == "" {
					return nil
				}
				return jsontext.Value(s)
			}
			patch, err := Diff(value(tt.before), value(tt.after))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(patch); err != nil || string(got) != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
		})
	}
	if _, err := Diff(jsontext.Value(`{`), jsontext.Value(`{}`)); err == nil {
		t.Error("no error for what is not JSON")
	}
}
