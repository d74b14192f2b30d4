package provider

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
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
