package lb

import "strings"

// decidedBy names the values, besides its own, that a rule about a value looks
// at and that could break it while they stand at their defaults. While one of
// them isn't known, neither is what the rule has to say.
var decidedBy = map[Kind]map[string][]string{
	KindPool: {
		"/hash_key":             {"/algorithm"},
		"/hash_key/name":        {"/hash_key/source"},
		"/health_check/type":    {"/http_version"},
		"/health_check/timeout": {"/health_check/interval"},
		"/health_check/service": {"/health_check/type"},
	},
	KindListener: {
		"/certificates":         {"/protocol"},
		"/default_certificate":  {"/certificates"},
		"/default_pool":         {"/protocol"},
		"/tls/client_auth":      {"/protocol"},
		"/tls/client_ca_pem":    {"/tls/client_auth"},
		"/limits/request_burst": {"/limits/request_rate"},
	},
	KindRoute: {
		// Which pools suit depends on the listener.
		"/action/forward":              {"/listener"},
		"/action/mirror/pool":          {"/listener"},
		"/action/mirror":               {"/action/forward"},
		"/action/redirect":             {"/match/query"},
		"/action/redirect/path_prefix": {"/match/path_prefix"},
		"/action/rewrite":              {"/action/forward"},
		"/action/rewrite/path_prefix":  {"/match/path_prefix"},
	},
	KindCertificate: {
		"/private_key_pem": {"/chain_pem"},
	},
	KindFreeze: {
		// Which day it is depends on the zone.
		"/recurrence": {"/time_zone"},
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
