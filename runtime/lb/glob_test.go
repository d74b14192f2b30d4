package lb

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestGlobForm(t *testing.T) {
	for glob, ok := range map[string]bool{
		"*": true, "pool/web": true, "pool/*": true, "*/web": true, "route/shop-[a-c]?": true, "ticket/CHG-1": true, `pool/\*`: true,
		"pool/" + strings.Repeat("x", MaxGlobLength-5): true,
		"": false, "pool": false, "**": false, "pool/a/b": false, "pool/[": false, `pool/\`: false, "pool/ web": false, "pool/\x00": false, "pool/\u200b": false,
		"pool/" + strings.Repeat("x", MaxGlobLength-4): false,
	} {
		if msg := CheckGlob(glob); (msg == "") != ok {
			t.Errorf("CheckGlob(%q) = %q, want accepted %t", glob, msg, ok)
		}
	}
}

func TestGlobMatches(t *testing.T) {
	for _, tt := range []struct {
		glob, address string
		want          bool
	}{
		{"*", "pool/web", true},
		{"pool/*", "pool/web", true},
		{"pool/*", "route/web", false},
		{"*/web", "pool/web", true},
		{"*/web", "pool/web2", false},
		{"pool/w?b", "pool/web", true},
		{"pool/[!a]", "pool/b", false}, // ^ negates, as in path.Match
		{"pool/[^a]", "pool/b", true},
		{"pool/[", "pool/[", false},
		{"", "pool/web", false},
	} {
		if got := GlobMatches(tt.glob, tt.address); got != tt.want {
			t.Errorf("GlobMatches(%q, %q) = %t", tt.glob, tt.address, got)
		}
	}
	if AnyGlobMatches(nil, "pool/web") || !AnyGlobMatches([]string{"route/*", "pool/*"}, "pool/web") {
		t.Error("any of none matches, or the second of two does not")
	}
}

func TestGlobCovers(t *testing.T) {
	for _, tt := range []struct {
		outer, inner string
		want         bool
	}{
		{"*", "pool/[a-z]*", true},
		{"*", "*", true},
		{"pool/*", "pool/web", true},
		{"pool/*", "pool/web-*", true},
		{"pool/*", "pool/*", true},
		{"pool/web-*", "pool/web-[ab]?", true},
		{"pool/?", "pool/?", true},
		{"*/web", "pool/web", true},
		{"pool/web", "pool/*", false},
		{"pool/*", "*", false},
		{"pool/*", "*/web", false},
		{"pool/*", "p*/web", false},
		{"pool/web-*", "pool/web*", false},
		{"pool/web-*", "pool/?eb-a", false},
		{"pool*", "pool/web", false},
		{"pool*", "pool?/web", false},
		{`pool/\*`, `pool/\*a`, false},
	} {
		if got := GlobCovers(tt.outer, tt.inner); got != tt.want {
			t.Errorf("GlobCovers(%q, %q) = %t", tt.outer, tt.inner, got)
		}
	}
}

// randomGlob is a glob over few letters, so that many match the same.
func randomGlob(r *rand.Rand) string {
	part := func() string {
		return strings.Join(some(r, 4, func() string { return pick(r, "a", "b", "ab", "*", "?", "[ab]", "[^a]", "[a-b]", `\a`, "-") }), "")
	}
	if r.IntN(20) == 0 {
		return GlobEverything
	}
	return part() + "/" + part()
}

func TestGlobCoversNeverSaysYesWrongly(t *testing.T) {
	r := newRandom(t)
	var addresses []string
	for _, kind := range []string{"a", "b", "ab", "ba", "aab"} {
		for _, name := range []string{"a", "b", "aa", "ab", "ba", "bb", "a-b", "aab", "abab", "b-a", "c"} {
			addresses = append(addresses, kind+"/"+name)
		}
	}
	yes, proper := 0, 0
	for range 200_000 {
		outer, inner := randomGlob(r), randomGlob(r)
		if r.IntN(2) == 0 {
			inner = strings.TrimSuffix(outer, "*") + inner[strings.IndexByte(inner, '/')+1:]
		}
		if CheckGlob(outer) != "" || CheckGlob(inner) != "" || !GlobCovers(outer, inner) {
			continue
		}
		yes++
		if outer != inner && outer != GlobEverything && strings.ContainsAny(inner, `*?[`) {
			proper++
		}
		for _, address := range addresses {
			if GlobMatches(inner, address) && !GlobMatches(outer, address) {
				t.Fatalf("%q is said to cover %q, which alone matches %s", outer, inner, address)
			}
		}
	}
	if proper < 100 {
		t.Errorf("of %d pairs %d were worth a look", yes, proper)
	}
}
