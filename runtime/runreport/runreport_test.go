package runreport_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/runreport"
)

// log is a log in memory: the entry with seq n is at n.
type log []runreport.Entry

// Entry implements runreport.Log.
func (l log) Entry(_ context.Context, seq int64) (*runreport.Entry, error) {
	if seq < 0 || seq >= int64(len(l)) {
		return nil, nil
	}
	return &l[seq], nil
}

// Applied implements runreport.Log.
func (l log) Applied(_ context.Context, resource string, after int64) ([]runreport.Entry, error) {
	var out []runreport.Entry
	for _, e := range l {
		if e.Resource == resource && e.Seq > after && e.Type == audit.TypeApply && e.Outcome == audit.OutcomeOK {
			out = append(out, e)
		}
	}
	return out, nil
}

// of is what is read of a run's own entries: without objects.
func (l log) of(run string) []runreport.Entry {
	var out []runreport.Entry
	for _, e := range l {
		if e.RunID() != run {
			continue
		}
		if e.Body != nil {
			slim := *e.Body
			slim.Before, slim.After = nil, nil
			e.Body = &slim
		}
		out = append(out, e)
	}
	return out
}

// entry is written "RUN TYPE OP ADDRESS"; a run of - is none.
func entry(text string, changes ...func(*runreport.Entry)) runreport.Entry {
	f := strings.Fields(text)
	e := runreport.Entry{Body: &audit.Body{}, Entry: audit.Entry{Type: audit.Type(f[1]), Op: f[2], Resource: f[3], Outcome: audit.OutcomeOK}}
	if f[0] != "-" {
		e.Run = &audit.RunRef{ID: f[0]}
	}
	if e.Type == audit.TypeReject {
		e.Outcome, e.Code = audit.OutcomeRefused, "ticket_required"
	}
	for _, c := range changes {
		c(&e)
	}
	return e
}

// does sets what an entry changes an object from and to, and its effect digest.
func does(before, after string, unknown ...string) func(*runreport.Entry) {
	return func(e *runreport.Entry) {
		address, err := lb.ParseAddress(e.Resource)
		if err != nil {
			panic(err)
		}
		effect := audit.Effect{Kind: address.Kind, Name: address.Name, Op: lb.Op(e.Op)}
		if before != "" {
			effect.Before = jsontext.Value(before)
		}
		if after != "" {
			effect.After = jsontext.Value(after)
		}
		if effect, err = effect.Mask(unknown); err != nil {
			panic(err)
		}
		e.Body.Before, e.Body.After, e.Body.Unknown = effect.Before, effect.After, effect.Unknown
		if e.EffectDigest, err = effect.Digest(); err != nil {
			panic(err)
		}
	}
}

// fulfils sets the plan that an apply fulfils; 0 is none.
func fulfils(plan int64) func(*runreport.Entry) {
	return func(e *runreport.Entry) { e.Plan, e.Unplanned = plan, plan == 0 }
}

func erased(e *runreport.Entry)    { e.Body = nil }
func planning(e *runreport.Entry)  { e.Request = &audit.Request{Path: "/v1/plans"} }
func emergency(e *runreport.Entry) { e.Emergency = true }

const (
	one, two, three = `{"n":1}`, `{"n":2}`, `{"n":3}`
)

func logOf(entries ...runreport.Entry) log {
	l := log{entry("- system begin log")}
	for _, e := range entries {
		e.Seq = int64(len(l))
		l = append(l, e)
	}
	return l
}

// describe writes effects as "ADDRESS OP STATUS plan N apply N in RUN refused N".
func describe(effects []runreport.Effect) []string {
	out := make([]string, len(effects))
	for i, e := range effects {
		text := fmt.Sprintf("%s %s %s", e.Address, e.Op, e.Status)
		if e.Plan != nil {
			text += fmt.Sprintf(" plan %d of %s", e.Plan.Seq, e.Plan.RunID())
		}
		if e.Apply != nil {
			text += fmt.Sprintf(" apply %d in %s", e.Apply.Seq, e.Apply.RunID())
		}
		if e.Refusal != nil {
			text += fmt.Sprintf(" refused %d", e.Refusal.Seq)
		}
		out[i] = text
	}
	return out
}

func TestWhatBecameOfARun(t *testing.T) {
	tests := []struct {
		name string
		// log has its entries from 1; the report is about run a.
		log     log
		want    []string
		overall runreport.Overall
	}{
		{"nothing", logOf(entry("a run register run/a"), entry("b plan create pool/web", does("", one))), nil, runreport.OverallNothing},
		{
			"planned", logOf(entry("a plan create pool/web", does("", one)), entry("b plan create pool/web", does("", two)), entry("b apply create pool/web", does("", two), fulfils(2))),
			[]string{"pool/web create not_applied plan 1 of a"},
			runreport.OverallPlanned,
		},
		{
			"planned and applied", logOf(entry("a plan create pool/web", does("", one)), entry("a apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 2 in a"},
			runreport.OverallApplied,
		},
		{
			"some applied", logOf(
				entry("a plan create pool/web", does("", one)), entry("a plan update pool/api", does(one, two)), entry("a apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/api update not_applied plan 2 of a", "pool/web create applied plan 1 of a apply 3 in a"},
			runreport.OverallPartial,
		},
		{
			"planned twice, the newer applied", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a plan update pool/web", does(one, three)), entry("a apply update pool/web", does(one, three), fulfils(2))),
			[]string{"pool/web update applied plan 2 of a apply 3 in a"},
			runreport.OverallApplied,
		},
		{
			"planned twice, the older applied", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a plan update pool/web", does(one, three)), entry("a apply update pool/web", does(one, two), fulfils(1))),
			[]string{"pool/web update not_applied plan 2 of a", "pool/web update applied plan 1 of a apply 3 in a"},
			runreport.OverallPartial,
		},
		{
			"applied, and planned again", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a apply update pool/web", does(one, two), fulfils(1)), entry("a plan update pool/web", does(two, three))),
			[]string{"pool/web update applied plan 1 of a apply 2 in a", "pool/web update not_applied plan 3 of a"},
			runreport.OverallPartial,
		},
		{
			"applied twice", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a apply update pool/web", does(one, two), fulfils(1)),
				entry("- apply update pool/web", does(two, one)), entry("a apply update pool/web", does(one, two), fulfils(1))),
			[]string{"pool/web update applied plan 1 of a apply 4 in a", "pool/web update applied plan 1 of a apply 2 in a"},
			runreport.OverallApplied,
		},
		{
			"refused", logOf(entry("a plan create pool/web", does("", one)), entry("a reject create pool/web")),
			[]string{"pool/web create failed plan 1 of a refused 2"},
			runreport.OverallFailed,
		},
		{
			"refused, then applied", logOf(
				entry("a plan create pool/web", does("", one)), entry("a reject create pool/web"), entry("a apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 3 in a refused 2"},
			runreport.OverallApplied,
		},
		{
			"refused, then planned anew", logOf(
				entry("a plan create pool/web", does("", one)), entry("a reject create pool/web"), entry("a plan create pool/web", does("", two))),
			[]string{"pool/web create not_applied plan 3 of a"},
			runreport.OverallPlanned,
		},
		{
			"applied, then refused", logOf(
				entry("a plan create pool/web", does("", one)), entry("a apply create pool/web", does("", one), fulfils(1)), entry("a reject create pool/web")),
			[]string{"pool/web create applied plan 1 of a apply 2 in a", "pool/web create failed refused 3"},
			runreport.OverallFailed,
		},
		{
			"refused when it was planned", logOf(entry("a reject create pool/web", planning)),
			[]string{"pool/web create failed refused 1"},
			runreport.OverallFailed,
		},
		{
			"refused here and applied in another run", logOf(
				entry("a plan create pool/web", does("", one)), entry("a reject create pool/web"), entry("b apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 3 in b refused 2"},
			runreport.OverallApplied,
		},
		{
			"planned here, applied in another run", logOf(entry("a plan create pool/web", does("", one)), entry("b apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 2 in b"},
			runreport.OverallApplied,
		},
		{
			"planned here, planned and applied in another run", logOf(
				entry("a plan create pool/web", does("", one)), entry("b plan create pool/web", does("", one)), entry("b apply create pool/web", does("", one), fulfils(2))),
			[]string{"pool/web create applied plan 1 of a apply 3 in b"},
			runreport.OverallApplied,
		},
		{
			"the same was done before it was planned", logOf(
				entry("b apply update pool/web", does(one, two), fulfils(0)), entry("b apply update pool/web", does(two, one), fulfils(0)), entry("a plan update pool/web", does(one, two))),
			[]string{"pool/web update not_applied plan 3 of a"},
			runreport.OverallPlanned,
		},
		{
			"the run did the same before it planned it", logOf(
				entry("a apply update pool/web", does(one, two), fulfils(0)), entry("- apply update pool/web", does(two, one), fulfils(0)), entry("a plan update pool/web", does(one, two))),
			[]string{"pool/web update unplanned apply 1 in a", "pool/web update not_applied plan 3 of a"},
			runreport.OverallUnplanned,
		},
		{
			"another run did something else", logOf(entry("a plan update pool/web", does(one, two)), entry("b apply update pool/web", does(one, three), fulfils(0))),
			[]string{"pool/web update not_applied plan 1 of a"},
			runreport.OverallPlanned,
		},
		{
			"applied by hand", logOf(entry("a plan create pool/web", does("", one)), entry("- apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 2 in "},
			runreport.OverallApplied,
		},
		{
			"only applies, what another run planned", logOf(entry("b plan create pool/web", does("", one)), entry("a apply create pool/web", does("", one), fulfils(1))),
			[]string{"pool/web create applied plan 1 of b apply 2 in a"},
			runreport.OverallApplied,
		},
		{
			"unplanned", logOf(entry("a apply create pool/web", does("", one), fulfils(0))),
			[]string{"pool/web create unplanned apply 1 in a"},
			runreport.OverallUnplanned,
		},
		{
			"planned, and something else applied", logOf(entry("a plan update pool/web", does(one, two)), entry("a apply update pool/web", does(one, three), fulfils(0))),
			[]string{"pool/web update not_applied plan 1 of a", "pool/web update unplanned apply 2 in a"},
			runreport.OverallUnplanned,
		},
		{
			"replaced", logOf(
				entry("a plan delete pool/web", does(one, "")), entry("a plan create pool/web", does("", two)),
				entry("a apply delete pool/web", does(one, ""), fulfils(1)), entry("a apply create pool/web", does("", two), fulfils(2))),
			[]string{"pool/web delete applied plan 1 of a apply 3 in a", "pool/web create applied plan 2 of a apply 4 in a"},
			runreport.OverallApplied,
		},
		{
			"replaced by half", logOf(
				entry("a plan delete pool/web", does(one, "")), entry("a plan create pool/web", does("", two)),
				entry("a apply delete pool/web", does(one, ""), fulfils(1)), entry("a reject create pool/web")),
			[]string{"pool/web delete applied plan 1 of a apply 3 in a", "pool/web create failed plan 2 of a refused 4"},
			runreport.OverallFailed,
		},
		{
			"destroyed, with a pending update that Terraform plans first", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a plan delete pool/web", does(one, "")), entry("a apply delete pool/web", does(one, ""), fulfils(2))),
			[]string{"pool/web delete applied plan 2 of a apply 3 in a"},
			runreport.OverallApplied,
		},
		{
			"updated, then destroyed", logOf(
				entry("a plan update pool/web", does(one, two)), entry("a apply update pool/web", does(one, two), fulfils(1)),
				entry("a plan delete pool/web", does(two, "")), entry("a apply delete pool/web", does(two, ""), fulfils(3))),
			[]string{"pool/web update applied plan 1 of a apply 2 in a", "pool/web delete applied plan 3 of a apply 4 in a"},
			runreport.OverallApplied,
		},
		{
			"values not known", logOf(
				entry("a plan create pool/web", does("", `{"n":1}`, "/host")), entry("a apply create pool/web", does("", `{"host":"h","n":1}`), fulfils(1))),
			[]string{"pool/web create applied plan 1 of a apply 2 in a"},
			runreport.OverallApplied,
		},
		{
			"values not known, applied in another run that planned it too", logOf(
				entry("a plan create pool/web", does("", `{"n":1}`, "/host")), entry("b plan create pool/web", does("", `{"host":"h","n":1}`)),
				entry("b apply create pool/web", does("", `{"host":"h","n":1}`), fulfils(2))),
			[]string{"pool/web create applied plan 1 of a apply 3 in b"},
			runreport.OverallApplied,
		},
		{
			"values not known, and another of those known", logOf(
				entry("a plan create pool/web", does("", `{"n":1}`, "/host")), entry("b apply create pool/web", does("", `{"host":"h","n":2}`), fulfils(0))),
			[]string{"pool/web create not_applied plan 1 of a"},
			runreport.OverallPlanned,
		},
		{
			"known first and then not, applied as both", logOf(
				entry("a plan create pool/web", does("", `{"host":"h","n":1}`)), entry("a plan create pool/web", does("", `{"n":1}`, "/host")),
				entry("a apply create pool/web", does("", `{"host":"h","n":1}`), fulfils(1))),
			[]string{"pool/web create applied plan 2 of a apply 3 in a"},
			runreport.OverallApplied,
		},
		{
			"bodies erased", logOf(
				entry("a plan create pool/web", does("", `{"n":1}`, "/host"), erased), entry("a apply create pool/web", does("", `{"host":"h","n":1}`), fulfils(1), erased),
				entry("a plan create pool/api", does("", one), erased), entry("b apply create pool/api", does("", one), fulfils(9), erased)),
			[]string{"pool/api create applied plan 3 of a apply 4 in b", "pool/web create applied plan 1 of a apply 2 in a"},
			runreport.OverallApplied,
		},
		{
			"an emergency is as planned or not, like anything", logOf(
				entry("a plan create pool/web", does("", one), emergency), entry("a apply create pool/web", does("", one), fulfils(1), emergency), entry("a apply delete pool/web", does(one, ""), fulfils(0), emergency)),
			[]string{"pool/web create applied plan 1 of a apply 2 in a", "pool/web delete unplanned apply 3 in a"},
			runreport.OverallUnplanned,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := tt.log.of("a")
			effects, err := runreport.Effects(t.Context(), "a", own, tt.log)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(effects); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			counts, overall := runreport.Count(effects)
			if overall != tt.overall || counts.Applied+counts.NotApplied+counts.Failed+counts.Unplanned != len(effects) {
				t.Errorf("overall %s with %+v, want %s", overall, counts, tt.overall)
			}
			reversed := slices.Clone(own)
			slices.Reverse(reversed)
			again, err := runreport.Effects(t.Context(), "a", reversed, tt.log)
			if err != nil || !slices.Equal(describe(again), describe(effects)) {
				t.Errorf("in another order: %q, %v", describe(again), err)
			}
			keys := map[string]bool{}
			for i := range effects {
				keys[effects[i].Key()] = true
			}
			if len(keys) != len(effects) {
				t.Errorf("%d effects have %d keys", len(effects), len(keys))
			}
		})
	}
}
