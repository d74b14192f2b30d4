package lb

import (
	"fmt"
	"iter"
	"net/netip"
)

// View is a configuration that can be looked into. It need not be a copy: the
// write path hands out its live state with pending changes laid over it.
type View interface {
	// Lookup returns the object, or nil.
	Lookup(Address) Object
	// All yields every object of a kind, in no particular order.
	All(Kind) iter.Seq2[string, Object]
}

// Reference is one object's need of another.
type Reference struct {
	// Pointer is where in the object the name stands.
	Pointer string
	// To is the object that is named.
	To Address
	// Suits returns why the object that is named won't do, or "". What else that
	// depends on is looked up in the configuration that both stand in.
	Suits func(view View, named Object) string
}

// anyWillDo suits a reference that asks nothing of the object but to be there.
func anyWillDo(View, Object) string { return "" }

// wantPool returns why a pool is not of a protocol, or "".
func wantPool(obj Object, want PoolProtocol) string {
	if p, ok := obj.(*Pool); ok && p.Protocol != want {
		return fmt.Sprintf("has protocol %s; one with protocol %s is needed here", p.Protocol, want)
	}
	return ""
}

// CheckReferences looks at every reference of obj. Missing lists those that
// lead to nothing; unsuitable says why those that exist won't do.
func CheckReferences(view View, obj Object) (missing []Reference, unsuitable Violations) {
	for _, ref := range obj.References() {
		target := view.Lookup(ref.To)
		if target == nil {
			missing = append(missing, ref)
			continue
		}
		if why := ref.Suits(view, target); why != "" {
			unsuitable = append(unsuitable, Violation{ref.Pointer, fmt.Sprintf("%s %s", ref.To, why)})
		}
	}
	return missing, unsuitable
}

// Missing turns references that lead to nothing into violations.
func Missing(refs []Reference) Violations {
	var vs Violations
	for _, ref := range refs {
		vs = append(vs, Violation{ref.Pointer, fmt.Sprintf("%s does not exist", ref.To)})
	}
	return vs
}

// Referents lists the objects that refer to an address, sorted by kind and
// then in no particular order. An object that is referred to can't be deleted.
func Referents(view View, to Address) []Address {
	var out []Address
	for _, kind := range Kinds {
		if !refersTo(kind, to.Kind) {
			continue
		}
		for name, obj := range view.All(kind) {
			for _, ref := range obj.References() {
				if ref.To == to {
					out = append(out, Address{kind, name})
					break
				}
			}
		}
	}
	return out
}

// refersTo says which kinds can hold references to which.
func refersTo(from, to Kind) bool {
	switch from {
	case KindPool:
		return to == KindCertificate
	case KindListener:
		return to == KindPool || to == KindCertificate
	case KindRoute:
		return to == KindPool || to == KindListener
	}
	return false
}

// CheckDependents returns what would no longer suit if obj stood at an address:
// a pool that becomes tcp under an http listener, say. Each violation points at
// the object's protocol, the attribute that decides it.
//
// All references of a dependent are looked at: a route's listener decides which
// pools suit the route.
func CheckDependents(view View, at Address, obj Object) Violations {
	after := changedView{view, at, obj}
	var vs Violations
	for _, from := range Referents(view, at) {
		for _, ref := range view.Lookup(from).References() {
			named := after.Lookup(ref.To)
			if named == nil {
				continue
			}
			why := ref.Suits(after, named)
			switch {
			case why == "":
			case ref.To == at:
				vs = append(vs, Violation{"/protocol", fmt.Sprintf("%s uses this object, which then %s", from, why)})
			default:
				vs = append(vs, Violation{"/protocol", fmt.Sprintf("%s uses this object and %s, which %s", from, ref.To, why)})
			}
		}
	}
	return vs
}

// changedView is a configuration with another object at one address.
type changedView struct {
	View
	at  Address
	obj Object
}

// Lookup implements [View].
func (v changedView) Lookup(a Address) Object {
	if a == v.at {
		return v.obj
	}
	return v.View.Lookup(a)
}

// CheckOverlap returns the listener whose socket would collide with l's at the
// same address and port, or "". An unspecified address (0.0.0.0, ::) collides
// with every address on its port, as binding it would.
func CheckOverlap(view View, name string, l *Listener) (other string) {
	mine, err := netip.ParseAddr(l.Address)
	if err != nil {
		return ""
	}
	mine = mine.Unmap()
	for otherName, obj := range view.All(KindListener) {
		o, ok := obj.(*Listener)
		if !ok || otherName == name || o.Port != l.Port {
			continue
		}
		theirs, err := netip.ParseAddr(o.Address)
		if err != nil {
			continue
		}
		if theirs = theirs.Unmap(); mine == theirs || mine.IsUnspecified() || theirs.IsUnspecified() {
			return otherName
		}
	}
	return ""
}
