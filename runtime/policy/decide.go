package policy

// Result is what came of a rule.
type Result string

// The results of rules. A change is allowed when none of its rules has denied it or
// could not be evaluated.
const (
	// Passed is for a rule whose requirement is met.
	Passed Result = "passed"
	// Denied is for a rule whose requirement is not met.
	Denied Result = "denied"
	// Failed is for a rule that can't be evaluated. It refuses the change too.
	Failed Result = "error"
	// Skipped is for a rule that changes under emergency tickets are not held to.
	Skipped Result = "skipped"
)

// Outcome is what came of one rule that is for a change.
type Outcome struct {
	Policy string `json:"policy"`
	// Revision is that of the policy.
	Revision int64  `json:"revision"`
	Rule     string `json:"rule"`
	Result   Result `json:"result"`
	// Message is the rule's, and why it could not be evaluated; empty when it
	// refuses nothing. It holds no value of the change.
	Message string `json:"message,omitzero"`
}

// Decision is what the policies say of a change.
type Decision struct {
	Allowed bool `json:"allowed"`
	// Outcomes are by the names of policy and rule. Rules that are not for the
	// change, by their when, are not among them.
	Outcomes []Outcome `json:"outcomes,omitzero"`
}

// Denials returns the outcomes that refuse the change.
func (d Decision) Denials() []Outcome {
	var out []Outcome
	for _, o := range d.Outcomes {
		if o.Result.refuses() {
			out = append(out, o)
		}
	}
	return out
}

// refuses is true of everything but what is known to let a change pass.
func (r Result) refuses() bool { return r != Passed && r != Skipped }

// emergency is the type of ticket that rules are skipped under, see package ticket.
const emergency = "emergency"

// Decide holds a change to every rule of every policy, also after one has denied it,
// so that whoever made it is told everything at once.
func (s Set) Decide(in Input) Decision {
	d := Decision{Allowed: true}
	run := &evaluation{values: newValues(&in), left: MaxDecisionCost}
	for _, p := range s.sorted() {
		for i := range p.rules {
			r := &p.rules[i]
			result, message := run.rule(r, in.Ticket.Type == emergency && !r.onEmergency)
			if result == "" {
				continue
			}
			d.Outcomes = append(d.Outcomes, Outcome{p.name, p.revision, r.name, result, message})
			d.Allowed = d.Allowed && !result.refuses()
		}
	}
	return d
}

// evaluation is one decision being made.
type evaluation struct {
	values *values
	// left is how much cost all rules together may still have.
	left uint64
}

// rule returns what came of a rule, or "" when it is not for the change. One that
// is to be skipped is evaluated no further than to see whether it is for the change,
// and can't fail: there must be a way out of a policy that is wrong.
func (e *evaluation) rule(r *rule, skip bool) (Result, string) {
	applies, why := e.holds(&r.when)
	switch {
	case why == "" && !applies:
		return "", ""
	case skip:
		return Skipped, ""
	case why != "":
		return Failed, failed(r, &r.when, why)
	}
	met, why := e.holds(&r.require)
	switch {
	case why != "":
		return Failed, failed(r, &r.require, why)
	case !met:
		return Denied, r.message
	}
	return Passed, ""
}

func failed(r *rule, half *expression, why string) string {
	return r.message + " (The rule's " + half.field + " can't be evaluated: " + why + ".)"
}
