package lb

import (
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/wI2L/jsondiff"
)

// Change is one step of an RFC 6902 patch, with the value it replaces: enough
// to read the difference, to apply it and to take it back.
type Change struct {
	Op    string         `json:"op"`
	Path  string         `json:"path"`
	Value jsontext.Value `json:"value,omitzero"`
	Old   jsontext.Value `json:"old,omitzero"`
}

// Diff returns what leads from one JSON value to another. An absent side (nil)
// is null: a creation is one "add" and a deletion one "remove" of the root.
func Diff(before, after jsontext.Value) ([]Change, error) {
	switch {
	case before == nil && after == nil:
		return []Change{}, nil
	case before == nil:
		return []Change{{Op: jsondiff.OperationAdd, Value: after}}, nil
	case after == nil:
		return []Change{{Op: jsondiff.OperationRemove, Old: before}}, nil
	}
	patch, err := jsondiff.CompareJSON(before, after)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	changes := make([]Change, 0, len(patch))
	for _, op := range patch {
		c := Change{Op: op.Type, Path: op.Path}
		if op.Type != jsondiff.OperationRemove {
			if c.Value, err = json.Marshal(op.Value, json.Deterministic(true)); err != nil {
				return nil, fmt.Errorf("compare: %w", err)
			}
		}
		if op.Type != jsondiff.OperationAdd {
			if c.Old, err = json.Marshal(op.OldValue, json.Deterministic(true)); err != nil {
				return nil, fmt.Errorf("compare: %w", err)
			}
		}
		changes = append(changes, c)
	}
	return changes, nil
}
