package audit

import "fmt"

// Depth is how much of a log a verification looks at.
type Depth string

const (
	// DepthDeep checks everything.
	DepthDeep Depth = "deep"
	// DepthShape checks that the headers are those that the checkpoint signs, and
	// their order. It reads nothing but headers and the tree.
	DepthShape Depth = "shape"
)

// Depths lists the depths.
var Depths = []Depth{DepthShape, DepthDeep}

// ParseDepth reads a depth.
func ParseDepth(s string) (Depth, error) {
	for _, d := range Depths {
		if s == string(d) {
			return d, nil
		}
	}
	return "", fmt.Errorf("depth %q must be %s or %s", s, DepthShape, DepthDeep)
}

// Checks says what a verification of this depth compares.
func (d Depth) Checks() string {
	const shape = "every header's hash with the tree, every hash of the tree up to the signed root, the order of entries and their times"
	if d == DepthShape {
		return shape
	}
	return shape + ", every header's form, every index column, every body with its digest, the current state with the fold of the entries"
}

// LeavesOut says what a verification of this depth does not look at, or "".
func (d Depth) LeavesOut() string {
	if d == DepthShape {
		return "the form of headers, index columns, bodies, the current state"
	}
	return ""
}
