package policy

import "testing"

func TestAPanicRefuses(t *testing.T) {
	x, found := compile("change.kind == 'pool'")
	if found != nil {
		t.Fatal(found)
	}
	v := newValues(&Input{Change: Change{Kind: "pool"}})
	for _, r := range v.records {
		r.in = nil
	}
	e := evaluation{values: v, left: MaxDecisionCost}
	if holds, why := e.holds(&x); holds || why != "it failed" {
		t.Errorf("holds = %t, %q", holds, why)
	}
}
