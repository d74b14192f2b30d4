package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Effect is what a change does, whoever does it, whenever and from where.
type Effect struct {
	Kind   lb.Kind        `json:"kind"`
	Name   string         `json:"name"`
	Op     lb.Op          `json:"op"`
	Before jsontext.Value `json:"before"`
	After  jsontext.Value `json:"after"`
	// Unknown lists the paths of After that a plan did not know. They are
	// absent from After.
	Unknown []string `json:"unknown,omitzero"`
}

// Digest is the hex SHA-256 of the effect's canonical JSON. It has no run, no
// time and no order in it, so it survives a re-plan, a merge and another order
// of applying, and changes when the effect does.
func (e Effect) Digest() (string, error) {
	for _, v := range []*jsontext.Value{&e.Before, &e.After} {
		if *v == nil {
			*v = jsontext.Value("null")
		}
	}
	e.Unknown = slices.Clone(e.Unknown)
	slices.Sort(e.Unknown)
	b, err := lb.Canonical(e)
	if err != nil {
		return "", fmt.Errorf("effect digest: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Mask returns the effect as a plan would have seen it that did not know the
// values at the given pointers (RFC 6901): they are removed from After and
// listed in Unknown.
func (e Effect) Mask(unknown []string) (Effect, error) {
	if len(unknown) == 0 || e.After == nil {
		return e, nil
	}
	var after any
	if err := json.Unmarshal(e.After, &after); err != nil {
		return Effect{}, fmt.Errorf("mask effect: %w", err)
	}
	for _, pointer := range unknown {
		after = remove(after, splitPointer(pointer))
	}
	masked, err := lb.Canonical(after)
	if err != nil {
		return Effect{}, fmt.Errorf("mask effect: %w", err)
	}
	e.After, e.Unknown = masked, unknown
	return e, nil
}

func splitPointer(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return parts
}

// remove drops the member at a path. Arrays are sets that are known or unknown
// as a whole, so a path that leads into one removes nothing.
func remove(v any, path []string) any {
	object, ok := v.(map[string]any)
	if len(path) == 0 {
		return nil
	}
	if !ok {
		return v
	}
	if len(path) == 1 {
		delete(object, path[0])
	} else if child, ok := object[path[0]]; ok {
		object[path[0]] = remove(child, path[1:])
	}
	return object
}
