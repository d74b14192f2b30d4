package control

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// fitTogether holds changes against the configuration as it is after all of them: what
// they refer to, what refers to them, and the sockets of listeners. It returns which of
// them does not fit, and why.
func fitTogether(after overlay, set []prepared) (int, error) {
	at := make(map[lb.Address]int, len(set))
	for i := range set {
		at[set[i].Address] = i
	}
	for i := range set {
		if err := fitOne(after, &set[i]); err != nil {
			return i, err
		}
	}
	referents := map[int][]lb.Address{}
	unsuited := map[int]lb.Violations{}
	// One walk over the rest of the configuration, however many changes there are.
	for _, kind := range lb.Kinds {
		for name, obj := range after.All(kind) {
			from := lb.Address{Kind: kind, Name: name}
			if _, changed := at[from]; changed {
				continue
			}
			uses := -1
			for _, ref := range obj.References() {
				i, changed := at[ref.To]
				switch {
				case !changed:
				case set[i].Object == nil:
					referents[i] = append(referents[i], from)
				default:
					uses = i
				}
			}
			if uses >= 0 {
				unsuited[uses] = append(unsuited[uses], unsuitedFor(after, from, obj)...)
			}
		}
	}
	for i := range set {
		if len(referents[i]) > 0 {
			return i, stillReferenced(set[i].Address, slices.Compact(referents[i]))
		}
		if vs := unsuited[i]; len(vs) > 0 {
			return i, refuseFields(CodeReferenceUnsuited, set[i].Address.String()+" does not fit", vs[:min(len(vs), lb.MaxViolations)])
		}
	}
	return 0, nil
}

// fitOne holds one of the changes to what it refers to and to other listeners.
func fitOne(after overlay, p *prepared) error {
	if p.Object == nil {
		return nil
	}
	missing, unsuitable := lb.CheckReferences(after, p.Object)
	if len(missing) > 0 {
		return refuseFields(CodeReferenceMissing, p.Address.String()+" refers to what does not exist", lb.Missing(missing))
	}
	if unsuitable = append(unsuitable, p.program.mistakes...); len(unsuitable) > 0 {
		return refuseFields(CodeReferenceUnsuited, p.Address.String()+" does not fit", unsuitable)
	}
	if l, ok := p.Object.(*lb.Listener); ok {
		if other := lb.CheckOverlap(after, p.Address.Name, l); other != "" {
			return overlap(p.Address, l, other)
		}
	}
	return nil
}

// unsuitedFor says what an object that is not changed could not use any more.
func unsuitedFor(after overlay, from lb.Address, obj lb.Object) lb.Violations {
	var vs lb.Violations
	for _, ref := range obj.References() {
		if named := after.Lookup(ref.To); named != nil {
			if why := ref.Suits(after, named); why != "" {
				vs = append(vs, lb.Violation{Pointer: "/protocol", Detail: fmt.Sprintf("%s uses %s, which then %s", from, ref.To, why)})
			}
		}
	}
	return vs
}

// inOrder puts changes into the order in which they are recorded: so that, where that is
// possible, the configuration makes sense after each of them. What is referred to is made
// before what refers to it and deleted after; a socket is left before it is taken. What
// says how others may be changed comes last: the others are held to it as it was.
func inOrder(before overlay, set []prepared) []prepared {
	left := slices.Clone(set)
	slices.SortStableFunc(left, func(x, y prepared) int {
		return cmp.Or(cmp.Compare(rank(&x), rank(&y)), cmp.Compare(x.Address.Name, y.Address.Name))
	})
	first := dependencies(before, left)
	out := make([]prepared, 0, len(left))
	done := make([]bool, len(left))
	ready := func(i int) bool {
		return !done[i] && !slices.ContainsFunc(first[i], func(j int) bool { return !done[j] })
	}
	for begin := 0; len(out) < len(left); {
		for done[begin] {
			begin++
		}
		next := begin // of a circle, whatever comes first
		for i := begin; i < len(left); i++ {
			if ready(i) {
				next = i
				break
			}
		}
		done[next] = true
		out = append(out, left[next])
	}
	return out
}

// rank orders changes by what they do and to which kind.
func rank(p *prepared) int {
	kind := slices.Index(lb.Kinds, p.Address.Kind)
	if p.Object == nil {
		kind = 2*len(lb.Kinds) - kind
	}
	if p.Address.Kind.Governs() {
		kind += 4 * len(lb.Kinds)
	}
	return kind
}

// dependencies lists for each change those that should come before it.
func dependencies(before overlay, set []prepared) [][]int {
	at := make(map[lb.Address]int, len(set))
	leaving := map[int][]int{} // by port
	for i := range set {
		at[set[i].Address] = i
		if l, ok := before.Lookup(set[i].Address).(*lb.Listener); ok {
			leaving[l.Port] = append(leaving[l.Port], i)
		}
	}
	first := make([][]int, len(set))
	for i := range set {
		if held := before.Lookup(set[i].Address); held != nil {
			for _, ref := range held.References() {
				if j, ok := at[ref.To]; ok && set[j].Object == nil {
					first[j] = append(first[j], i)
				}
			}
		}
		if set[i].Object == nil {
			continue
		}
		for _, ref := range set[i].Object.References() {
			if j, ok := at[ref.To]; ok {
				first[i] = append(first[i], j)
			}
		}
		if l, ok := set[i].Object.(*lb.Listener); ok {
			for _, j := range leaving[l.Port] {
				if j != i {
					first[i] = append(first[i], j)
				}
			}
		}
	}
	return first
}
