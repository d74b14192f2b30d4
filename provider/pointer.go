package provider

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// attributePath turns a JSON pointer into an object into the path of the
// attribute that declares the value. Elements of sets have no path of their
// own, since the server sorts them: the set's path stands for them. A pointer
// to nothing that is declared leads to the resource itself.
func (c codec) attributePath(pointer string) path.Path {
	at, of := path.Empty(), c.declared
	names := map[string]string{}
	for name, json := range c.jsonNames {
		names[json] = name
	}
	tokens := pointerTokens(pointer)
	for i := 0; i < len(tokens); i++ {
		name := tokens[i]
		if other, ok := names[name]; ok && i == 0 {
			name = other
		}
		a, ok := of[name]
		if !ok {
			return at
		}
		at = at.AtName(name)
		switch a := a.(type) {
		case schema.SingleNestedAttribute:
			of = a.Attributes
		case schema.MapNestedAttribute:
			if i++; i == len(tokens) {
				return at
			}
			at, of = at.AtMapKey(tokens[i]), a.NestedObject.Attributes
		case schema.MapAttribute:
			if i++; i < len(tokens) {
				at = at.AtMapKey(tokens[i])
			}
			return at
		default:
			return at
		}
	}
	return at
}

// pointerTokens splits a JSON pointer (RFC 6901 §4).
func pointerTokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(tokens[i])
	}
	return tokens
}

// decidedBy names the values, besides its own, that a rule about a value looks
// at. While one of them isn't known, neither is what the rule has to say.
var decidedBy = map[lb.Kind]map[string][]string{
	lb.KindPool: {
		"/health_check/timeout": {"/health_check/interval"},
	},
	lb.KindListener: {
		"/certificates":        {"/protocol"},
		"/default_certificate": {"/certificates"},
		"/default_pool":        {"/protocol"},
	},
	lb.KindRoute: {
		"/match/path_prefix": {"/match/path_exact"},
	},
	lb.KindCertificate: {
		"/private_key_pem": {"/chain_pem"},
	},
}

// settled returns the violations that hold whatever the unknown values turn out
// to be.
func (c codec) settled(vs lb.Violations, unknown []string) lb.Violations {
	var out lb.Violations
	for _, v := range vs {
		if !c.depends(v.Pointer, unknown) {
			out = append(out, v)
		}
	}
	return out
}

func (c codec) depends(pointer string, unknown []string) bool {
	rules := []string{pointer}
	for about, others := range decidedBy[c.kind] {
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
