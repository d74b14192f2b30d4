package console_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/api"
	"github.com/auditlb/terraform-provider-auditlb/runtime/console"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

func TestOnlyWebPagesAreLinkedTo(t *testing.T) {
	for text, linked := range map[string]bool{
		"https://ci.example/run/1?a=b#c": true, "http://ci.example": true,
		"javascript:alert(1)": false, "JavaScript://x/%0aalert(1)": false, "data:text/html,x": false, "//ci.example/": false, "/console/": false, "ftp://x/": false, "": false, "https:ci.example": false, "https://ci.example@evil.example/": false, "https://": false,
	} {
		if got := console.External(text); got != "" != linked {
			t.Errorf("%q is linked as %q", text, got)
		}
	}
}

// TestACopiedCommandHasTheArgumentThatItShows asks a real shell.
func TestACopiedCommandHasTheArgumentThatItShows(t *testing.T) {
	for _, argument := range []string{"github/acme/infra/123/1", "a b", "$(touch x)", "`id`", "it's", "'; rm -rf ~ #", `"\`, "-x", "", "a\nb", "*"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+console.Shell(argument)).Output()
		if err != nil || string(out) != argument {
			t.Errorf("%q becomes %q, %v", argument, out, err)
		}
	}
}

func TestAnEntryIsSummedUpInALine(t *testing.T) {
	value := func(text string) jsontext.Value { return jsontext.Value(text) }
	for _, tt := range []struct {
		name  string
		patch []lb.Change
		want  string
	}{
		{"a value", []lb.Change{{Op: "replace", Path: "/members/a/weight", Old: value("1"), Value: value("9")}}, "members.a.weight 1 → 9"},
		{"a name with a slash", []lb.Change{{Op: "add", Path: "/labels/a~1b", Value: value(`"x"`)}}, "+labels.a/b x"},
		{"a whole member", []lb.Change{{Op: "add", Path: "/members/b", Value: value(`{"weight":1}`)}, {Op: "remove", Path: "/members/c", Old: value("{}")}}, "+members.b, −members.c"},
		{"the end of a list", []lb.Change{{Op: "add", Path: "/dns_names/-", Value: value(`"a.example"`)}}, "+dns_names a.example"},
		{"a text of many lines", []lb.Change{{Op: "replace", Path: "/chain_pem", Old: value(`"a\nb"`), Value: value(`"c\nd"`)}}, "chain_pem changed"},
		{"a whole object", []lb.Change{{Op: "add", Path: "", Value: value("{}")}}, ""},
		{"more than fits", []lb.Change{{Op: "remove", Path: "/a"}, {Op: "remove", Path: "/b"}, {Op: "remove", Path: "/c"}, {Op: "remove", Path: "/d"}, {Op: "remove", Path: "/e"}}, "−a, −b, −c, and 2 more"},
	} {
		if got := console.Summary(&api.EntryRecord{Patch: tt.patch}); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestAListHasALineForEachOfItsValues(t *testing.T) {
	for value, want := range map[string]struct {
		text  string
		unset bool
	}{
		`["b","a"]`: {"b\na", false}, `[""]`: {`""`, false}, `[]`: {"none", true}, `{}`: {"none", true}, `null`: {"not set", true}, `""`: {`""`, true},
		`"none"`: {"none", false}, `0`: {"0", false}, `false`: {"false", false}, `[{"a":1}]`: {`[{"a":1}]`, false}, `[["a"]]`: {`[["a"]]`, false},
	} {
		if text, unset, err := console.Listed(value); err != nil || text != want.text || unset != want.unset {
			t.Errorf("%s: %q, %v, %v; want %+v", value, text, unset, err, want)
		}
	}
}

func TestALongNameIsBrokenWithinAndALongTextIsOpenedFirst(t *testing.T) {
	for _, path := range []string{"", "a", "labels.a_b", ".", "_a."} {
		if got := console.Pieces(path); strings.Join(got, "") != path || slices.ContainsFunc(got, func(p string) bool { return strings.ContainsAny(strings.TrimRight(p, "._"), "._") }) {
			t.Errorf("%q is in %q", path, got)
		}
	}
	for lines, more := range map[int]int{0: 0, 1: 0, 8: 0, 9: 8, 100: 99} {
		if got := console.More(strings.Repeat("x\n", lines)); got != more {
			t.Errorf("of %d lines %d are left for later, want %d", lines, got, more)
		}
	}
}
