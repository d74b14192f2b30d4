package policy

import (
	"fmt"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// Bounds of what rules may use. Cost is counted in units of CEL: about one for a
// step, and one for ten bytes of text that are looked at.
//
// Cost is counted while a rule runs, and not estimated when it is compiled: an
// object can hold a megabyte of anything, so the worst case of every rule that
// looks through one is far above the bound, and that of a rule worth refusing is
// no different.
const (
	// MaxRuleCost bounds each of a rule's two expressions, in one decision.
	MaxRuleCost = 1_000_000
	// MaxDecisionCost bounds all rules of a decision together.
	MaxDecisionCost = 4_000_000
	// MaxNesting is how many of all, exists, exists_one, filter and map may stand
	// within or follow upon each other.
	MaxNesting = 3
	// MaxRegexSize bounds a regular expression, in instructions of its program.
	MaxRegexSize = 100

	// maxValueSize bounds each value that is made, in bytes of text and elements.
	// An object of the largest size is below it.
	maxValueSize = 2 * lb.MaxObjectBytes
	// maxValueDepth is deeper than objects go.
	maxValueDepth = 32
	// maxDepth and maxNodes bound an expression's tree.
	maxDepth = 64
	maxNodes = 20_000
	// maxRange bounds lists.range.
	maxRange = 10_000
	// maxRecoveries is how many mistakes of syntax are looked for.
	maxRecoveries = 4
)

// environment is what expressions are compiled in. Versions are pinned: what a rule
// means does not change when the library is replaced by a newer one.
var environment = sync.OnceValue(func() *cel.Env {
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(provider{registry}),
		cel.Variable(nowName, cel.TimestampType),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.CostModelVersion(1),
		cel.CostSizingStrategy(cost.AggregateSizingStrategy(sizes...)),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(maxRecoveries),
		cel.ParserExpressionSizeLimit(lb.MaxRuleExpression),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(MaxRegexSize),
		ext.Strings(ext.StringsVersion(5)),
		ext.Lists(ext.ListsVersion(4), ext.ListsMaxRangeSize(maxRange)),
		ext.Math(ext.MathVersion(3)),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(MaxNesting), refusedFunctions{}, literalGlobs{},
		),
	}
	for _, r := range records {
		options = append(options, cel.Variable(r.name, r.typ))
	}
	env, err := cel.NewEnv(append(options, functions()...)...)
	if err != nil {
		panic(fmt.Sprintf("policy: environment: %v", err))
	}
	return env
})

// sizes is how values are measured, for memory and for cost alike.
var sizes = []types.SizeCalculatorOption{
	types.SizeCalculatorMaxDepth(maxValueDepth),
	types.SizeCalculatorMaxTraversal(maxValueSize),
	types.SizeCalculatorStringUnitLength(1),
}

// bounds are what a program is run with. Memory is bounded apart from cost since
// values can share their parts: a list of lists of lists grows faster than what it
// costs to make, and comparing it would be the first step that costs.
func bounds() []cel.ProgramOption {
	return []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(MaxRuleCost),
		cel.CostTracking(callCosts{}),
		cel.MemoryLimit(maxValueSize),
		cel.MemoryTracking(types.MemoryTrackerSizeCalculator(measure)),
	}
}
