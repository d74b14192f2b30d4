package audit_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func digest(t *testing.T, e audit.Effect) string {
	t.Helper()
	d, err := e.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func update1(after string) audit.Effect {
	return audit.Effect{Kind: lb.KindPool, Name: "web", Op: lb.OpUpdate, Before: jsontext.Value(`{"n":1}`), After: jsontext.Value(after)}
}

// TestAnEffectSurvivesItsSpelling writes one effect in different ways.
func TestAnEffectSurvivesItsSpelling(t *testing.T) {
	want := digest(t, update1(`{"a":"é","b":[1,2],"c":{"d":100,"e":null}}`))
	for _, same := range []string{
		`{"c":{"e":null,"d":100},"b":[1,2],"a":"é"}`,
		"{ \"a\": \"\\u00e9\",\n\t\"b\": [1, 2], \"c\": {\"d\": 1e2, \"e\": null} }",
		`{"a":"é","b":[1.0,2],"c":{"d":100.00,"e":null}}`,
	} {
		if got := digest(t, update1(same)); got != want {
			t.Errorf("%s has digest %s, want %s", same, got, want)
		}
	}
	masked, other := update1(`{}`), update1(`{}`)
	masked.Unknown, other.Unknown = []string{"/a", "/b"}, []string{"/b", "/a"}
	if digest(t, masked) != digest(t, other) {
		t.Error("the order of what is unknown changes the digest")
	}
	if !slices.Equal(other.Unknown, []string{"/b", "/a"}) {
		t.Error("the digest sorted the caller's slice")
	}
	if absent, null := (audit.Effect{Op: lb.OpCreate}), (audit.Effect{Op: lb.OpCreate, Before: jsontext.Value("null"), After: jsontext.Value("null")}); digest(t, absent) != digest(t, null) {
		t.Error("absent and null differ")
	}
}

// TestAnEffectChangesWithEveryAttribute changes, removes and adds every value of
// a real object, at every depth.
func TestAnEffectChangesWithEveryAttribute(t *testing.T) {
	check := lb.NewHealthCheck()
	pool := lb.NewPool()
	pool.Owner, pool.Labels, pool.HealthCheck = "team-web", map[string]string{"tier": "1"}, &check
	pool.Members = map[string]lb.Member{"a": {Address: "10.0.0.1:80", Weight: 1, State: "active"}}
	pool.Normalize()
	encoded, err := lb.Encode(pool)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{digest(t, update1(string(encoded))): "the object itself"}
	distinct := func(what string, e audit.Effect) {
		t.Helper()
		d := digest(t, e)
		if other, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", what, other)
		}
		seen[d] = what
	}
	variants := 0
	each(t, encoded, func(what string, v []byte) {
		variants++
		distinct(what, update1(string(v)))
	})
	if variants < 50 {
		t.Fatalf("only %d variants", variants)
	}
	base := update1(string(encoded))
	for what, change := range map[string]func(*audit.Effect){
		"another kind":    func(e *audit.Effect) { e.Kind = lb.KindRoute },
		"another name":    func(e *audit.Effect) { e.Name = "web2" },
		"another op":      func(e *audit.Effect) { e.Op = lb.OpCreate },
		"another before":  func(e *audit.Effect) { e.Before = jsontext.Value(`{"n":2}`) },
		"no before":       func(e *audit.Effect) { e.Before = nil },
		"no after":        func(e *audit.Effect) { e.After = nil },
		"unknown":         func(e *audit.Effect) { e.Unknown = []string{"/x"} },
		"another unknown": func(e *audit.Effect) { e.Unknown = []string{"/y"} },
	} {
		e := base
		change(&e)
		distinct(what, e)
	}
}

// each calls f with variants of a JSON value in which one thing is otherwise.
func each(t *testing.T, encoded []byte, f func(what string, v []byte)) {
	t.Helper()
	var root any
	if err := json.Unmarshal(encoded, &root); err != nil {
		t.Fatal(err)
	}
	emit := func(what string) {
		b, err := json.Marshal(root, json.Deterministic(true))
		if err != nil {
			t.Fatal(err)
		}
		f(what, b)
	}
	var visit func(path string, object map[string]any)
	visit = func(path string, object map[string]any) {
		object["added"] = true
		emit("an attribute added to " + path)
		delete(object, "added")
		for _, key := range slices.Sorted(maps.Keys(object)) {
			value, at := object[key], path+"/"+key
			object[key] = fmt.Sprintf("%v?", value)
			emit(at + " changed")
			delete(object, key)
			emit(at + " removed")
			object[key] = value
			if child, ok := value.(map[string]any); ok {
				visit(at, child)
			}
		}
	}
	visit("", root.(map[string]any))
}

func TestMaskHidesWhatAPlanDidNotKnow(t *testing.T) {
	full := `{"a":1,"b":{"c":2,"d":3},"e~f":4,"g/h":5,"list":[1,2]}`
	for _, tt := range []struct {
		unknown []string
		want    string
	}{
		{nil, full},
		{[]string{"/a"}, `{"b":{"c":2,"d":3},"e~f":4,"g/h":5,"list":[1,2]}`},
		{[]string{"/b/c"}, `{"a":1,"b":{"d":3},"e~f":4,"g/h":5,"list":[1,2]}`},
		{[]string{"/b", "/list"}, `{"a":1,"e~f":4,"g/h":5}`},
		{[]string{"/e~0f", "/g~1h"}, `{"a":1,"b":{"c":2,"d":3},"list":[1,2]}`},
		{[]string{"/nothing", "/b/nothing/deeper", "/list/0", "/a/deeper"}, full},
	} {
		e := update1(full)
		masked, err := e.Mask(tt.unknown)
		if err != nil {
			t.Fatal(err)
		}
		if string(masked.After) != tt.want || !slices.Equal(masked.Unknown, tt.unknown) {
			t.Errorf("without %v: %s %v, want %s", tt.unknown, masked.After, masked.Unknown, tt.want)
		}
		if string(e.After) != full || e.Unknown != nil {
			t.Errorf("Mask changed the effect itself: %+v", e)
		}
	}
	deletion := audit.Effect{Op: lb.OpDelete, Before: jsontext.Value(`{}`)}
	if masked, err := deletion.Mask([]string{"/a"}); err != nil || masked.After != nil {
		t.Errorf("a masked deletion: %+v %v", masked, err)
	}
}

// TestTwoValuesOfWhatIsUnknownAreOneEffect is why an apply finds its plan.
func TestTwoValuesOfWhatIsUnknownAreOneEffect(t *testing.T) {
	mask := func(after string) string {
		masked, err := update1(after).Mask([]string{"/a"})
		if err != nil {
			t.Fatal(err)
		}
		return digest(t, masked)
	}
	plan := mask(`{"b":1}`)
	if mask(`{"a":1,"b":1}`) != plan || mask(`{"a":{"x":2},"b":1}`) != plan {
		t.Error("what was unknown matters")
	}
	if mask(`{"a":1,"b":2}`) == plan {
		t.Error("what was known does not matter")
	}
}
