package policy

import "slices"

// CaseResult is what came of a case.
type CaseResult struct {
	Name   string `json:"name"`
	Line   int    `json:"line"`
	Passed bool   `json:"passed"`
	// Expected and Got are ExpectAllowed, ExpectDenied or ExpectError.
	Expected string `json:"expected"`
	Got      string `json:"got"`
	// ExpectedBy are the rules that were to refuse the change, as policy/rule; absent
	// when the case does not say.
	ExpectedBy []string `json:"expected_by,omitzero"`
	// By are the rules that decided: those that refuse the change or, when it is
	// allowed, those that it has passed.
	By       []string  `json:"by"`
	Outcomes []Outcome `json:"outcomes,omitzero"`
}

// Run decides on every case, in order. A case that expects a denial has failed when
// a rule could not be evaluated: it would hide a mistake in the rule.
func (c *Cases) Run(policies Set) []CaseResult {
	out := make([]CaseResult, 0, len(c.List))
	for _, each := range c.List {
		decision := policies.Decide(each.Input)
		r := CaseResult{
			Name: each.Name, Line: each.Line, Expected: each.Expect, ExpectedBy: each.By,
			Got: ExpectAllowed, By: []string{}, Outcomes: decision.Outcomes,
		}
		for _, o := range decision.Outcomes {
			switch {
			case o.Result == Failed:
				r.Got = ExpectError
			case o.Result.refuses() && r.Got == ExpectAllowed:
				r.Got = ExpectDenied
			}
			if o.Result.refuses() || decision.Allowed && o.Result == Passed {
				r.By = append(r.By, o.Policy+"/"+o.Rule)
			}
		}
		slices.Sort(r.By)
		r.Passed = r.Got == r.Expected && (each.By == nil || slices.Equal(r.By, each.By))
		out = append(out, r)
	}
	return out
}
