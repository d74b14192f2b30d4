package console_test

import (
	"reflect"
	"testing"

	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
)

func TestADifferenceIsShownAttributeByAttribute(t *testing.T) {
	for _, tt := range []struct {
		name, before, after string
		want                [][4]string
	}{
		{"nothing", `{"a":1}`, `{"a":1}`, [][4]string{{" ", "a", "1", "1"}}},
		{"another order", `{"a":1,"b":"x"}`, `{"b":"x","a":1.0}`, [][4]string{{" ", "a", "1", "1"}, {" ", "b", "x", "x"}}},
		{"a value", `{"a":{"b":1}}`, `{"a":{"b":2}}`, [][4]string{{"±", "a.b", "1", "2"}}},
		{"one more and one less", `{"a":1,"b":2}`, `{"b":2,"c":3}`, [][4]string{{"−", "a", "1", ""}, {" ", "b", "2", "2"}, {"+", "c", "", "3"}}},
		{"another type", `{"a":{"b":1}}`, `{"a":7}`, [][4]string{{"+", "a", "", "7"}, {"−", "a.b", "1", ""}}},
		{"a list, in order of its places", `{"a":["x","y","y","y","y","y","y","y","y","y","z"]}`, `{"a":["x"]}`, append([][4]string{{" ", "a[0]", "x", "x"}},
			[4]string{"−", "a[1]", "y", ""}, [4]string{"−", "a[2]", "y", ""}, [4]string{"−", "a[3]", "y", ""}, [4]string{"−", "a[4]", "y", ""}, [4]string{"−", "a[5]", "y", ""},
			[4]string{"−", "a[6]", "y", ""}, [4]string{"−", "a[7]", "y", ""}, [4]string{"−", "a[8]", "y", ""}, [4]string{"−", "a[9]", "y", ""}, [4]string{"−", "a[10]", "z", ""})},
		{"objects in a list", `{"a":[{"b":1}]}`, `{"a":[{"b":2}]}`, [][4]string{{"±", "a[0].b", "1", "2"}}},
		{"what is empty", `{"a":{},"b":[]}`, `{"a":{"x":""},"b":null}`, [][4]string{{"−", "a", "none", ""}, {"+", "a.x", "", `""`}, {"±", "b", "none", "not set"}}},
		{"a number that no float holds", `{"a":1}`, `{"a":1,"n":9007199254740992}`, [][4]string{{" ", "a", "1", "1"}, {"+", "n", "", "9007199254740992"}}},
		{"a creation, without what is not set", "", `{"a":1,"b":null}`, [][4]string{{"+", "a", "", "1"}}},
		{"a deletion, without what was not set", `{"a":1,"b":null}`, "", [][4]string{{"−", "a", "1", ""}}},
		{"a creation, without what is empty", "", `{"a":"none","b":[],"c":{},"d":"","e":false}`, [][4]string{{"+", "a", "", "none"}, {"+", "e", "", "false"}}},
		{"what is empty itself", "", `""`, [][4]string{{"+", "", "", `""`}}},
		{"neither", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := console.Compared(tt.before, tt.after)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%q, %v\nwant %q", got, err, tt.want)
			}
		})
	}
	if _, err := console.Compared(`{"a":`, `{}`); err == nil {
		t.Error("what is no JSON was compared")
	}
}

// FuzzCompare: any two values can be compared, and are the same as themselves.
func FuzzCompare(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":null}]}}`, `{"a":"x"}`)
	f.Add(`[]`, `7`)
	f.Fuzz(func(t *testing.T, before, after string) {
		rows, err := console.Compared(before, before)
		for _, row := range rows {
			if before != "" && row[0] != " " {
				t.Errorf("%q differs from itself: %q", before, row)
			}
		}
		if err != nil {
			return
		}
		_, _ = console.Compared(before, after)
	})
}
