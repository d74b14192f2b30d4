package policy

import (
	"strings"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// What calls cost for which CEL has no price, or one far from the time they take. A
// unit is about a tenth of a microsecond.
const (
	// zoneCost is for looking up a time zone, which reads it anew every time.
	zoneCost = 2000
	// textPerUnit is how many bytes of text are counted or converted for a unit.
	textPerUnit = 100
	// sizePerUnit is how much of a value is compared or copied for a unit.
	sizePerUnit = 10
	// elementsPerUnit is how many elements of a growing list are measured for a unit.
	elementsPerUnit = 25
)

// callCosts puts a price on calls.
type callCosts struct{}

// CallCost implements [cost.ActualCostEstimator]; nil leaves it to CEL.
func (callCosts) CallCost(function, overload string, args []ref.Val, _ ref.Val) *uint64 {
	units := uint64(1)
	switch {
	case function == globFunction:
		units += lb.MaxGlobLength
	case strings.HasPrefix(function, setsPrefix):
		units += length(args[0]) + length(args[1])
	case strings.HasSuffix(overload, "_with_tz"):
		units += zoneCost
	case function == "matches":
		units += text(args[0]) + text(args[1])*sizePerUnit
	case function == "size", function == "string", function == "bytes", function == "int", function == "double", function == "timestamp", function == "duration":
		units += text(args[0]) / textPerUnit
	case function == operators.In:
		if _, isList := args[1].(traits.Lister); isList {
			units += size(args[1]) / sizePerUnit
		}
	case function == operators.Add && length(args[0]) > 0:
		units += length(args[0]) / elementsPerUnit
	case overload == "":
		// What is called depends on values without a type, and CEL counts a step.
		for _, arg := range args {
			units += size(arg) / sizePerUnit
		}
	default:
		return nil
	}
	return &units
}

// text returns the length of a text in bytes; 0 for anything else.
func text(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	}
	return 0
}

// length returns the number of a list's elements; 0 for anything else.
func length(v ref.Val) uint64 {
	if list, ok := v.(traits.Lister); ok {
		if n, ok := list.Size().(types.Int); ok {
			return uint64(n)
		}
	}
	return 0
}

// size returns how large a value is with all that is in it.
func size(v ref.Val) uint64 { return uint64(measure.AggregateSize(v)) }

var measure = types.NewSizeCalculator(sizes...)
