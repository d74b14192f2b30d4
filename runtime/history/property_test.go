package history_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/auditlb/terraform-provider-auditlb/runtime/audit"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control"
	"github.com/auditlb/terraform-provider-auditlb/runtime/control/controltest"
	"github.com/auditlb/terraform-provider-auditlb/runtime/history"
	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
	"github.com/auditlb/terraform-provider-auditlb/runtime/store/sqlite"
)

// past is a log of random changes, and what is known of it by following them.
type past struct {
	*controltest.Log
	// at holds the configuration after each entry, by address.
	at []map[string]lived
}

// lived is an object as it is followed: who set each of its attributes.
type lived struct {
	encoded string
	set     map[string]int64
}

// newPast makes changes: creations, updates, deletions, and calls that are refused or only
// planned.
func newPast(t *testing.T, seed uint64, changes int) *past {
	t.Helper()
	store, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{MinFree: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p := &past{Log: controltest.Open(t, control.Options{Store: store})}
	p.Ticket(t, "CHG-1")
	rng := rand.New(rand.NewPCG(seed, 7))
	addresses := []string{"pool/a", "pool/b", "pool/c", "route/r", "freeze/f"}
	for range changes {
		address := controltest.Address(t, addresses[rng.IntN(len(addresses))])
		call := controltest.By("CHG-1")
		if rng.IntN(6) == 0 {
			call.Ticket = "CHG-404"
		}
		current := p.Config().Get(address)
		if current != nil && rng.IntN(4) == 0 {
			if _, err := p.Delete(t.Context(), call, address, control.Precondition{Exists: true}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		obj := someObject(t, rng, address.Kind)
		if rng.IntN(5) == 0 {
			op := lb.OpCreate
			if current != nil {
				op = lb.OpUpdate
			}
			if _, err := p.Plan(t.Context(), call, control.Plan{Address: address, Op: op, Object: obj}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := p.Put(t.Context(), call, control.Put{Address: address, Object: obj, Precondition: control.Precondition{Absent: current == nil, Exists: current != nil}}); err != nil {
			t.Fatal(err)
		}
	}
	p.follow(t)
	return p
}

func someObject(t *testing.T, rng *rand.Rand, kind lb.Kind) lb.Object {
	t.Helper()
	text := map[lb.Kind]string{
		lb.KindPool: fmt.Sprintf(`{"owner":"team-%d","labels":{%s},"slow_start":"%ds","members":{%s}}`, rng.IntN(3), some(rng, "tier", "a/b~c"), rng.IntN(3), members(rng)),
		// A route needs a listener that is not there: it is always refused.
		lb.KindRoute:  `{"owner":"team","listener":"none","action":{"fixed_response":{"status":200}}}`,
		lb.KindFreeze: fmt.Sprintf(`{"owner":"team","reason":"a freeze of nothing %d","addresses":["pool/none"],"begin":"2026-01-01T00:00:00Z","end":"2026-01-0%dT00:00:00Z"}`, rng.IntN(3), 2+rng.IntN(3)),
	}[kind]
	obj, err := lb.Decode(kind, []byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return obj
}

func some(rng *rand.Rand, names ...string) string {
	var out []string
	for _, name := range names {
		if rng.IntN(2) == 0 {
			out = append(out, fmt.Sprintf("%q:\"%d\"", name, rng.IntN(2)))
		}
	}
	return strings.Join(out, ",")
}

func members(rng *rand.Rand) string {
	var out []string
	for _, name := range []string{"x", "y", "z"} {
		if rng.IntN(2) == 0 {
			out = append(out, fmt.Sprintf(`%q:{"address":"192.0.2.1:80","weight":%d}`, name, 1+rng.IntN(2)))
		}
	}
	return strings.Join(out, ",")
}

// follow goes through all entries from the first.
func (p *past) follow(t *testing.T) {
	t.Helper()
	now := map[string]lived{}
	for seq, e := range p.Entries(t) {
		if _, err := lb.ParseAddress(e.Resource); err == nil && e.Type == audit.TypeApply && e.Outcome == audit.OutcomeOK {
			row, err := p.Store.Entry(t.Context(), int64(seq))
			if err != nil {
				t.Fatal(err)
			}
			body, err := audit.ParseBody(row.Body)
			if err != nil {
				t.Fatal(err)
			}
			now = maps.Clone(now)
			if body.After == nil {
				delete(now, e.Resource)
			} else {
				now[e.Resource] = now[e.Resource].then(t, body.After, e.Seq)
			}
		}
		p.at = append(p.at, now)
	}
}

// then is the object after a change.
func (l lived) then(t *testing.T, after jsontext.Value, seq int64) lived {
	t.Helper()
	was := map[string]jsontext.Value{}
	if l.encoded != "" {
		was = leaves(t, jsontext.Value(l.encoded))
	}
	next := lived{string(after), map[string]int64{}}
	for pointer, value := range leaves(t, after) {
		next.set[pointer] = seq
		if old, ok := was[pointer]; ok && string(old) == string(value) {
			next.set[pointer] = l.set[pointer]
		}
	}
	return next
}

func leaves(t *testing.T, object jsontext.Value) map[string]jsontext.Value {
	t.Helper()
	out, err := history.Leaves(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestStateAtARevisionIsTheFoldUpToIt(t *testing.T) {
	for seed := range uint64(2) {
		p := newPast(t, seed, 50)
		for n := range p.at {
			got := map[string]string{}
			after := ""
			for {
				objects, more, err := history.StateAt(t.Context(), p.Store, int64(n), after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range objects {
					after = o.Address.String()
					got[after] = string(o.Encoded)
				}
				if !more {
					break
				}
			}
			if want := p.state(n); !maps.Equal(got, want) {
				t.Fatalf("seed %d, state at %d is %v, want %v", seed, n, got, want)
			}
		}
	}
}

func (p *past) state(n int) map[string]string {
	out := map[string]string{}
	for address, l := range p.at[n] {
		out[address] = l.encoded
	}
	return out
}

func TestBlameIsWhatFollowingEveryChangeSays(t *testing.T) {
	attributes := 0
	for seed := range uint64(2) {
		p := newPast(t, seed, 50)
		for n := range p.at {
			for _, address := range []string{"pool/a", "pool/b", "pool/c", "freeze/f", "route/r"} {
				object, blamed, err := history.Blame(t.Context(), p.Store, controltest.Address(t, address), int64(n))
				if err != nil {
					t.Fatal(err)
				}
				want, exists := p.at[n][address]
				if exists != (object != nil && object.Exists()) {
					t.Fatalf("%s at %d exists: %t", address, n, exists)
				}
				got := map[string]int64{}
				for _, a := range blamed {
					got[a.Pointer] = a.Entry.Seq
					if a.Gone {
						t.Errorf("%s at %d: %s is gone", address, n, a.Pointer)
					}
				}
				attributes += len(got)
				if !maps.Equal(got, want.set) {
					t.Fatalf("seed %d, blame of %s at %d is %v, want %v", seed, address, n, got, want.set)
				}
			}
		}
	}
	if attributes < 1000 {
		t.Errorf("only %d attributes were blamed: the test asks nothing", attributes)
	}
}

func TestTheDifferenceLeadsFromOneStateToTheOther(t *testing.T) {
	p := newPast(t, 1, 120)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		from, to := rng.IntN(len(p.at)), rng.IntN(len(p.at))
		got := p.state(from)
		var all []history.Difference
		for after := ""; ; {
			page, next, err := history.Diff(t.Context(), p.Store, int64(from), int64(to), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, page...)
			if after = next; next == "" {
				break
			}
		}
		if !slices.IsSortedFunc(all, func(a, b history.Difference) int { return strings.Compare(a.Address.String(), b.Address.String()) }) {
			t.Errorf("not in order: %v", all)
		}
		for _, d := range all {
			if before := got[d.Address.String()]; d.Before != nil && before != string(d.Before.Encoded) || (d.Before == nil) != (before == "") {
				t.Errorf("%s from %d to %d is said to have been another object", d.Address, from, to)
			}
			delete(got, d.Address.String())
			if d.After != nil {
				got[d.Address.String()] = string(d.After.Encoded)
			}
			patch, err := d.Patch()
			if err != nil || len(patch) == 0 {
				t.Errorf("%s from %d to %d: patch %v, %v", d.Address, from, to, patch, err)
			}
			one, err := history.DiffOf(t.Context(), p.Store, d.Address, int64(from), int64(to))
			if err != nil || one == nil || one.Op() != d.Op() {
				t.Errorf("%s alone: %v, %v", d.Address, one, err)
			}
		}
		if want := p.state(to); !maps.Equal(got, want) {
			t.Fatalf("from %d to %d leads to %v, want %v", from, to, got, want)
		}
	}
}

// TestAnswersReachAcrossWhatIsReadAtOnce: an object with many changes, and many objects.
func TestAnswersReachAcrossWhatIsReadAtOnce(t *testing.T) {
	const many = 60
	p := newPast(t, 1, 0)
	labels, want := map[string]string{}, map[string]int64{}
	for i := range many {
		pool := controltest.Numbered(1)
		labels[fmt.Sprintf("l%d", i)] = "x"
		pool.Labels = maps.Clone(labels)
		change := p.Update
		if i == 0 {
			change = p.Create
		}
		want[fmt.Sprintf("/labels/l%d", i)] = change(t, "CHG-1", "pool/web", pool).Entry.Seq
	}
	for i := range many {
		p.Create(t, "CHG-1", fmt.Sprintf("pool/p%d", i), controltest.Numbered(1))
	}
	head := p.Config().Revision()
	_, blamed, err := history.Blame(t.Context(), p.Store, controltest.Address(t, "pool/web"), head)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range blamed {
		if seq, ok := want[a.Pointer]; ok && a.Entry.Seq != seq {
			t.Errorf("%s is blamed on %d, want %d", a.Pointer, a.Entry.Seq, seq)
		}
		delete(want, a.Pointer)
	}
	if len(want) != 0 {
		t.Errorf("not blamed: %v", want)
	}
	for _, limit := range []int{1, 17, many, many + 1, 500} {
		got, after := 0, ""
		for more := true; more; {
			var objects []history.Object
			if objects, more, err = history.StateAt(t.Context(), p.Store, head, after, limit); err != nil {
				t.Fatal(err)
			}
			if got += len(objects); len(objects) > 0 {
				after = objects[len(objects)-1].Address.String()
			}
		}
		if got != many+1 {
			t.Errorf("%d at once: %d objects, want %d", limit, got, many+1)
		}
	}
}
