package route

import (
	"maps"
	"slices"
	"strings"

	"github.com/auditlb/terraform-provider-auditlb/runtime/lb"
)

// HeaderEdit is a change to a header: drop every field that Removes reports, then
// append those of Append. The zero value changes nothing. It leaves alone what is
// [lb.HeaderProtected], which lb does not admit either: a second length in a message
// is enough to smuggle a request.
type HeaderEdit struct {
	// Append holds what is set, then what is added, each by name.
	Append []HeaderField

	removes []string // what is removed or set; in lower case
	// lengths has a bit for each length of a name in removes, the last one for all
	// beyond: most fields of a message are told apart by it.
	lengths uint64
}

// HeaderField is one field line; its name is in lower case.
type HeaderField struct{ Name, Value string }

func compileHeaders(changes lb.HeaderChanges) HeaderEdit {
	var e HeaderEdit
	if len(changes.Remove)+len(changes.Set)+len(changes.Add) == 0 {
		return e // most routes: sorting nothing would cost more than all else of them
	}
	for _, name := range changes.Remove {
		e.remove(name)
	}
	for _, name := range slices.Sorted(maps.Keys(changes.Set)) {
		e.remove(name)
		e.add(name, changes.Set[name])
	}
	for _, name := range slices.Sorted(maps.Keys(changes.Add)) {
		e.add(name, changes.Add[name])
	}
	return e
}

func (e *HeaderEdit) remove(name string) {
	if name = strings.ToLower(name); !lb.HeaderProtected(name) {
		e.removes = append(e.removes, name)
		e.lengths |= lengthBit(len(name))
	}
}

func (e *HeaderEdit) add(name, value string) {
	if name = strings.ToLower(name); !lb.HeaderProtected(name) {
		e.Append = append(e.Append, HeaderField{name, value})
	}
}

// Removes reports whether a field of this name, in any case, is to be dropped.
func (e *HeaderEdit) Removes(name []byte) bool {
	if e.lengths&lengthBit(len(name)) == 0 {
		return false
	}
	return slices.ContainsFunc(e.removes, func(removed string) bool { return equalFold(name, removed) })
}

func lengthBit(n int) uint64 { return 1 << min(n, 63) }

// equalFold compares a name with one in lower case.
func equalFold(name []byte, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i, c := range name {
		if lower(c) != folded[i] {
			return false
		}
	}
	return true
}
