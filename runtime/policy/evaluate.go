package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// holds evaluates an expression. When that is not possible it says why, in a few
// words that hold nothing of the change.
func (e *evaluation) holds(x *expression) (holds bool, why string) {
	switch {
	case x.program == nil:
		return false, "it does not compile"
	case e.left == 0:
		return false, fmt.Sprintf("the rules together need more than the %d units that a decision may cost", MaxDecisionCost)
	}
	// CEL recovers from panics and returns them as errors.
	out, details, err := x.program.Eval(e.values)
	if used := details.ActualCost(); used != nil {
		e.left -= min(*used, e.left)
	}
	if err != nil {
		return false, x.reason(err)
	}
	answer, ok := out.(types.Bool)
	if !ok {
		return false, "it is neither true nor false"
	}
	return bool(answer), ""
}

// reasons are what CEL's errors begin with, and what is said of them. An error's
// own text may hold a value.
var reasons = []struct{ begins, why string }{
	{"no such overload", "a value is not of the type that is needed"},
	{"not a glob", "the second argument of matches_glob is no glob over kind/name"},
	{"index out of", "an index is out of range"},
	{"index '", "an index is out of range"},
	{"division by zero", "something is divided by zero"},
	{"modulus by zero", "something is divided by zero"},
}

const noSuchKey = "no such key"

// reason says why an expression could not be evaluated.
func (x *expression) reason(err error) string {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		switch cancelled.Cause {
		case interpreter.CostLimitExceeded:
			return fmt.Sprintf("it needs more than the %d units that a rule may cost", MaxRuleCost)
		case interpreter.MemoryLimitExceeded:
			return "it makes a value that is too large"
		}
	}
	text := err.Error()
	if key, ok := strings.CutPrefix(text, noSuchKey); ok {
		if key = strings.TrimPrefix(key, ": "); x.words[key] {
			return fmt.Sprintf("there is no %q", key)
		}
		return "a key is not there"
	}
	for _, r := range reasons {
		if strings.HasPrefix(text, r.begins) {
			return r.why
		}
	}
	return "it failed"
}
