package lb

import "strings"

// decidedBy names the values, besides its own, that a rule about a value looks
// at. While one of them isn't known, neither is what the rule has to say.
var decidedBy = map[Kind]map[string][]string{
	KindPool: {
		"/health_check/timeout": {"/health_check/interval"},
	},
	KindListener: {
		"/certificates":        {"/protocol"},
		"/default_certificate": {"/certificates"},
		"/default_pool":        {"/protocol"},
	},
	KindRoute: {
		"/match/path_prefix": {"/match/path_exact"},
	},
	KindCertificate: {
		"/private_key_pem": {"/chain_pem"},
	},
}

// Settled returns the violations that hold whatever the values at the unknown
// pointers turn out to be. In the object that was validated they stand at their
// defaults.
func Settled(kind Kind, vs Violations, unknown []string) Violations {
	var out Violations
	for _, v := range vs {
		if !Unsettled(kind, v.Pointer, unknown) {
			out = append(out, v)
		}
	}
	return out
}

// Unsettled reports whether what there is to say about a value depends on one
// that isn't known.
func Unsettled(kind Kind, pointer string, unknown []string) bool {
	rules := []string{pointer}
	for about, others := range decidedBy[kind] {
		if overlap(pointer, about) {
			rules = append(rules, others...)
		}
	}
	for _, rule := range rules {
		for _, u := range unknown {
			if overlap(rule, u) {
				return true
			}
		}
	}
	return false
}

// overlap reports whether one pointer leads to the other's value, into it, or
// to what it is part of.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}
